"""`pctrans-bench … | head -1`: who prints for nobody ends, and is no failure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SMALL = ("--data", "synthetic-nuclei?size=64&train=2&val=1&test=1", "--scale", "smoke", "--device", "cpu")


def piped(*arguments: str, lines: int) -> tuple[int, str]:
    """Exit status and standard error of a command whose reader goes after some lines."""
    command = [sys.executable, "-m", "benchmarks.cli", *arguments]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as run:
        assert run.stdout and run.stderr
        for _ in range(lines):
            run.stdout.readline()
        run.stdout.close()
        return run.wait(timeout=300), run.stderr.read()


@pytest.mark.parametrize("arguments", [("list", "tables"), ("data", "check", SMALL[1])])
def test_a_command_without_a_reader_ends_in_silence(arguments: tuple[str, ...]) -> None:
    assert piped(*arguments, lines=0) == (141, "")


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_jobs_without_a_reader_have_not_failed_and_go_on(tmp_path: Path, jobs: str) -> None:
    run = ("run", "table4", *SMALL, "--rows", "1,2,3", "--seeds", "1", "--jobs", jobs, "--out", str(tmp_path))
    status, said = piped(*run, lines=1)
    assert status == 141 and "Traceback" not in said
    assert not list(tmp_path.glob("jobs/*/error.json"))
    again = subprocess.run([sys.executable, "-m", "benchmarks.cli", *run], capture_output=True, text=True, timeout=300)
    assert again.returncode == 0, again.stdout + again.stderr
    assert len([json.loads(path.read_text()) for path in tmp_path.glob("jobs/*/result.json")]) == 3
