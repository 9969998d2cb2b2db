"""Score the stored predictions of one job under every variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.data import Dataset, open_dataset, read_labels
from benchmarks.errors import UserError
from benchmarks.metrics import ContingencyTable, contingency_table
from benchmarks.metrics.derived import pool, within_foreground
from benchmarks.protocol.variants import FAMILIES, OWN, Variant

POOLED = "pooled"
"""The name in place of an image's where a figure is of all images."""

# A change of one pixel moves Dice by more, in the largest image that is read (2^27 pixels).
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Score:
    """One figure of one image, or of all images pooled.

    Attributes:
        image: id of the image, or `POOLED`.
        variant: name of the variant.
        metric: name of the metric whose variant it is.
    """

    image: str
    variant: str
    metric: str
    value: float


def open_decodings(spec: str, decoding: str) -> dict[str, Dataset]:
    """Open the data set in this decoding, which comes first, and in every other that it has.

    Raises:
        UserError: as `open_dataset` raises it.
    """
    own = open_dataset(spec, decoding=decoding)
    path, _, _ = spec.partition("?")
    others = [other for other in own.decodings if other != decoding]
    return {decoding: own} | {other: open_dataset(path, decoding=other) for other in others}


def rescore(predictions: Path, datasets: Mapping[str, Dataset], split: str, variants: Sequence[Variant]) -> list[Score]:
    """Score <id>.tif of every image of a split under every variant; each file is read once.

    Args:
        datasets: data sets by decoding, the job's first; see `open_decodings`.

    Raises:
        UserError: a prediction is missing, damaged or of another size than its truth, or there is no truth.
    """
    own, *_ = datasets
    scores: list[Score] = []
    tables: dict[str, list[ContingencyTable]] = {variant.name: [] for variant in variants if variant.pooled}
    for id in datasets[own].ids(split):
        of_image = _tables(predictions / f"{id}.tif", datasets, id)
        for variant in variants:
            table = of_image[variant.decoding or own, variant.foreground]
            if variant.pooled:
                tables[variant.name].append(table)
            else:
                scores += _scored(id, variant, table)
    for variant in variants:
        if variant.pooled:
            scores += _scored(POOLED, variant, pool(tables[variant.name]))
    return scores


def disagreement(scores: Sequence[Score], images: Sequence[Mapping[str, Any]]) -> str | None:
    """Say how this project's own figures differ from those that the job stored; None where they are the same.

    A difference means that a prediction, the data or the code changed after the job was scored.

    Args:
        images: `id` and metrics of each image, as in result.json.
    """
    stored = {str(image.get("id")): image for image in images}
    found = {(score.image, score.metric): score.value for score in scores if score.variant == OWN.name}
    if unknown := sorted(set(stored) ^ {image for image, _ in found}):
        return f"image {unknown[0]} is in only one of result.json and the data"
    for (image, metric), value in found.items():
        before = stored[image].get(metric)
        if not isinstance(before, int | float) or not abs(before - value) <= _ROUNDING * max(1, abs(value)):
            return f"{metric} of image {image} is {value:.6g}, but result.json says {before}"
    return None


def _tables(path: Path, datasets: Mapping[str, Dataset], id: str) -> dict[tuple[str, bool], ContingencyTable]:
    """Count the tables by decoding and by whether the prediction is cut to the truth's foreground."""
    prediction = read_labels(path)
    tables = {}
    for decoding, dataset in datasets.items():
        truth = dataset.load(id).labels
        if truth is None:
            raise UserError(f"{dataset.spec} has no public truth for {id}")
        try:
            table = contingency_table(truth, prediction)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
        tables[decoding, False], tables[decoding, True] = table, within_foreground(table)
    return tables


def _scored(image: str, variant: Variant, table: ContingencyTable) -> list[Score]:
    return [
        Score(image, variant.name, metric, variant.metrics[metric](table))
        for metric in FAMILIES
        if metric in variant.metrics
    ]
