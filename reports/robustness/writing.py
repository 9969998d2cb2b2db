"""What is said of robustness, as sentences and as tables of plain text for Markdown, terminal and page."""

from __future__ import annotations

import math

from benchmarks.robustness import CONDITIONS, KINDS, STRENGTHS
from reports.cells import SIGNS, Figure
from reports.robustness.measured import MeasuredTable

Grid = tuple[list[str], list[list[str]]]
DASH = "–"

HOW = (
    "The saved models segment the test images made worse: noise and blur after Hendrycks and Dietterich (2019, "
    "ImageNet-C, severities 1 to 5); dark: multiplied by the factors of its contrast, about black; small: reduced, as "
    "by a lower magnification. Images are changed after normalisation and rounded to 8 bits, the same for all rows and "
    "seeds. Nothing is trained, and no threshold is chosen again. Label maps of small images are brought back to the "
    "size of the truth (nearest), so that every point of a curve is about the same objects; that alone costs "
    "outlines. Strength 0 is the result's own figure. After ± stands the standard deviation over seeds."
)


def summary_grid(table: MeasuredTable) -> Grid:
    """A line for each row: PQ as it is and on average over all conditions, what is kept, how far from the reference."""
    mean = f"mean of {len(CONDITIONS)}"
    headings = ["#", table.spec.row_heading, "seeds", "PQ", mean, "kept", "against reference", ""]
    found = {one.better: one for one in table.against_reference()}
    lines = []
    for row in table.examined:
        one = found.get(row.row.label)
        interval = f" [{one.low:+.4f}, {one.high:+.4f}]" if one and math.isfinite(one.low) else ""
        lines.append(
            [
                str(row.row.number),
                row.row.label,
                str(len(row.jobs)),
                printed(row.clean),
                printed(row.worse),
                DASH if row.kept is None else f"{100 * row.kept:.1f} %",
                f"{one.effect:+.4f}{interval}" if one else DASH,
                SIGNS[one.sign] if one else "",
            ]
        )
    return headings, lines


def kind_grid(table: MeasuredTable, kind: str) -> Grid:
    """A line for each row: PQ at each strength."""
    parameters = KINDS[kind].parameters
    headings = ["#", table.spec.row_heading, "as it is", *(f"{n} ({parameters[n - 1]:g})" for n in STRENGTHS)]
    return headings, [
        [str(row.row.number), row.row.label, *(printed(figure) for figure in row.curve(kind))] for row in table.examined
    ]


def title(kind: str) -> str:
    """What a kind is, with its parameter."""
    return f"{kind}: {KINDS[kind].unit}"


def printed(figure: Figure | None) -> str:
    """A PQ with its spread over seeds."""
    if figure is None:
        return DASH
    return f"{figure.mean:.4f}" + ("" if figure.std is None else f" ± {figure.std:.4f}")


def sentences(table: MeasuredTable) -> list[str]:
    """What a reader should take from the curves."""
    rows = [row for row in table.examined if row.kept is not None]
    if not rows:
        return []
    clean = max(rows, key=lambda row: _mean(row.clean))
    worse = max(rows, key=lambda row: _mean(row.worse))
    most = max(rows, key=lambda row: row.kept or 0.0)
    return [
        f"Best on the images as they are: {clean.row.label} (PQ {_mean(clean.clean):.4f}).",
        f"Best on average over all conditions: {worse.row.label} (PQ {_mean(worse.worse):.4f}).",
        f"Keeps most of its own PQ: {most.row.label} ({100 * (most.kept or 0.0):.1f} %).",
    ]


def _mean(figure: Figure | None) -> float:
    return figure.mean if figure else 0.0
