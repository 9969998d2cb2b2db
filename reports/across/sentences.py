"""Whether the order of rows is the same on every data set, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from scipy import stats

from reports.across.collected import AcrossSets
from reports.across.ranks import Ranking


def sentences(across: AcrossSets, rankings: Mapping[str, Ranking]) -> list[str]:
    """Say which order the rows have, and which pairs change places from one data set to another.

    Args:
        rankings: of each data set by its name, in the order of `across`.
    """
    if len(across.sets) == 1:
        return ["One data set: whether the order is the same elsewhere is not known."]
    found = list(rankings.items())
    contradicted, swapped = _swaps(across.labels, [ranking for _, ranking in found])
    said = [_verdict(contradicted, swapped)]
    said += [f"Significant both ways: {pair}." for pair in contradicted]
    said += [f"Another order by mean difference, but not significant both ways: {pair}." for pair in swapped]
    for (first, one), (second, other) in combinations(found, 2):
        tau = stats.kendalltau(one.means, other.means).statistic
        said.append(f"Agreement of the mean ranks on {first} and {second}: Kendall's tau {tau:.2f} (1: the same).")
    return said


def _verdict(contradicted: Sequence[str], swapped: Sequence[str]) -> str:
    if contradicted:
        return "The order is not the same: rows are significantly better on one data set and worse on another."
    if swapped:
        return "By mean difference, rows change places between data sets, but none of them significantly on both."
    return "The order by mean difference is the same on every data set."


def _swaps(labels: Sequence[str], rankings: Sequence[Ranking]) -> tuple[list[str], list[str]]:
    """Pairs of which the first is better on one data set and worse on another: significantly so on both, or not."""
    contradicted, swapped = [], []
    for pairs in zip(*(ranking.pairs for ranking in rankings), strict=True):
        text = f"{labels[pairs[0].first]} and {labels[pairs[0].second]}"
        if {1, -1} <= {pair.sign for pair in pairs}:
            contradicted.append(text)
        elif min(pair.effect for pair in pairs) < 0 < max(pair.effect for pair in pairs):
            swapped.append(text)
    return contradicted, swapped
