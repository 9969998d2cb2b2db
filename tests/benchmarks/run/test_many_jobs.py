"""Many jobs in processes, as a user meets them: kills, interrupts, failures, and two commands at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from table_commands import RUN, finish, start, wait_for, weights

pytestmark = pytest.mark.slow

LONG = ["--set", "training.iterations=100", "--set", "training.checkpoint_every=10", "--set", "training.log_every=1"]


def workers(out: Path) -> list[int]:
    """Processes that work in a folder."""
    return list(_workers(out))


def _workers(out: Path) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().decode().split("\0")
        except (OSError, UnicodeDecodeError):
            continue
        if "benchmarks.run.worker" in command and any(part.startswith(f"{out}/") for part in command):
            yield int(entry.name)


def same_as(undisturbed: dict[str, str], out: Path, jobs: int) -> bool:
    """Whether so many jobs have a result, and each the one that it has undisturbed."""
    found = weights(out)
    return len(found) == jobs and all(undisturbed[key] == value for key, value in found.items())


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Results of rows 1 to 4, run one after the other in one process."""
    out = tmp_path_factory.mktemp("undisturbed")
    command = [sys.executable, "-m", "benchmarks.cli", *RUN, *LONG, "--rows", "1-4", "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    return weights(out)


def test_processes_give_the_results_of_one(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    text = finish(start(*RUN, *LONG, "--rows", "1-3", "--jobs", "3", "--out", tmp_path))
    assert "3 jobs: 3 done." in text and same_as(undisturbed, tmp_path, 3)
    again = finish(start(*RUN, *LONG, "--rows", "1-3", "--jobs", "3", "--out", tmp_path))
    assert "3 jobs, all done before" in again


def test_a_failure_and_a_death_do_not_stop_the_others(tmp_path: Path) -> None:
    plain = [*RUN, *LONG, "--rows", "1-4", "--jobs", "2", "--out", tmp_path]
    finish(start(*plain, "--collect"))
    keys = json.loads((tmp_path / "runs" / "table4.json").read_text())["jobs"]
    damaged = tmp_path / "jobs" / keys[0]
    damaged.mkdir(parents=True)
    (damaged / "checkpoint.pt").write_bytes(b"damaged")
    process = start(*plain)
    victim = tmp_path / "jobs" / keys[1]
    wait_for(lambda: (victim / "checkpoint.pt").exists())
    (pid,) = [pid for pid in workers(tmp_path) if keys[1] in Path(f"/proc/{pid}/cmdline").read_text()]
    os.kill(pid, signal.SIGKILL)
    text = finish(process, code=1)
    assert "4 jobs: 2 failed, 2 done." in text or "4 jobs: 2 done, 2 failed." in text
    assert "SIGKILL" in json.loads((victim / "error.json").read_text())["message"]
    assert "cannot be read as a checkpoint" in json.loads((damaged / "error.json").read_text())["message"]
    assert str(victim / "output.log") in text and "SIGKILL" in text
    report = (tmp_path / "reports" / "table4.md").read_text()
    assert "SIGKILL" in report and "cannot be read as a checkpoint" in report
    (damaged / "checkpoint.pt").unlink()
    assert "4 jobs: 2 done, 2 there before." in finish(start(*plain))


def test_an_interrupt_leaves_checkpoints_and_no_process(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    command = [*RUN, *LONG, "--rows", "1-3", "--jobs", "2", "--out", tmp_path]
    process = start(*command, "--set", "training.checkpoint_every=1000")
    wait_for(lambda: len(list(tmp_path.glob("jobs/*/losses.csv"))) == 2)
    wait_for(lambda: all(path.read_text().count("\n") > 3 for path in tmp_path.glob("jobs/*/losses.csv")))
    process.send_signal(signal.SIGINT)
    text = finish(process, code=130)
    assert "Nothing is lost" in text and "3 jobs: 2 interrupted, 1 not begun." in text
    assert not workers(tmp_path)
    for path in tmp_path.glob("jobs/*/checkpoint.pt"):
        assert 3 <= torch.load(path, weights_only=True)["iteration"] < 100
    assert len(list(tmp_path.glob("jobs/*/checkpoint.pt"))) == 2
    finish(start(*command, "--set", "training.checkpoint_every=1000"))
    assert same_as(undisturbed, tmp_path, 3)


def test_two_commands_share_and_one_takes_over_from_a_killed_one(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    command = [*RUN, *LONG, "--rows", "1-4", "--jobs", "2", "--out", tmp_path]
    first, second = start(*command), start(*command)
    wait_for(lambda: len(list(tmp_path.glob("jobs/*/losses.csv"))) == 4)
    theirs = {pid for pid in workers(tmp_path) if parent_of(pid) == first.pid}
    assert len(theirs) == 2
    first.kill()
    first.wait()
    wait_for(lambda: not theirs & set(workers(tmp_path)), 60)
    assert "4 jobs: 4 done." in finish(second) and same_as(undisturbed, tmp_path, 4)
    ends = [path.read_text().splitlines().count("done") for path in tmp_path.glob("jobs/*/output.log")]
    assert ends == [1, 1, 1, 1]


def test_a_command_in_one_process_shares_too(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    command = [*RUN, *LONG, "--rows", "1-3", "--out", tmp_path]
    both = [start(*command, "--jobs", "2"), start(*command)]
    texts = [finish(process) for process in both]
    assert same_as(undisturbed, tmp_path, 3)
    assert sum(line.endswith(": done") for text in texts for line in text.splitlines()) == 3, texts
