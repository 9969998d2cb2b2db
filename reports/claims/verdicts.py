"""The rule that turns the comparisons of a claim into its verdict, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from reports.claims.specification import Close, NoGain, Part
from reports.comparisons import ALPHA, Comparison

Verdict = Literal["supported", "contradicted", "undecided", "missing"]

RULE = (
    "A comparison is paired by image and seed. It is significant if its two-sided Wilcoxon signed-rank p over images, "
    f"after Holm's correction over all comparisons of its claim, is below {ALPHA}, and both its 95 % paired bootstrap "
    "interval over images and seeds and the ranks are on the same side of 0. `supported`: every comparison of the "
    "claim holds: it is significant in the claimed direction or, for parts within a margin, its whole interval is "
    "within the margin. `contradicted`: at least one is significant the other way or, for parts within a margin, "
    "significant with its whole interval beyond it. `undecided`: neither. `missing`: a job that the claim needs has no "
    "result; then there is no verdict on what happens to be there. A verdict is about these data, this scale and these "
    "seeds, not about the paper's. Each claim is a family of its own: of many claims, one in twenty may be decided by "
    "chance."
)


@dataclass(frozen=True)
class PartVerdict:
    """One part of a claim with the comparisons it rests on.

    Attributes:
        comparisons: ordered by metric and row, corrected within the claim.
        complete: whether the claim has all results it needs; if not, there is no verdict on the others.
    """

    part: Part
    comparisons: tuple[Comparison, ...]
    complete: bool

    @property
    def verdict(self) -> Verdict:
        return joint(verdict for _, verdict in self.judged())

    def judged(self) -> list[tuple[Comparison, Verdict]]:
        """Pair each comparison with its verdict by itself."""
        return [(one, _judge(self.part, one) if self.complete else "missing") for one in self.comparisons]


def joint(verdicts: Iterable[Verdict]) -> Verdict:
    """Join verdicts that all have to be supported: one that is contradicted decides; no verdict at all is missing."""
    found = set(verdicts) or {"missing"}
    order: tuple[Verdict, ...] = ("missing", "contradicted", "undecided", "supported")
    return next(verdict for verdict in order if verdict in found)


def _judge(part: Part, comparison: Comparison) -> Verdict:
    match part:
        case Close():
            inside = -part.margin < comparison.low and comparison.high < part.margin
            beyond = comparison.low > part.margin or comparison.high < -part.margin
        case NoGain():
            inside = comparison.high < part.margin
            beyond = comparison.low > part.margin
        case _:
            inside, beyond = comparison.sign > 0, comparison.sign < 0
    if inside:
        return "supported"
    return "contradicted" if beyond and comparison.sign else "undecided"
