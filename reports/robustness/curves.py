"""The picture of robustness: PQ against strength, a panel a kind, a curve a row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from benchmarks.files import atomic_path
from benchmarks.robustness import KINDS, STRENGTHS
from reports.pictures import CAPTION
from reports.robustness.measured import MeasuredTable

DPI = 200
LINES = ("-", "--", ":", "-.")
CURVES_CAPTION = (
    "PQ on test images made worse, by strength (0: as they are); below each strength its parameter. Bands: standard "
    "deviation over seeds."
)


def draw_curves(table: MeasuredTable, path: Path) -> str:
    """Draw a curve for each row into a PNG; return the picture's caption."""
    rows, colours = table.examined, colormaps["tab10"].colors  # type: ignore[attr-defined]
    legend_inches = 0.17 * -(-len(rows) // 2) + 0.1
    figure = Figure(figsize=(7.2, 4.6 + legend_inches), dpi=DPI)
    panels = figure.subplots(2, 2, sharey=True).ravel()
    for kind, axes in zip(KINDS.values(), panels, strict=True):
        for place, row in enumerate(rows):
            curve = row.curve(kind.name)
            means, spreads = (np.array(of) for of in zip(*((one.mean, one.std or 0.0) for one in curve), strict=True))
            colour, line = colours[place % len(colours)], LINES[place // len(colours) % len(LINES)]
            label = f"{row.row.number}: {row.row.label}"
            axes.plot((0, *STRENGTHS), means, line, color=colour, linewidth=1.2, marker=".", markersize=4, label=label)
            axes.fill_between((0, *STRENGTHS), means - spreads, means + spreads, color=colour, alpha=0.15, linewidth=0)
        ticks = ["0", *(f"{n}\n{kind.parameters[n - 1]:g}" for n in STRENGTHS)]
        axes.set_xticks((0, *STRENGTHS), ticks)
        axes.set_title(f"{kind.name}: {kind.unit}", fontsize=7)
        axes.tick_params(labelsize=7, length=2)
        axes.set_ylim(0, 1)
        axes.grid(alpha=0.25, linewidth=0.5)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[::2]:
        axes.set_ylabel("PQ", fontsize=7)
    handles, labels = panels[0].get_legend_handles_labels()
    shown = figure.legend(handles, labels, loc="lower center", ncols=2, fontsize=6.5, frameon=False)
    for text in shown.get_texts():
        text.set_parse_math(False)
    figure.tight_layout(rect=(0, legend_inches / (4.6 + legend_inches), 1, 1))
    with atomic_path(path) as temporary:
        figure.savefig(temporary, metadata={"Software": None, CAPTION: CURVES_CAPTION})
    return CURVES_CAPTION
