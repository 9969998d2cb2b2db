"""What the terminal says of a study."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console
from test_study_tracking import record

from studies.display import StudyDisplay, seconds_left
from studies.plan import TrainingPlan
from studies.records import TrialRecord

NOW = datetime(2026, 1, 1, 12, 0, 0)


def test_time_left() -> None:
    """Two took 10 s and 20 s, one was there before; one runs for 5 s, two wait; two at a time: (2 × 15 + 10) / 2."""
    trials = [
        _taking(record(0, "complete", values=(0.5,)), 10.0),
        _taking(record(1, "pruned"), 20.0),
        _taking(record(2, "complete", values=(0.5,)), 0.1, cached=True),
        _taking(record(3, "running"), None, started=NOW - timedelta(seconds=5)),
        record(4, "waiting"),
        record(5, "waiting"),
    ]
    assert seconds_left(trials, 2, lambda _: 0.0, NOW) == pytest.approx(20)
    assert seconds_left(trials[:4], 2, lambda _: 0.0, NOW) == pytest.approx(10), "the last one is one process's"
    assert seconds_left(trials[:3], 2, lambda _: 0.0, NOW) == 0


def test_time_left_from_the_first_trials_progress() -> None:
    running = _taking(record(0, "running"), None, started=NOW - timedelta(seconds=30))
    waiting = record(1, "waiting")
    assert seconds_left([running, waiting], 1, lambda _: 0.5, NOW) == pytest.approx(60 + 30)
    assert seconds_left([running, waiting], 1, lambda _: 0.0, NOW) is None


def test_a_log_has_a_line_for_each_trial_that_ends(tmp_path: Path, make_plan: Callable[..., TrainingPlan]) -> None:
    text = io.StringIO()
    display = StudyDisplay(Console(file=text, width=100), make_plan(), tmp_path, 1)
    before = record(0, "complete", values=(0.4,))
    with display:
        display.look([before, record(1, "running")])
        display.look([before, record(1, "failed", error="RuntimeError: no memory")])
        display.look(
            [before, record(1, "failed", error="RuntimeError: no memory"), record(2, "complete", values=(0.6,))]
        )
    assert text.getvalue().splitlines() == [
        "trial 1 (learning rate 0.002): failed: RuntimeError: no memory",
        "trial 2 (learning rate 0.003): validation PQ 0.6000",
    ]


def test_the_table_shows_states_and_the_best(tmp_path: Path, make_plan: Callable[..., TrainingPlan]) -> None:
    text = io.StringIO()
    console = Console(file=text, width=100)
    display = StudyDisplay(console, make_plan(), tmp_path, 1)
    trials = [record(0, "complete", values=(0.4,)), record(1, "complete", values=(0.7,)), record(2, "waiting")]
    console.print(display.table(trials))
    assert "2 of 3 trials, best validation PQ 0.7000 (trial 1), ETA 1 s" in text.getvalue()
    assert "waiting" not in text.getvalue()


def _taking(
    trial: TrialRecord, seconds: float | None, *, cached: bool = False, started: datetime | None = None
) -> TrialRecord:
    return TrialRecord(**{**vars(trial), "seconds": seconds, "cached": cached, "started": started})
