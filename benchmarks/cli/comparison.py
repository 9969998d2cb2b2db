"""Compares the rows of a table on several data sets, and says what was found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def compare_table(console: Console, folders: Sequence[Path], table: str, metric: str | None, out: Path) -> None:
    """Compare the rows of one table, say what was found, and write it to `out`.

    Args:
        metric: by default PQ.

    Raises:
        UserError: the folders cannot be compared.
    """
    from reports.across import collect_sets, rank_grid, sentences, write_across

    across = collect_sets(folders, table, metric)
    with console.status(f"comparing the rows of {table}"):
        paths = write_across(across, out)
    console.print(f"{table}: {across.spec.title}", style="bold", highlight=False, soft_wrap=True)
    headings, lines = rank_grid(across, paths.rankings)
    for line in (headings, *lines):
        console.print("  ".join(line), markup=False, highlight=False, soft_wrap=True)
    for sentence in sentences(across, dict(list(paths.rankings.items())[: len(across.sets)])):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)
    for title, path in (("Markdown", paths.markdown), ("CSV", paths.csv), ("picture", paths.picture)):
        console.print(f"{title:>9}  {path}", markup=False, highlight=False, soft_wrap=True)
