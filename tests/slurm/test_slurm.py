"""Against a real SLURM, of one node: tests/slurm/cluster.sh installs, starts and stops one.

tests/slurm/cluster.sh install
eval "$(tests/slurm/cluster.sh start /tmp/slurm)"
pytest -m slow tests/slurm
tests/slurm/cluster.sh stop /tmp/slurm
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from table_commands import RUN, finish, start, wait_for, weights


def no_slurm() -> str:
    """Why there is none; empty where there is."""
    if shutil.which("sinfo") is None:
        return "no sinfo on the PATH"
    found = subprocess.run(["sinfo", "--noheader"], capture_output=True, text=True, timeout=30)
    return "" if found.returncode == 0 and found.stdout.strip() else f"sinfo does not answer: {found.stderr.strip()}"


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(no_slurm()), reason=f"{no_slurm()}; see tests/slurm/cluster.sh"),
]

LONG = ["--set", "training.iterations=30", "--set", "training.log_every=1", "--set", "training.checkpoint_every=10"]
SLURM = ["--executor", "slurm", "--slurm-time", "60", "--slurm-memory", "2", "--slurm-cpus", "1"]


def iterations(folder: Path) -> int:
    """That losses.csv tells of."""
    try:
        return max(0, (folder / "losses.csv").read_text().count("\n") - 1)
    except OSError:
        return 0


def starts(folder: Path) -> int:
    return (folder / "output.log").read_text().count("--- 2")


def job_id(folder: Path) -> str:
    return json.loads((folder / "slurm.json").read_text())["id"]


def in_queue() -> list[str]:
    command = ["squeue", "--me", "--noheader", "--array", "--format=%i"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def keys(out: Path) -> list[str]:
    """Of rows 1, 2, …"""
    return json.loads((out / "runs" / "table4.json").read_text())["jobs"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Results of rows 1 and 2 of one process."""
    out = tmp_path_factory.mktemp("undisturbed")
    finish(start(*RUN, *LONG, "--rows", "1-2", "--out", out))
    return weights(out)


def test_preempted_and_requeued_jobs_end_as_if_undisturbed(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    """Row 1 is told that it will be pre-empted, row 2 is requeued without a word, row 3 is killed."""
    process = start(*RUN, *LONG, *SLURM, "--rows", "1-3", "--max-parallel", "2", "--out", tmp_path)
    wait_for(lambda: (tmp_path / "runs" / "table4.json").exists())
    told, requeued, killed = (tmp_path / "jobs" / key for key in keys(tmp_path)[:3])

    wait_for(lambda: iterations(told) >= 3)
    subprocess.run(["scancel", "--signal=USR2", job_id(told)], check=True)
    wait_for(lambda: "stopped" in (told / "output.log").read_text())
    saved = torch.load(told / "checkpoint.pt", weights_only=True)["iteration"]
    assert saved % 10 or saved == iterations(told)  # where it was, not the last of every ten

    wait_for(lambda: iterations(requeued) >= 12)
    subprocess.run(["scontrol", "requeue", job_id(requeued)], check=True)

    wait_for(lambda: iterations(killed) >= 3)
    line = next(line for line in (killed / "output.log").read_text().splitlines() if "process" in line)
    os.kill(int(line.partition("process ")[2].split()[0]), signal.SIGKILL)

    text = finish(process, code=1)
    assert "2 done" in text and "1 failed" in text and "at most 2 at a time" in text
    assert weights(tmp_path) == undisturbed
    assert starts(told) == 2 and starts(requeued) == 2
    error = json.loads((killed / "error.json").read_text())
    assert error["type"] == "ProcessDied" and "SIGKILL" in error["message"]


def test_jobs_outlive_the_command_and_are_found_again(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    command = [*RUN, *LONG, *SLURM, "--rows", "1-2", "--max-parallel", "1", "--out", tmp_path]
    first = start(*command)
    wait_for(lambda: len(list(tmp_path.glob("jobs/*/slurm.json"))) == 2)
    ids = {job_id(path.parent) for path in tmp_path.glob("jobs/*/slurm.json")}
    first.kill()
    first.wait()
    assert ids <= set(in_queue())
    text = finish(start(*command))
    assert "submitted by an earlier command" in text and "to SLURM as" not in text
    assert weights(tmp_path) == undisturbed


def test_an_interrupt_cancels_and_the_same_command_goes_on(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    command = [*RUN, *LONG, *SLURM, "--rows", "1-2", "--max-parallel", "1", "--out", tmp_path]
    process = start(*command)
    wait_for(lambda: list(tmp_path.glob("jobs/*/checkpoint.pt")))
    ids = {job_id(path.parent) for path in tmp_path.glob("jobs/*/slurm.json")}
    process.send_signal(signal.SIGINT)
    text = finish(process, code=130)
    assert "cancelling 2 jobs" in text and "Nothing is lost" in text
    assert not ids & set(in_queue())
    finish(start(*command))
    assert weights(tmp_path) == undisturbed


def test_memory_and_time_are_what_was_asked_for(tmp_path: Path) -> None:
    process = start(*RUN, "--rows", "1", *SLURM, "--slurm-set", "comment=ours", "--out", tmp_path)
    wait_for(lambda: list(tmp_path.glob("jobs/*/slurm.json")))
    (path,) = tmp_path.glob("jobs/*/slurm.json")
    shown = subprocess.run(
        ["scontrol", "show", "job", job_id(path.parent)], capture_output=True, text=True, check=True
    ).stdout
    for piece in ("TimeLimit=01:00:00", "MinMemoryNode=2G", "CPUs/Task=1", "Comment=ours", "JobName=pctrans-bench"):
        assert piece in shown
    finish(process)
