"""What the thresholds that were chosen on the validation split do on the test split: looked at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.files import exclusive
from benchmarks.machine.threads import computing_with
from benchmarks.metrics import METRICS
from benchmarks.metrics.scoring import mean_scores
from benchmarks.training.watcher import ImageProgress
from reports.statistics import PairedDifference, paired_difference
from studies.documents import read_document, write_document
from studies.inference.plan import InferencePlan
from studies.records import TrialRecord, best_trial

SCHEMA = 1
SHOWN = ("pq", "f1", "aji", "dice")


@dataclass(frozen=True)
class FinalLook:
    """One look at the test split.

    Attributes:
        params: thresholds that were chosen.
        default, best: rows of images under the model's own thresholds and the chosen ones.
        looks: how often the test split was looked at, this time included: each after the first is a choice that
            could have known the test.
    """

    params: dict[str, Any]
    default: list[dict[str, Any]]
    best: list[dict[str, Any]]
    looks: int

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
        best.params,
        default,
        chosen,
        before.looks + 1 if before else 1,
    )
    facts = {"split": split, "params": look.params, "looks": look.looks}
    means = {"default_metrics": mean_scores(look.default), "best_metrics": mean_scores(look.best)}
    write_document(folder / "test.json", SCHEMA, facts | means | {"default": look.default, "best": look.best})
    store.forget(split)
    return look


def read_look(path: Path) -> FinalLook | None:
    """What test.json holds; None where there is none.

    Raises:
        UserError: it is damaged.
    """
    return read_document(path, SCHEMA, _parse, "It says what the test split gave: restore it.")


def _parse(content: dict[str, Any]) -> FinalLook:
    return FinalLook(content["params"], content["default"], content["best"], int(content["looks"]))
