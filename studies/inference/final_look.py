"""What the thresholds that were chosen on the validation split do on the test split: looked at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from benchmarks.files import exclusive
from benchmarks.machine.threads import computing_with
from benchmarks.metrics import METRICS
from benchmarks.metrics.scoring import mean_scores
from benchmarks.store.documents import Document, read_if_there, write_document
from benchmarks.training.watcher import ImageProgress
from reports.statistics import PairedDifference, paired_difference
from studies.inference.plan import InferencePlan
from studies.records import TrialRecord, best_trial

SHOWN = ("pq", "f1", "aji", "dice")


class FinalLook(Document):
    """One look at the test split: test.json."""

    version: Literal[1] = Field(1, alias="schema")
    split: str
    params: dict[str, Any]
    """The thresholds that were chosen."""
    looks: int
    """How often the test split was looked at, this time included: each after the first is a choice that could have
    known the test."""
    default_metrics: dict[str, float]
    best_metrics: dict[str, float]
    default: list[dict[str, Any]]
    """Rows of images under the model's own thresholds."""
    best: list[dict[str, Any]]
    """The same under the chosen ones."""

    def difference(self, metric: str) -> PairedDifference:
        """Chosen minus default over images, positive where the chosen ones are better."""
        sign = -1 if METRICS[metric].direction == "min" else 1
        pairs = zip(self.best, self.default, strict=True)
        return paired_difference([[sign * (best[metric] - default[metric])] for best, default in pairs])


def look_at_test(
    plan: InferencePlan, trials: Sequence[TrialRecord], folder: Path, progress: ImageProgress | None = None
) -> FinalLook | None:
    """The test split under the best trial's thresholds and the model's own; from test.json if these were tested before.

    Commands that share the study take turns.

    Returns:
        None where no trial is complete, or the data have no other split with truth than the one that chose.

    Raises:
        UserError: test.json is damaged.
    """
    best = best_trial(plan.spec, trials)
    if best is None or not plan.dataset.has_test_split:
        return None
    with exclusive(folder / "test.lock"):
        before = read_look(folder / "test.json")
        if before is not None and before.params == best.params:
            return before
        return _look(plan, best, before, folder, progress)


def _look(
    plan: InferencePlan, best: TrialRecord, before: FinalLook | None, folder: Path, progress: ImageProgress | None
) -> FinalLook:
    split = plan.dataset.evaluation_split
    plan.fill(folder, split, progress)
    store = plan.store(folder)
    with computing_with(plan.threads):
        default = store.scores(plan.dataset, split, plan.config)
        chosen = store.scores(plan.dataset, split, plan.thresholds(best.params))
    look = FinalLook(
        split=split,
        params=best.params,
        looks=before.looks + 1 if before else 1,
        default_metrics=mean_scores(default),
        best_metrics=mean_scores(chosen),
        default=default,
        best=chosen,
    )
    write_document(folder / "test.json", look)
    store.forget(split)
    return look


def read_look(path: Path) -> FinalLook | None:
    """What test.json holds; None where there is none.

    Raises:
        UserError: it is damaged.
    """
    return read_if_there(path, FinalLook, "It says what the test split gave: restore it.")
