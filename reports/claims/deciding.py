"""Whether a run could have decided what it left undecided, and what would."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.metrics import METRICS
from benchmarks.plan.tables import TableSpec
from reports.claims.specification import Close, LargestGain, NoGain, Part
from reports.claims.verdicts import PartVerdict
from reports.collect import RowResults
from reports.comparisons import Comparison
from reports.detectable import MOST_IMAGES, MOST_SEEDS, Aim, images_needed, seeds_needed, smallest
from reports.published import in_own_unit

NOTABLE = 0.005
"""Half a point of a metric from 0 to 1: what a difference is taken to be where the paper states none."""


@dataclass(frozen=True)
class Question:
    """An undecided comparison, and how large the effect is that it was to find, or the margin around none.

    Attributes:
        target: the effect or margin, in the metric's unit.
        source: what it is, for a sentence.
        found: the smallest effect or margin that the run finds with 80 % power.
    """

    comparison: Comparison
    aim: Aim
    target: float
    source: str

    @property
    def found(self) -> float:
        one = self.comparison
        return smallest(one.parts, one.images, one.seeds, one.alpha, self.aim)

    @property
    def decidable(self) -> bool:
        """Whether the run could have decided it."""
        return self.found <= self.target


def undecided_notes(parts: Sequence[PartVerdict], rows: Mapping[str, RowResults], spec: TableSpec) -> Iterator[str]:
    """Say of each undecided part whether the run could have decided it, by its hardest comparison."""
    for part in parts:
        questions = [
            question
            for comparison, verdict in part.judged()
            if verdict == "undecided" and (question := _question(part.part, comparison, rows, spec))
        ]
        if questions:
            hardest = max(questions, key=lambda question: question.found / question.target)
            others = f"{len(questions)} comparisons are undecided, the hardest first. " if len(questions) > 1 else ""
            yield others + describe(hardest)


def describe(question: Question) -> str:
    """Say in a sentence or two what the run finds, what it was to find, and how many seeds or images would."""
    one = question.comparison
    named = f"{one.better} vs {one.worse} by {METRICS[one.metric].title}"
    size = f"{one.images} image{'' if one.images == 1 else 's'} and {one.seeds} seed{'' if one.seeds == 1 else 's'}"
    what = "a difference" if question.aim == "difference" else "a margin"
    if math.isinf(question.found):
        text = f"{named}: {size} cannot find {what}, however large"
    else:
        text = f"{named}: {size} find {what} of {question.found:.4f} with 80 % power"
    asked = f"{question.source} is {question.target:.4f}"
    if question.decidable:
        return f"{text}; {asked}: this run could have decided it."
    return f"{text}; {asked}: this run could not decide it. {needed(question)}"


def needed(question: Question) -> str:
    """Say how many seeds on these images, or images under these seeds, would decide it."""
    one = question.comparison
    images = images_needed(one.parts, one.seeds, one.alpha, question.target, question.aim)
    by_images = f"{images} images" if images else f"no number of images up to {MOST_IMAGES}"
    if one.seeds == 1:
        return f"{by_images.capitalize()} would; what other trainings do is not known."
    seeds = seeds_needed(one.parts, one.images, one.alpha, question.target, question.aim)
    by_seeds = f"{seeds} seeds" if seeds else f"no number of seeds up to {MOST_SEEDS}"
    return f"On these images {by_seeds} would, under these seeds {by_images}."


def _question(part: Part, one: Comparison, rows: Mapping[str, RowResults], spec: TableSpec) -> Question | None:
    """None where nothing scatters, or it is not known how large the effect should be."""
    if not any((one.parts.image, one.parts.seed, one.parts.rest)):
        return None
    if isinstance(part, Close):
        return Question(one, "margin", part.margin, "the claim's margin")
    if isinstance(part, NoGain):
        return Question(one, "no gain", part.margin, "the claim's margin")
    claimed = None if isinstance(part, LargestGain) else _published(one, rows, spec)
    if claimed is not None and claimed > 0:
        return Question(one, "difference", claimed, "the paper's difference")
    if METRICS[one.metric].upper == 1:
        return Question(one, "difference", NOTABLE, "half a point")
    return None


def _published(one: Comparison, rows: Mapping[str, RowResults], spec: TableSpec) -> float | None:
    """The paper's difference, positive where `better` is better."""
    figures = [
        in_own_unit(rows[label].published.get(one.metric), spec.shown(one.metric)) for label in (one.better, one.worse)
    ]
    better, worse = figures
    if better is None or worse is None:
        return None
    return worse - better if METRICS[one.metric].direction == "min" else better - worse
