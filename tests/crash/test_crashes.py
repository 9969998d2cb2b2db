"""Commands that are killed, or whose disk fails, at moments drawn by chance: the same command ends as if undisturbed.

    CRASHES=20 CRASH_SEED=7 python -m pytest tests/crash -m slow -s

prints how many of how many were survived. CRASHES is the number of kills, and of failures, of each command; CRASH_SEED
decides on the moments.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from crash_scenarios import Outcome, Scenario, copied, files, jobs, leftovers, moments, validated_jobs
from PIL import Image

pytestmark = pytest.mark.slow
CRASHES = int(os.environ.get("CRASHES", "1"))
SEED = int(os.environ.get("CRASH_SEED", "0"))
DATA = "synthetic-nuclei?size=64&train=2&val=1&test=3"
SMALL = ("--data", DATA, "--scale", "smoke", "--device", "cpu", "--out", "OUT")
STUDY = """
name: tiny
title: Two rates
sampler: grid
search: {training.learning_rate: {values: [0.001, 0.002]}}
"""
Make = Callable[[Path, Path], Scenario]
Undisturbed = tuple[Outcome, float, float]
RUN = Scenario(("run", "table4", "--rows", "8", "--seeds", "1", "--jobs", "1", *SMALL), jobs)


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Undisturbed]:
    """What each command comes to by itself, and the seconds until it begins to write and until it ends."""
    return {}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table that was run, for reports and for a model."""
    out = tmp_path_factory.mktemp("finished") / "out"
    RUN.undisturbed(out)
    return out


def report(finished: Path, there: Path) -> Scenario:
    return Scenario(
        ("report", "--out", "OUT"),
        lambda out: files(out / "reports", "table4.md", "table4.csv", "table4.tex", "tables.tex"),
        prepare=copied(finished, "reports", "mlflow*"),
    )


def predict(finished: Path, there: Path) -> Scenario:
    images = there / "images"
    images.mkdir()
    for index in range(8):
        noise = np.random.default_rng(index).integers(0, 255, (160, 160)).astype(np.uint8)
        Image.fromarray(noise).save(images / f"{index}.png")
    model = next(finished.glob("jobs/*/model"))
    command = ("predict", str(model), str(images), "--device", "cpu", "--out", "OUT")
    return Scenario(command, lambda out: files(out, "labels/*", "overlays/*", "objects.csv"))


def study(finished: Path, there: Path) -> Scenario:
    (there / "tiny.yaml").write_text(STUDY)
    command = ("study", str(there / "tiny.yaml"), "--jobs", "1", *SMALL)
    return Scenario(command, validated_jobs)


def run(finished: Path, there: Path) -> Scenario:
    return RUN


@pytest.mark.parametrize("make", [run, study, report, predict], ids=lambda make: make.__name__)
def test_a_killed_command_goes_on(
    make: Make, finished: Path, undisturbed: dict[str, Undisturbed], tmp_path: Path
) -> None:
    scenario = make(finished, tmp_path)
    expected, first, taken = undisturbed.setdefault(make.__name__, scenario.undisturbed(tmp_path / "undisturbed"))
    assert expected
    tried = 0
    for seconds in moments(SEED, first, taken):
        if tried == CRASHES:
            break
        out = tmp_path / f"kill-{seconds:.3f}"
        scenario.prepare(out)
        tried += scenario.killed(out, seconds)
        assert scenario.repeated(out) == expected, f"killed after {seconds:.3f} of {taken:.1f} s"
        assert leftovers(out) == [], f"killed after {seconds:.3f} of {taken:.1f} s"
    print(f"\n{make.__name__}: {tried} kills of {tried} survived, {first:.1f} to {taken:.1f} s after the start")


@pytest.mark.parametrize("make", [run, report, predict], ids=lambda make: make.__name__)
def test_a_command_whose_disk_fails_says_so_and_goes_on(
    make: Make, finished: Path, undisturbed: dict[str, Undisturbed], tmp_path: Path
) -> None:
    """One call to the system fails, as on a full disk or a broken one."""
    scenario = make(finished, tmp_path)
    if make.__name__ not in undisturbed:
        undisturbed[make.__name__] = scenario.undisturbed(tmp_path / "undisturbed")
    expected = undisturbed[make.__name__][0]
    chance, log, survived = random.Random(SEED), tmp_path / "log", 0
    for number in range(CRASHES):
        fault = f"{chance.choice(['fsync', 'replace'])}:{chance.randint(1, 12)}:{chance.choice(['ENOSPC', 'EIO'])}"
        out = tmp_path / f"fault-{number}"
        scenario.prepare(out)
        status, text = scenario.failed(out, fault, log)
        if fault in (log.read_text() if log.exists() else ""):
            assert status in (1, 2) and "Traceback" not in text, f"{fault}: {status}\n{text}"
            assert re.search(r"cannot be written: (No space left|Input/output error)", told(out, text)), (fault, text)
            survived += 1
        else:
            assert status == 0, text  # it makes no such call so often
        assert scenario.repeated(out) == expected, fault
        assert leftovers(out) == [], fault
    print(f"\n{make.__name__}: {survived} failures of the disk of {survived} survived, {CRASHES - survived} not met")


def told(out: Path, text: str) -> str:
    """What the user reads, on the screen or in error.json, to which the screen leads."""
    failures = [json.loads(path.read_text())["message"] for path in out.glob("jobs/*/error.json")]
    return "\n".join([" ".join(text.split()), *failures])
