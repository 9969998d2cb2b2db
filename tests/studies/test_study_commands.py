"""The command as a whole: parallel, killed, continued, joined."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import yaml
from optuna.trial import TrialState
from study_commands import PATIENCE, count, kill_all, start, trials, wait_for, workers_of
from tiny_study import DATA, TINY

pytestmark = pytest.mark.slow

SMOKE = ("--scale", "smoke", "--data", DATA)


def test_a_grid_that_is_killed_ends_with_every_point_once(tmp_path: Path) -> None:
    """SIGKILL to everything after the fourth trial; the same command goes on."""
    first = start(tmp_path, "temperatures", *SMOKE, "--jobs", "2")
    wait_for(lambda: count(trials(tmp_path, "temperatures"), TrialState.COMPLETE) >= 4, tmp_path)
    kill_all(first)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("jobs/*/result.json")}
    assert 4 <= len(before) < 9
    second = start(tmp_path, "temperatures", *SMOKE, "--jobs", "2")
    assert second.wait(PATIENCE) == 0, (tmp_path / "log").read_text()[-3000:]
    found = trials(tmp_path, "temperatures")
    assert [trial.state for trial in found] == [TrialState.COMPLETE] * 9
    assert len({tuple(sorted(trial.params.items())) for trial in found}) == 9
    results = {path: path.stat().st_mtime_ns for path in tmp_path.glob("jobs/*/result.json")}
    assert len(results) == 9
    assert before.items() <= results.items()  # what was done was not done again
    for name in ("report.html", "best.yaml", "history.png", "map.png", "coordinates.png"):
        assert (tmp_path / "studies" / "temperatures" / name).stat().st_size > 100
    assert r"\begin{tabular}" in (tmp_path / "reports" / "table5.tex").read_text()


def test_two_commands_share_a_study_and_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY | {"trials": 8}))
    out = tmp_path / "out"
    commands = [start(out, str(path), *SMOKE, "--jobs", "2"), start(out, str(path), *SMOKE, log="other")]
    wait_for(lambda: workers_of(commands[0]), out)
    victim = workers_of(commands[0])[0]
    os.kill(victim, signal.SIGKILL)
    for command in commands:
        assert command.wait(PATIENCE) == 0, (out / "log").read_text()[-3000:]
    found = trials(out, "tiny")
    assert [trial.state for trial in found] == [TrialState.COMPLETE] * 8
    assert sum(trial.user_attrs.get("deaths", 0) for trial in found) == 1
    assert len({trial.user_attrs["key"] for trial in found}) == 8


def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(tmp_path: Path) -> None:
    command = start(tmp_path, "mask-channels", *SMOKE)
    wait_for(lambda: count(trials(tmp_path, "mask-channels"), TrialState.RUNNING) == 1, tmp_path)
    command.send_signal(signal.SIGINT)
    assert command.wait(PATIENCE) == 130
    said = (tmp_path / "log").read_text()
    assert "the same command goes on" in said
    assert count(trials(tmp_path, "mask-channels"), TrialState.RUNNING, TrialState.FAIL) == 0
    assert count(trials(tmp_path, "mask-channels"), TrialState.WAITING) >= 2
