"""Writes a table's reports beside the results they come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import UserError
from benchmarks.files import write_atomic
from reports.collect import collect
from reports.frame import to_frame
from reports.latex import document, table_fragment
from reports.markdown import table_markdown
from reports.segmentations import draw_segmentations


@dataclass(frozen=True)
class ReportPaths:
    """Where the reports of one table are."""

    tex: Path  # a fragment to \input
    document: Path  # compiles by itself, in its folder
    markdown: Path
    csv: Path
    picture: Path | None  # None where it could not be drawn
    picture_note: str  # the picture's caption, or why there is none


def write_table(out: Path, table: str) -> ReportPaths:
    """Write OUT/reports/<table>.tex, <table>_document.tex, .md, .csv and <table>_segmentations.png.

    Without the data, or without predictions, everything but the picture is written.

    Raises:
        UserError: as `reports.collect.collect`.
    """
    results = collect(out, table)
    folder = out / "reports"
    picture: Path | None = folder / f"{table}_segmentations.png"
    try:
        note = draw_segmentations(results, out, folder / f"{table}_segmentations.png")
    except UserError as error:
        picture, note = None, str(error)
    paths = ReportPaths(
        tex=folder / f"{table}.tex",
        document=folder / f"{table}_document.tex",
        markdown=folder / f"{table}.md",
        csv=folder / f"{table}.csv",
        picture=picture,
        picture_note=note,
    )
    name = picture.name if picture else None
    write_atomic(paths.tex, table_fragment(results))
    write_atomic(paths.document, document(paths.tex.name, name, note))
    write_atomic(paths.markdown, table_markdown(results, name, note))
    write_atomic(paths.csv, to_frame(results).to_csv(index=False))
    return paths
