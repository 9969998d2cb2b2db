"""Write the curves of label efficiency: Markdown, CSV and picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.figure import Figure as Picture

from benchmarks.files import atomic_path, write_atomic
from benchmarks.metrics import METRICS
from benchmarks.store.scores import write_scores
from reports.labels.collected import LabelTable, shown_metric
from reports.markdown_text import escape, escape_cells, format_table
from reports.pictures import CAPTION

DPI = 200
LINES = ("-", "--", ":", "-.")
HOW = (
    "Smaller shares are parts of larger ones. All are trained as many iterations and tested on the same images, and "
    "thresholds are chosen on the same validation images. After ± stands the standard deviation over seeds, and over "
    "draws of the images where there are several: with one draw it says nothing about other choices of images."
)


@dataclass(frozen=True)
class LabelPaths:
    """The paths of the reports."""

    markdown: Path
    csv: Path
    picture: Path


def write_label_reports(table: LabelTable, out: Path) -> LabelPaths:
    """Write OUT/reports/<table>_labels.md, .csv and .png."""
    stem = out / "reports" / f"{table.spec.name}_labels"
    paths = LabelPaths(stem.with_suffix(".md"), stem.with_suffix(".csv"), stem.with_suffix(".png"))
    _draw(table, paths.picture)
    headings, lines = label_grid(table)
    parts = [
        f"# {escape(table.spec.title)}: label efficiency",
        f"{METRICS[shown_metric(table)].title} by share of the training images.",
        f"![Label efficiency]({paths.picture.name})",
        format_table(escape_cells([headings])[0], escape_cells(lines)),
        escape(HOW),
        "\n".join(_gap_lines(table)),
    ]
    write_atomic(paths.markdown, "\n\n".join(part for part in parts if part) + "\n")
    write_scores(_lines(table), paths.csv)
    return paths


def _gap_lines(table: LabelTable) -> list[str]:
    """A line for each row and reason, with the shares that it is true of, and the draw where it is not the first."""
    found: dict[tuple[int, str, str], dict[str, None]] = {}  # several seeds may lack the same
    for part, row, gap in table.gaps:
        share = f"{part.share}" + (f" (draw {part.draw})" if part.draw else "")
        found.setdefault((row.number, row.label, gap.reason), {})[share] = None
    return [
        f"- Row {number} ({escape(label)}), share{'s' * (len(shares) > 1)} {', '.join(shares)}: {escape(reason)}"
        for (number, label, reason), shares in sorted(found.items())
    ]


def label_grid(table: LabelTable) -> tuple[list[str], list[list[str]]]:
    """Headings, and a line for each row: its figure with each share."""
    metric = shown_metric(table)
    display = table.spec.shown(metric)
    lines = []
    for number, label in table.labels.items():
        figures = [table.figure(number, share, metric) for share in table.shares]
        lines.append([str(number), label, *(one.printed(display) if one else "–" for one in figures)])
    return ["#", table.spec.row_heading, *map(str, table.shares)], lines


def _lines(table: LabelTable) -> list[dict[str, Any]]:
    """A line for each job, with the mean over images of every metric."""
    return [
        {
            "share": str(part.share),
            "draw": part.draw,
            "row": row.number,
            "label": row.label,
            "seed": result.seed,
            "job": result.key,
            **{name: result.metrics.get(name, "") for name in METRICS},
        }
        for part in table.parts
        for row in part.results.rows
        for result in row.results
    ]


def _draw(table: LabelTable, path: Path) -> None:
    metric, colours = shown_metric(table), colormaps["tab10"].colors  # type: ignore[attr-defined]
    legend = 0.17 * -(-len(table.labels) // 2) + 0.1
    height = 3.4 + legend
    picture = Picture(figsize=(6.0, height), dpi=DPI)
    axes = picture.add_subplot()
    for place, (number, label) in enumerate(table.labels.items()):
        found = [(float(share), one) for share in table.shares if (one := table.figure(number, share, metric))]
        shares, means = [share for share, _ in found], [one.mean for _, one in found]
        spreads = [one.std or 0.0 for _, one in found]
        line = f"{LINES[place // len(colours) % len(LINES)]}"
        style = {"color": colours[place % len(colours)], "linestyle": line, "marker": ".", "capsize": 2}
        axes.errorbar(shares, means, spreads, label=f"{number}: {label}", linewidth=1.2, **style)
    axes.set_xscale("log", base=2)
    axes.set_xticks([float(share) for share in table.shares], [str(share) for share in table.shares])
    axes.minorticks_off()
    axes.set_xlabel("share of the training images", fontsize=8)
    axes.set_ylabel(METRICS[metric].title, fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    for text in picture.legend(handles, labels, loc="lower center", ncols=2, fontsize=6.5, frameon=False).get_texts():
        text.set_parse_math(False)
    picture.tight_layout(rect=(0, legend / height, 1, 1))
    with atomic_path(path) as temporary:
        picture.savefig(temporary, metadata={"Software": None, CAPTION: HOW})
