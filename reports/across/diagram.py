"""Critical-difference diagrams (Demsar, 2006), drawn by scikit-posthocs: rows by mean rank, bars over equal ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from benchmarks.files import atomic_path
from reports.across.ranks import Ranking
from reports.pictures import CAPTION

DPI = 200
DIAGRAM_CAPTION = (
    "Mean ranks over images and seeds, 1 the best; a bar joins rows that are not told apart (signed-rank tests of "
    "paired differences, corrected by Holm over all pairs, and their intervals)."
)


def significance(labels: tuple[str, ...], ranking: Ranking) -> pd.DataFrame:
    """The matrix that scikit-posthocs draws bars by: 0 where two rows are told apart, else 1."""
    matrix = pd.DataFrame(1.0, index=list(labels), columns=list(labels))
    for pair in ranking.pairs:
        if pair.sign:
            matrix.iloc[pair.first, pair.second] = matrix.iloc[pair.second, pair.first] = 0.0
    return matrix


def draw_diagrams(labels: tuple[str, ...], rankings: Mapping[str, Ranking], path: Path) -> str:
    """Draw a diagram for each data set, and one for all, below each other into a PNG; return the caption."""
    from scikit_posthocs import critical_difference_diagram

    height = 0.9 + 0.2 * len(labels)
    figure = Figure(figsize=(7.2, height * len(rankings)), dpi=DPI)
    panels = figure.subplots(len(rankings), squeeze=False).ravel()
    for (name, ranking), axes in zip(rankings.items(), panels, strict=True):
        critical_difference_diagram(
            dict(zip(labels, ranking.means, strict=True)),
            significance(labels, ranking),
            ax=axes,
            label_fmt_left="{label} ({rank:.2f})",
            label_fmt_right="({rank:.2f}) {label}",
            label_props={"fontsize": 7, "parse_math": False},
            marker_props={"s": 14},
            elbow_props={"color": "0.3", "linewidth": 0.8},
        )
        axes.set_title(name, fontsize=8, loc="left", parse_math=False)
        axes.tick_params(labelsize=7)
    figure.tight_layout()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, metadata={"Software": None, CAPTION: DIAGRAM_CAPTION}, bbox_inches="tight")
    return DIAGRAM_CAPTION
