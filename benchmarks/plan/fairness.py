"""Whether the rows of a table were given the same: data, budget and tiling."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.plan.job import Job

# Scored on the same truth, whoever made the label maps.
_SCORING: dict[str, Callable[[Job], Any]] = {
    "data": lambda job: job.data.fingerprint,
    "data.decoding": lambda job: job.data.decoding,
    "split": lambda job: job.split,
}
# Found with the same means. Losses, learning rates and inference are each method's own.
_BUDGET: dict[str, Callable[[Job], Any]] = {
    "training.crop": lambda job: job.training.crop,
    "training.batch_size": lambda job: job.training.batch_size,
    "training.iterations": lambda job: job.training.iterations,
    "training.precision": lambda job: job.training.precision,
    "training.threads": lambda job: job.training.threads,
    "testing.tile": lambda job: job.tile,
    "testing.overlap": lambda job: job.testing.overlap,
    "testing.flips": lambda job: job.testing.flips,
}
# Only asked of methods whose thresholds can be chosen. A threshold that the user fixed is the method's own.
_CHOICE: dict[str, Callable[[Job], Any]] = {
    "testing.threshold_trials": lambda job: job.testing.threshold_trials,
    "testing.threshold_images": lambda job: job.testing.threshold_images,
}
# Only asked of methods that have such a backbone; another package's may bring its own.
_BACKBONE: dict[str, Callable[[Job], Any]] = {
    "model.backbone.name": lambda job: job.model["backbone"].get("name"),
    "model.backbone.width": lambda job: job.model["backbone"].get("width"),
    "model.backbone.pretrained": lambda job: job.pretrained_digest or job.model["backbone"].get("pretrained"),
}

Labelled = Sequence[tuple[str, Job]]


@dataclass(frozen=True)
class Inequality:
    """A field in which rows differ.

    Attributes:
        field: dotted path, as `--set` takes it, or "data", "data.decoding", "split", "seeds".
        values: each value with the labels of its rows.
    """

    field: str
    values: tuple[tuple[str, tuple[str, ...]], ...]

    def describe(self) -> str:
        """One clause: "training.iterations is 600 (PCTrans) and 300 (OSFormer)"."""
        return f"{self.field} is " + " and ".join(f"{value} ({', '.join(rows)})" for value, rows in self.values)


def inequalities(jobs: Labelled) -> list[Inequality]:
    """The fields in which the jobs of a table differ and should not.

    Rows without training share data, split and decoding with the rest; trained rows also crop, batch size,
    iterations, precision, threads, augmentation, tiling, backbone and seeds, and as many trials of thresholds on as
    many images.

    Args:
        jobs: each with the label of its row; a row has a job for each seed.
    """
    trained = [(label, job) for label, job in jobs if job.trained]
    found = _compare(_SCORING, jobs)
    found += _compare(_BUDGET, trained)
    found += _compare(
        {f"augmentation.{name}": _augmentation(name) for _, job in trained for name in job.augmentation}, trained
    )
    found += _compare(_CHOICE, [(label, job) for label, job in trained if job.searched is not None])
    found += _compare(_BACKBONE, [(label, job) for label, job in trained if job.model.get("backbone")])
    return found + _seeds(trained)


def _compare(fields: Mapping[str, Callable[[Job], Any]], jobs: Labelled) -> list[Inequality]:
    found = (_differing(name, [(label, value(job)) for label, job in jobs]) for name, value in fields.items())
    return [inequality for inequality in found if inequality]


def _seeds(trained: Labelled) -> list[Inequality]:
    seeds: dict[str, set[int]] = {}
    for label, job in trained:
        seeds.setdefault(label, set()).add(job.seed)
    inequality = _differing("seeds", [(label, sorted(of_row)) for label, of_row in seeds.items()])
    return [inequality] if inequality else []


def _augmentation(name: str) -> Callable[[Job], Any]:
    return lambda job: job.augmentation.get(name)


def _differing(field: str, values: Sequence[tuple[str, Any]]) -> Inequality | None:
    rows: dict[str, dict[str, None]] = {}  # a dictionary for the labels keeps each once, in order
    for label, value in values:
        rows.setdefault(value if isinstance(value, str) else json.dumps(value), {})[label] = None
    if len(rows) < 2:
        return None
    return Inequality(field, tuple((value, tuple(labels)) for value, labels in rows.items()))
