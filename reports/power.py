"""How many seeds or images a run needs to find a difference: from results that are there, or from numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.errors import UserError
from benchmarks.metrics import METRICS
from reports.collect import TableResults
from reports.comparisons import ALPHA, against_reference
from reports.detectable import MOST_IMAGES, MOST_SEEDS, Scatter, images_needed, seeds_needed, smallest


@dataclass(frozen=True)
class Design:
    """A run that is planned.

    Attributes:
        images, seeds: of the run; with one seed, the difference is that of the networks at hand.
        family: how many comparisons are corrected together.
        effect: the difference that is to be found, in the metric's unit.
    """

    images: int
    seeds: int
    family: int
    effect: float

    @property
    def alpha(self) -> float:
        """What p has to be below, where Holm's method is strictest."""
        return ALPHA / self.family


@dataclass(frozen=True)
class Requirement:
    """What one comparison takes.

    Attributes:
        label: the row that is compared with the reference.
        detectable: the smallest difference that the design finds with 80 % power; infinite where it finds none.
        seeds: how many find the effect on the design's images; None where no number up to 32 does, or the scatter over
            seeds is not known.
        images: how many find it under the design's seeds; None where no number up to 100 000 does.
    """

    label: str
    scatter: Scatter
    design: Design
    detectable: float
    seeds: int | None
    images: int | None
    seeds_known: bool


def required(label: str, parts: Scatter, design: Design, *, seeds_known: bool = True) -> Requirement:
    """Say what a comparison with this scatter takes.

    Args:
        seeds_known: whether the scatter over seeds is known; one seed does not tell it.
    """
    seeds = seeds_needed(parts, design.images, design.alpha, design.effect) if seeds_known else None
    return Requirement(
        label=label,
        scatter=parts,
        design=design,
        detectable=smallest(parts, design.images, design.seeds, design.alpha),
        seeds=seeds,
        images=images_needed(parts, design.seeds, design.alpha, design.effect),
        seeds_known=seeds_known,
    )


def from_results(
    results: TableResults,
    metric: str,
    effect: float,
    *,
    images: int | None = None,
    seeds: int | None = None,
    family: int | None = None,
) -> list[Requirement]:
    """Plan a run of a table from its results: every row against the reference.

    Args:
        images, seeds: of the run that is planned; None for those that the rows share.
        family: how many comparisons are corrected together; None for those of the table that have results.

    Raises:
        UserError: the table is not compared by this metric, or no row can be compared.
    """
    if metric not in results.spec.metrics or METRICS[metric].direction == "none":
        known = ", ".join(name for name in results.spec.metrics if METRICS[name].direction != "none")
        raise UserError(f"{results.spec.name} compares no rows by {metric}: choose one of {known}.")
    against = against_reference(results)
    found = []
    for row in results.rows:
        if (one := against.comparisons.get((row.number, metric))) is None:
            continue
        design = Design(images or one.images, seeds or one.seeds, family or one.family, effect)
        if one.seeds == 1 and design.seeds > 1 and row.origin == "trained":
            raise UserError(
                f"The results of {results.spec.name} have one seed, which does not tell how trainings scatter: run two "
                "or more, or give --image-sd, --seed-sd and --residual-sd."
            )
        found.append(required(row.label, one.parts, design, seeds_known=one.seeds > 1))
    if not found:
        reasons = against.unpaired or (f"no row but '{against.reference.label}' has results, or that has none",)
        raise UserError(f"No row of {results.spec.name} can be compared with the reference: {' '.join(reasons)}")
    return found


def cells(one: Requirement) -> list[str]:
    """Print a requirement under `HEADINGS`."""
    parts = one.scatter
    known = f"{parts.seed:.4f}" if one.seeds_known else "unknown"
    return [
        one.label,
        f"{parts.image:.4f}",
        known,
        f"{parts.rest:.4f}" if one.seeds_known else "unknown",
        "none" if one.detectable == float("inf") else f"{one.detectable:.4f}",
        _count(one.seeds, MOST_SEEDS) if one.seeds_known else "unknown",
        _count(one.images, MOST_IMAGES),
    ]


HEADINGS = ("row", "SD images", "SD seeds", "SD rest", "detectable", "seeds needed", "images needed")


def conclusion(found: Sequence[Requirement]) -> str:
    """Say in a sentence or two whether the design finds the difference, and how many seeds would."""
    design = found[0].design
    able = sum(one.detectable <= design.effect for one in found)
    asked = f"a difference of {design.effect:g} with 80 % power"
    if able == len(found):
        return f"{_sized(design)} find {asked}{_everywhere(found)}."
    text = f"{_sized(design)} do not find {asked}"
    if len(found) > 1:
        text = f"{_sized(design)} find {asked} in {able} of {len(found)} comparisons"
    if not all(one.seeds_known for one in found):
        return f"{text}. How many seeds would is not known: one seed does not tell how trainings scatter."
    needed = [one.seeds for one in found if one.seeds is not None]
    if len(needed) == len(found):
        return f"{text}; {max(needed)} seeds on these images do{_everywhere(found)}."
    lacking = f" in {len(found) - len(needed)} of them" if len(found) > 1 else ""
    return f"{text}; on these images no number of seeds up to {MOST_SEEDS} does{lacking}."


def _everywhere(found: Sequence[Requirement]) -> str:
    return " in every comparison" if len(found) > 1 else ""


def _sized(design: Design) -> str:
    images = f"{design.images} image{'' if design.images == 1 else 's'}"
    return f"{images} and {design.seeds} seed{'' if design.seeds == 1 else 's'}"


def _count(count: int | None, most: int) -> str:
    return f"> {most}" if count is None else str(count)
