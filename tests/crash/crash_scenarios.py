"""Commands to be killed at any moment, and what of their outcome has to be the same as if they had not been."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

FAULTS = Path(__file__).with_name("faults")
PATIENCE = 600.0
"""Seconds before a test gives up."""
Outcome = dict[str, str]
"""From what has to be the same to a digest of it."""


@dataclass(frozen=True)
class Scenario:
    """A command that leaves its outcome in a folder.

    Attributes:
        command: its arguments; OUT stands for the folder.
        repeat: more arguments when it is given again.
        outcome: what it has to have left in the end.
        prepare: makes the folder as it is before; by default there is none.
    """

    command: tuple[str, ...]
    outcome: Callable[[Path], Outcome]
    repeat: tuple[str, ...] = ()
    prepare: Callable[[Path], object] = field(default=lambda out: None)

    def start(self, out: Path, *more: str, **environment: str) -> subprocess.Popen[str]:
        arguments = [argument.replace("OUT", str(out)) for argument in self.command]
        return subprocess.Popen(
            [sys.executable, "-m", "benchmarks.cli", *arguments, *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | environment,
            start_new_session=True,
        )

    def undisturbed(self, out: Path) -> tuple[Outcome, float, float]:
        """Its outcome, and the seconds until it first writes anything and until it ends."""
        self.prepare(out)
        before, begun = listing(out), time.monotonic()
        process = self.start(out)
        first = 0.0
        while process.poll() is None:
            if not first and listing(out) != before:
                first = time.monotonic() - begun
            time.sleep(0.02)
        taken = time.monotonic() - begun
        assert process.returncode == 0, process.communicate()[0]
        return self.outcome(out), first, taken

    def killed(self, out: Path, seconds: float) -> bool:
        """Whether SIGKILL, to it and all that it started, came before its end."""
        process = self.start(out)
        try:
            process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return True
        return False

    def failed(self, out: Path, fault: str, log: Path) -> tuple[int, str]:
        """Exit status and output where one call to the system fails."""
        path = f"{FAULTS}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        process = self.start(out, PYTHONPATH=path, FAULT=fault, FAULT_LOG=str(log))
        text, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, text

    def repeated(self, out: Path) -> Outcome:
        process = self.start(out, *self.repeat)
        text, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, text
        return self.outcome(out)


def listing(out: Path) -> set[str]:
    return {path.name for path in out.rglob("*")} if out.exists() else set()


def moments(seed: int, first: float, taken: float) -> Iterator[float]:
    """Seconds from when a command first writes until it ends, by chance."""
    chance = random.Random(seed)
    while True:
        yield chance.uniform(0.95 * first, taken)


def leftovers(out: Path) -> list[str]:
    """Halves of files that somebody was writing."""
    return sorted(path.relative_to(out).as_posix() for path in out.rglob(".*.tmp-*"))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files(folder: Path, *patterns: str) -> Outcome:
    """Digests of files of a folder."""
    found = {path for pattern in patterns for path in folder.glob(pattern)}
    return {path.relative_to(folder).as_posix(): digest(path) for path in sorted(found)}


def jobs(out: Path) -> Outcome:
    """What every job learned, predicted and scored; times and memory differ from run to run."""
    found = files(out, "jobs/*/model/*", "jobs/*/predictions/*", "jobs/*/metrics.csv")
    for path in out.glob("jobs/*/result.json"):
        result = json.loads(path.read_text())
        (result["thresholds"] or {}).pop("seconds", None)
        said = [result[name] for name in ("key", "job", "dataset", "thresholds", "metrics", "images")]
        found[path.parent.name] = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    return found


def validated_jobs(out: Path) -> Outcome:
    """What the trials of a study came to."""
    found = jobs(out) | files(out, "studies/*/best.yaml")
    for path in out.glob("jobs/*/validation_scores.json"):
        found[f"{path.parent.name}, validation"] = json.dumps(json.loads(path.read_text())["metrics"])
    return found


def copied(source: Path, *without: str) -> Callable[[Path], object]:
    """Prepare a folder as a copy of another, less what is named."""

    def prepare(out: Path) -> None:
        shutil.copytree(source, out, ignore=shutil.ignore_patterns(*without))

    return prepare
