"""`pctrans-bench data`: fetching a published data set, and looking at data before training on it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from benchmarks.data.official import OfficialSet

data = typer.Typer(no_args_is_help=True, help="Get data, and look at it before training on it.")


@data.command()
def check(
    specs: Annotated[
        list[str], typer.Argument(metavar="DATA...", help="folder:PATH, bbbc039:PATH, synthetic-nuclei, …")
    ],
) -> None:
    """Read everything and report counts, sizes, instances and problems; of several data sets, also what they share.

    Exit status 1 if there are problems.
    """
    from benchmarks.data import check_dataset, open_dataset
    from benchmarks.data.checking import shared_pictures

    reports = []
    for spec in specs:
        reports.append(check_dataset(open_dataset(spec)))
        print(reports[-1].render() + ("\n" if len(specs) > 1 else ""))
    shared = shared_pictures(reports)
    for sentence in shared:
        print(f"problem: {sentence}")
    if shared or any(report.problems for report in reports):
        raise typer.Exit(1)


@data.command()
def fetch(
    name: Annotated[str, typer.Argument(help="bbbc039, the one set that may be had without registration.")],
    to: Annotated[Path, typer.Option("--to", help="Folder that the files shall be in; made if needed.")],
    mirror: Annotated[
        str | None, typer.Option("--from", metavar="URL", help="Where else the archives lie: URL/images.zip, …")
    ] = None,
) -> None:
    """Download a published data set and check each file by its SHA-256. The same command continues.

    Exit status 1 if the network fails or a file is not as published.
    """
    from benchmarks.cli.fetch_display import FetchDisplay
    from benchmarks.data.official import FetchError, official_set
    from benchmarks.data.official import fetch as fetch_files
    from benchmarks.machine.terminal import text_console

    official, console = official_set(name), text_console()
    try:
        with FetchDisplay(console) as display:
            fetch_files(official, to, display, mirror)
    except FetchError as error:
        print(f"Error: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    for line in _summary(official, to):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _summary(official: OfficialSet, to: Path) -> list[str]:
    """Say what is there, under which terms, and how it is used."""
    counts = ", ".join(f"{archive.name} {len(archive.files)}" for archive in official.archives)
    return [
        f"{to}: {official.title} as published, {official.count} files ({counts})",
        f"Licence: {official.licence}",
        *(f"Cite: {publication}" for publication in official.cite),
        f"Use it with --data {shlex.quote(f'{official.name}:{to}')}",
    ]
