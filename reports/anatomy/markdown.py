"""The Markdown report of what each row loses to which kind of error."""

from __future__ import annotations

from collections.abc import Sequence

from reports.anatomy.dissected import DissectedTable
from reports.anatomy.losses import Differences, RowLosses
from reports.anatomy.writing import (
    ALONE,
    DIFFERENCES,
    FATES,
    HOW,
    Grid,
    alone_grid,
    ap_grid,
    difference_grid,
    fate_grid,
    share_grid,
    sizes,
    summary,
)
from reports.markdown_text import escape, escape_cells, format_table
from reports.pictures import Picture


def anatomy_markdown(
    table: DissectedTable, losses: Sequence[RowLosses], found: Differences, bars: Picture, images: Picture
) -> str:
    """Write out what each row loses, how that differs from the reference, and which truths are lost.

    Pictures are named as files beside the report.
    """
    heading = table.spec.row_heading
    parts = [f"# {escape(table.spec.title)}: what kinds of error cost", escape(HOW)]
    parts += [f"- {escape(sentence)}" for sentence in (*table.left_out, *table.missing)]
    parts += ["\n".join(f"- {escape(sentence)}" for sentence in summary(losses, found)), _picture("PQ lost", bars)]
    parts += ["## PQ lost to each kind", _table(share_grid(losses, heading))]
    if found.found:
        label = escape(found.reference.row.label) if found.reference else ""
        parts += [f"## Against {label}", escape(DIFFERENCES), _table(difference_grid(found, heading))]
    parts += [escape(sentence) for sentence in found.unpaired]
    parts += ["## If one kind were mended", escape(ALONE), _table(alone_grid(losses, heading))]
    parts += ["## AP lost to each kind", _table(ap_grid(losses, heading))]
    parts += ["## By size and crowding", escape(" ".join((FATES, *sizes(table)))), _table(fate_grid(table))]
    parts += ["## The most telling images", _picture("Errors in their colours", images)]
    return "\n\n".join(parts) + "\n"


def _table(grid: Grid) -> str:
    headings, lines = grid
    return format_table([escape(heading) for heading in headings], escape_cells(lines))


def _picture(title: str, picture: Picture) -> str:
    caption = escape(picture.caption)
    return f"![{title}]({picture.path.name})\n\n{caption}" if picture.path else caption
