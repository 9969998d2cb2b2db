"""Write a comparison over data sets: Markdown, CSV and the diagrams."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.files import write_atomic
from benchmarks.metrics import METRICS
from benchmarks.store.scores import write_scores
from reports.across.collected import AcrossSets, leak_notes, only
from reports.across.diagram import draw_diagrams
from reports.across.ranks import Ranking, rank
from reports.across.sentences import sentences
from reports.markdown_text import escape, escape_cells, format_table

TOGETHER = "together"
HOW = (
    "A rank is a row's place among all rows by one image under one seed, 1 the best. Together, each data set counts "
    "once. Intervals (95 %, in brackets) are over images and seeds of these data sets; a few data sets say little "
    "about others. Rows are told apart by paired differences of scores, not of ranks: signed-rank tests over images, "
    "corrected by Holm over all pairs, and intervals of the mean difference."
)


@dataclass(frozen=True)
class AcrossPaths:
    """The paths of the reports, and the rankings by name of the data set, the last of all together."""

    markdown: Path
    csv: Path
    picture: Path
    rankings: dict[str, Ranking]


def write_across(across: AcrossSets, out: Path) -> AcrossPaths:
    """Write OUT/<table>_compare.md, .csv and .png."""
    stem = out / f"{across.spec.name}_compare"
    rankings = {one.name: rank(only(across, place)) for place, one in enumerate(across.sets)}
    said = sentences(across, rankings)
    if len(across.sets) > 1:
        rankings[TOGETHER] = rank(across)
    paths = AcrossPaths(stem.with_suffix(".md"), stem.with_suffix(".csv"), stem.with_suffix(".png"), rankings)
    caption = draw_diagrams(across.labels, rankings, paths.picture)
    headings, lines = rank_grid(across, rankings)
    parts = [
        f"# {escape(across.spec.title)}: by {METRICS[across.metric].title} on {len(across.sets)} data sets",
        "\n".join(f"- {escape(sentence)}" for sentence in (*said, *_notes(across))),
        f"![Critical-difference diagrams]({paths.picture.name})",
        escape(caption),
        "## Mean ranks",
        format_table(escape_cells([headings])[0], escape_cells(lines)),
        "## Tests",
        _tests(across, rankings),
        escape(HOW),
    ]
    write_atomic(paths.markdown, "\n\n".join(parts) + "\n")
    write_scores(_lines(across, rankings), paths.csv)
    return paths


def rank_grid(across: AcrossSets, rankings: Mapping[str, Ranking]) -> tuple[list[str], list[list[str]]]:
    """Headings, and a line for each row from the best: its mean rank on each data set and together."""
    order = list(rankings.values())[-1].order
    lines = [[across.labels[place], *(_cell(ranking, place) for ranking in rankings.values())] for place in order]
    return [across.spec.row_heading, *rankings], lines


def _cell(ranking: Ranking, place: int) -> str:
    low, high = ranking.intervals[place]
    return f"{ranking.means[place]:.2f}" + (f" [{low:.2f}, {high:.2f}]" if math.isfinite(low) else "")


def _notes(across: AcrossSets) -> list[str]:
    settings = {one.name: f"scale {one.run.scale}, seeds {len(one.run.seeds)}" for one in across.sets}
    notes = [
        f"{one.name}: {settings[one.name]}, protocol {one.protocol}, {one.scores.shape[1]} images, {one.folder}"
        for one in across.sets
    ]
    if len({one.protocol for one in across.sets}) > 1:
        notes.append("Crop, augmentation and the choice of thresholds are those of each data set's own protocol.")
    if len(set(settings.values())) > 1 or any(one.run.overrides != across.sets[0].run.overrides for one in across.sets):
        notes.append("The data sets were not run at the same scale, with the same seeds and settings.")
    notes += [f"{label} is left out: no result on {', '.join(names)}" for label, names in across.left_out.items()]
    return notes + leak_notes(across)


def _tests(across: AcrossSets, rankings: Mapping[str, Ranking]) -> str:
    lines = []
    for name, ranking in rankings.items():
        apart = sum(pair.sign != 0 for pair in ranking.pairs)
        friedman = f"; Friedman's test p = {ranking.friedman:.2g}" if math.isfinite(ranking.friedman) else ""
        lines.append(f"- {escape(name)}: {apart} of {len(ranking.pairs)} pairs told apart{friedman}")
    return "\n".join(lines)


def _lines(across: AcrossSets, rankings: Mapping[str, Ranking]) -> list[dict[str, Any]]:
    """A line for each data set and pair of rows, with both mean ranks."""
    return [
        {
            "data": name,
            "first": across.labels[pair.first],
            "second": across.labels[pair.second],
            "first_mean_rank": ranking.means[pair.first],
            "first_low": _known(ranking.intervals[pair.first].low),
            "first_high": _known(ranking.intervals[pair.first].high),
            "second_mean_rank": ranking.means[pair.second],
            "second_low": _known(ranking.intervals[pair.second].low),
            "second_high": _known(ranking.intervals[pair.second].high),
            "effect": pair.effect,
            "low": _known(pair.interval.low),
            "high": _known(pair.interval.high),
            "p_holm": pair.p_holm,
            "significant": pair.sign,
        }
        for name, ranking in rankings.items()
        for pair in ranking.pairs
    ]


def _known(value: float) -> float | str:
    return value if math.isfinite(value) else ""
