"""Comparisons of rows, paired by image and seed and corrected in families; `reports.statistics` defines the terms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from benchmarks.errors import UserError
from benchmarks.metrics import METRICS
from reports.collect import RowResults, TableResults
from reports.detectable import Scatter, scatter, smallest
from reports.pairing import paired_scores
from reports.statistics import holm, paired_difference

ALPHA = 0.05


@dataclass(frozen=True)
class Comparison:
    """A comparison of two rows by one metric.

    Attributes:
        better, worse: labels of what is compared; the effect says which of them is better.
        effect: mean difference in the metric's own unit; positive where `better` is better, so it is `worse` less
            `better` for a metric that should be low.
        low, high: 95 % paired bootstrap interval of the effect; NaN for one image.
        p: p value of the two-sided Wilcoxon signed-rank test, not corrected.
        rank_biserial: share of signed ranks in favour of `better` less that against it, from -1 to 1.
        images, seeds: how many the rows share; seeds is 1 where neither row was trained.
        parts: how the difference scatters over images and seeds.
        p_holm: p corrected within its family; None before that.
        family: how many comparisons the family has.
    """

    better: str
    worse: str
    metric: str
    effect: float
    low: float
    high: float
    p: float
    rank_biserial: float
    images: int
    seeds: int
    parts: Scatter
    p_holm: float | None = None
    family: int = 1

    @property
    def alpha(self) -> float:
        """What p has to be below where Holm's method is strictest, which promises no more than the family keeps."""
        return ALPHA / self.family

    @property
    def detectable(self) -> float:
        """The smallest difference that these images and seeds find with 80 % power; infinite where they find none."""
        return smallest(self.parts, self.images, self.seeds, self.alpha)

    @property
    def sign(self) -> int:
        """1 where `better` is significantly better, -1 where it is significantly worse, else 0."""
        if self.p_holm is None:
            raise ValueError("a comparison is significant within its family only: correct it first")
        return significant_side(self.p_holm, self.low, self.high, self.rank_biserial)


def significant_side(p_holm: float, low: float, high: float, rank_biserial: float) -> int:
    """Tell on which side of 0 a difference is, 1 or -1; 0 where it is not significant.

    It is if the corrected p is below 0.05, and the interval and the ranks are on the same side of 0.
    """
    if p_holm >= ALPHA:
        return 0
    if low > 0 and rank_biserial > 0:
        return 1
    return -1 if high < 0 and rank_biserial < 0 else 0


def compare(better: RowResults, worse: RowResults, metric: str) -> Comparison:
    """Compare two rows by one metric, on the images and seeds they share.

    Raises:
        UserError: the rows cannot be paired (the message says why), or the metric has no better direction.
    """
    return _compare((better.label, worse.label), [better, worse], [1, -1], metric)


def compare_gains(gain: tuple[RowResults, RowResults], other: tuple[RowResults, RowResults], metric: str) -> Comparison:
    """Compare what the first of two rows gains over the second with what another pair gains.

    Raises:
        UserError: as `compare` raises it.
    """
    labels = tuple(f"{row.label} over {before.label}" for row, before in (gain, other))
    return _compare((labels[0], labels[1]), [*gain, *other], [1, -1, -1, 1], metric)


def corrected(comparisons: Iterable[Comparison]) -> tuple[Comparison, ...]:
    """Correct the comparisons of one family by Holm's method."""
    family = tuple(comparisons)
    p_values = holm([comparison.p for comparison in family])
    return tuple(replace(one, p_holm=float(p), family=len(family)) for one, p in zip(family, p_values, strict=True))


@dataclass(frozen=True)
class AgainstReference:
    """Comparisons of every row with the table's reference, on each of its metrics: one family.

    Attributes:
        reference: the row that the others are compared with.
        comparisons: comparisons by row number and metric; `better` is the row, `worse` the reference.
        unpaired: why rows with results could not be compared, one sentence for each.
    """

    reference: RowResults
    comparisons: dict[tuple[int, str], Comparison]
    unpaired: tuple[str, ...]

    def sign(self, row: RowResults, metric: str) -> int:
        """1 where the row is significantly better than the reference, -1 where it is worse, else 0."""
        found = self.comparisons.get((row.number, metric))
        return found.sign if found else 0


@lru_cache(maxsize=16)  # each report of a table asks for the same, and the bootstrap takes a second
def against_reference(results: TableResults) -> AgainstReference:
    """Compare every row that has results with the reference; Holm's correction is over rows and metrics."""
    reference = next(row for row in results.rows if row.label == results.spec.reference)
    metrics = [metric for metric in results.spec.metrics if METRICS[metric].direction != "none"]
    found: dict[tuple[int, str], Comparison] = {}
    unpaired: list[str] = []
    for row in results.rows:
        if row.results and reference.results and row.number != reference.number:
            try:
                found |= {(row.number, metric): compare(row, reference, metric) for metric in metrics}
            except UserError as error:
                unpaired.append(str(error))
    return AgainstReference(
        reference, dict(zip(found, corrected(found.values()), strict=True)), tuple(dict.fromkeys(unpaired))
    )


def _compare(
    labels: tuple[str, str], rows: Sequence[RowResults], coefficients: Sequence[int], metric: str
) -> Comparison:
    direction = METRICS[metric].direction
    if direction == "none":
        raise UserError(f"Rows cannot be compared by {metric}: neither more nor less of it is better.")
    scores = paired_scores(rows, metric)
    sign = 1 if direction == "max" else -1
    differences = sum(sign * factor * of_row for factor, of_row in zip(coefficients, scores, strict=True))
    found = paired_difference(differences)
    return Comparison(
        better=labels[0],
        worse=labels[1],
        metric=metric,
        effect=found.effect,
        low=found.interval.low,
        high=found.interval.high,
        p=found.p,
        rank_biserial=found.rank_biserial,
        images=scores.shape[1],
        seeds=scores.shape[2],
        parts=scatter(differences),
    )
