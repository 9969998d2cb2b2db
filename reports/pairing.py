"""Pairing of scores by image and seed: which of them rows share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.errors import UserError
from benchmarks.plan.nested import lookup
from benchmarks.store.result import Result
from reports.collect import RowResults


def image_means(row: RowResults, metric: str) -> dict[str, float]:
    """Average each image's score over seeds, in the order of ids; only images that every seed was tested on count."""
    scores = [result.scores.get(metric, {}) for result in row.results]
    images = _shared_images(scores)
    return dict(zip(images, _table(scores, images).mean(axis=1).tolist(), strict=True)) if images else {}


def paired_scores(rows: Sequence[RowResults], metric: str) -> np.ndarray:
    """Collect the scores of rows on the images and under the seeds that all of them share.

    A row without training has one score an image, which is paired with each seed of the others.

    Returns:
        (R, N, S): rows, images, seeds.

    Raises:
        UserError: a row has no results, or the rows share no seed, no image or not the same data.
    """
    labels = " and ".join(dict.fromkeys(f"'{row.label}'" for row in rows))
    if empty := [row.label for row in rows if not row.results]:
        raise UserError(f"'{empty[0]}' has no result.")
    if len({_data(result) for row in rows for result in row.results}) > 1:
        raise UserError(f"{labels} cannot be paired: they were tested on different data.")
    seeds = [{result.seed for result in row.results} for row in rows if row.origin == "trained"]
    shared_seeds: Sequence[int | None] = sorted(set.intersection(*seeds)) if seeds else [None]
    if not shared_seeds:
        raise UserError(f"{labels} cannot be paired: they share no seed.")
    chosen = [[_result(row, seed).scores.get(metric, {}) for seed in shared_seeds] for row in rows]
    images = _shared_images([scores for of_row in chosen for scores in of_row])
    if not images:
        raise UserError(f"{labels} cannot be paired: they share no image that has a {metric}.")
    return np.stack([_table(of_row, images) for of_row in chosen])


def _data(result: Result) -> tuple[object, ...]:
    """The facts that have to agree for two images of the same id to be the same image."""
    return lookup(result.job, "data.fingerprint"), result.dataset.decoding, result.dataset.split


def _result(row: RowResults, seed: int | None) -> Result:
    if row.origin != "trained" or seed is None:
        return row.results[0]
    return next(result for result in row.results if result.seed == seed)


def _shared_images(scores: Sequence[dict[str, float]]) -> list[str]:
    return sorted(set.intersection(*map(set, scores))) if scores else []


def _table(scores: Sequence[dict[str, float]], images: Sequence[str]) -> np.ndarray:
    """Scores by image and seed, (N, S)."""
    return np.array([[of_seed[image] for image in images] for of_seed in scores]).T
