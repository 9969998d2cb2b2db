"""The thresholds each trained model is tested with, and what choosing them changed on the images of the choice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from benchmarks.store.result import ThresholdChoice
from reports.collect import RowResults, TableResults
from reports.costs import number

NONE = "Models are tested with the thresholds of their configuration."
_SPLITS = {"val": "validation", "train": "training"}


def threshold_table(results: TableResults) -> tuple[list[str], list[list[str]]]:
    """Make headings and a line for each job that chose: row, seed, thresholds and mean PQ before and after."""
    lines = []
    for row, seed, choice in _choices(results):
        before, after = choice.configured.pq, choice.chosen.pq
        scores = [number(before, ".4f"), number(after, ".4f"), number(after - before, "+.4f")]
        lines.append([str(row.number), row.label, str(seed), describe_values(choice.chosen.values), *scores])
    return ["#", results.spec.row_heading, "seed", "chosen", "PQ as configured", "PQ as chosen", "change"], lines


def threshold_rule(results: TableResults) -> str:
    """Explain how thresholds were chosen, for which rows, and on which images."""
    choosing = list(_choices(results))
    if not choosing:
        return NONE
    choices = [choice for _, _, choice in choosing]
    splits = {choice.split for choice in choices}
    sentences = [
        f"Each of these models chose its thresholds after training, by the same rule: of "
        f"{_either(len(choice.trials) for choice in choices)} settings (the configured one, then a Sobol sample of the "
        f"method's ranges) the one with the highest mean PQ over "
        f"{_either(choice.images for choice in choices)} images of the "
        f"{_either(_SPLITS.get(split, split) for split in splits)} split, the first of equals. These are the PQ shown; "
        "the images that are tested had no part in the choice."
    ]
    if "train" in splits:
        sentences.append("Where the validation split is the one tested, thresholds were chosen on training images.")
    rows = {row.number for row, _, _ in choosing}
    if rest := [row for row in results.rows if row.results and row.origin == "trained" and row.number not in rows]:
        sentences.append(f"Tested as configured: {', '.join(f'row {row.number} ({row.label})' for row in rest)}.")
    return " ".join(sentences)


def describe_values(values: Mapping[str, float | None]) -> str:
    """Print thresholds as "binarise 0.446, group 0.679"; a value that is left to the method is "default"."""
    return ", ".join(
        f"{name.removesuffix('_threshold').replace('_', ' ')} {'default' if value is None else f'{value:.3g}'}"
        for name, value in values.items()
    )


def _choices(results: TableResults) -> Iterator[tuple[RowResults, int, ThresholdChoice]]:
    for row in results.rows:
        for result in row.results:
            if result.thresholds is not None:
                yield row, result.seed, result.thresholds


def _either(values: Iterable[int | str]) -> str:
    return " or ".join(map(str, sorted(set(values), key=str)))
