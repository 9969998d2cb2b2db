"""The tables of an anatomy, as cells of plain text that Markdown, terminal and page each lay out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.anatomy import GROUPS
from benchmarks.metrics.mending import KINDS
from benchmarks.store.anatomy import FateCounts
from reports.anatomy.dissected import DissectedTable
from reports.anatomy.losses import Difference, Differences, RowLosses, group_fates

Grid = tuple[list[str], list[list[str]]]
"""Headings, and the cells of each line."""

MARKS = {1: "▲", 0: "", -1: "▼"}
DASH = "-"

HOW = (
    "From stored label maps; nothing was predicted again. A match has IoU > 0.5. A prediction holds a truth if it "
    "covers more than half of it, and lies in a truth if more than half of it is in there. merged: a prediction that "
    "holds several truths, and these; split: a truth in which several predictions lie, and these; localisation: a "
    "truth and a prediction that belong together with an IoU of 0.1 to 0.5; missed and spurious: what is left; "
    "boundary: what matches lack of IoU 1. What a kind costs is what mending it gains, averaged over all orders in "
    "which kinds can be mended, so that the shares of a row add up to 1 - PQ (and to 1 - AP)."
)
ALONE = "The gain if that kind alone were mended; these do not add up."
DIFFERENCES = (
    "PQ lost by the row less that lost by the reference: above 0, the row loses more to this kind. The interval is the "
    "95 % paired bootstrap interval over images and seeds; ▲ and ▼: significantly more or less, corrected over all "
    "rows and kinds. A row that matches more has more outlines to lose by."
)
FATES = (
    "Of all truths of a group, in all images and under all seeds. Quarters are by the area of all true objects of the "
    "split; touching: another truth within 2 pixels. IoU: mean of the matched."
)


def share_grid(losses: Sequence[RowLosses], heading: str) -> Grid:
    """PQ lost to each kind, in all and what distances the outlines of matches keep."""
    headings = ["#", heading, "seeds", *KINDS, "1 - PQ", "ASSD (px)", "HD95 (px)", "merges", "splits"]
    lines = [
        [
            *_row(one),
            *(_figure(one.pq[kind]) for kind in KINDS),
            _figure(one.pq_lost),
            _distance(one.assd),
            _distance(one.hd95),
            f"{one.merges:.1f}",
            f"{one.splits:.1f}",
        ]
        for one in losses
    ]
    return headings, lines


def alone_grid(losses: Sequence[RowLosses], heading: str) -> Grid:
    """PQ gained if a kind alone were mended."""
    lines = [[*_row(one), *(_figure(one.pq_alone[kind]) for kind in KINDS)] for one in losses]
    return ["#", heading, "seeds", *KINDS], lines


def ap_grid(losses: Sequence[RowLosses], heading: str) -> Grid:
    """AP lost to each kind."""
    lines = [[*_row(one), *(_figure(one.ap[kind]) for kind in KINDS), _figure(one.ap_lost)] for one in losses]
    return ["#", heading, "seeds", *KINDS, "1 - AP"], lines


def difference_grid(found: Differences, heading: str) -> Grid:
    """Every row against the reference, kind by kind."""
    headings = ["#", heading, "kind", "difference", "95 % interval", "p", "p (Holm)", "images", "seeds"]
    return headings, [_difference(one) for one in found.found]


def fate_grid(table: DissectedTable) -> Grid:
    """Fates of truths by size and by crowding."""
    fates = ("matched", "missed", "merged", "split", "localisation")
    headings = ["#", table.spec.row_heading, "truths", "number", *(f"{fate} (%)" for fate in fates), "IoU"]
    lines = []
    for row in table.rows:
        for name, counts in group_fates(row).items():
            shares = [f"{100 * getattr(counts, fate) / counts.truths:.1f}" for fate in fates]
            lines.append([str(row.row.number), row.row.label, GROUPS[name], str(counts.truths), *shares, _iou(counts)])
    return headings, lines


def sizes(table: DissectedTable) -> list[str]:
    """Say in one sentence for each data set where the quarters of sizes end."""
    found = dict.fromkeys(job.errors.quartiles for row in table.rows for job in row.jobs if job.errors.quartiles)
    return [f"Quarters of size end at {', '.join(f'{end:g}' for end in ends)} pixels." for ends in found if ends]


def summary(losses: Sequence[RowLosses], found: Differences) -> list[str]:
    """Say of each row what it loses most to, and what tells it from the reference."""
    return [_summary(one, [other for other in found.found if other.number == one.number]) for one in losses]


def _summary(one: RowLosses, compared: Sequence[Difference]) -> str:
    text = f"Row {one.number} ({one.label}) loses {_figure(one.pq_lost)} of PQ"
    if one.pq_lost > 0:
        worst = sorted(KINDS, key=lambda kind: -one.pq[kind])[:2]
        text += ", most of it to " + " and ".join(f"{kind} ({_figure(one.pq[kind])})" for kind in worst)
    told = [other for other in compared if other.sign]
    if told:
        listed = ", ".join(f"{other.effect:+.4f} to {other.kind}" for other in told)
        text += f"; significantly apart from the reference: {listed}"
    elif compared:
        text += "; to no kind significantly more or less than the reference"
    return f"{text}."


def _row(one: RowLosses) -> list[str]:
    return [str(one.number), one.label, str(one.seeds)]


def _difference(one: Difference) -> list[str]:
    interval = "unknown" if math.isnan(one.low) else f"{one.low:+.4f} to {one.high:+.4f}"
    return [
        str(one.number),
        one.label,
        one.kind,
        f"{one.effect:+.4f}{MARKS[one.sign]}",
        interval,
        f"{one.p:.2g}",
        f"{one.p_holm:.2g}",
        str(one.images),
        str(one.seeds),
    ]


def _iou(counts: FateCounts) -> str:
    return f"{counts.iou_sum / counts.matched:.3f}" if counts.matched else DASH


def _figure(value: float) -> str:
    return f"{value:.4f}"


def _distance(value: float | None) -> str:
    return DASH if value is None else f"{value:.2f}"
