"""`pctrans-bench robustness` and `calibration`: how finished models do on worse images, and whether they know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.cli.options import Device, Filled

if TYPE_CHECKING:
    from rich.console import Console


def robustness(
    table: Annotated[str, typer.Argument(help="Name of a table that was run into OUT.")],
    out: Filled = Path("results"),
    device: Device = "auto",
) -> None:
    """Score the saved models of a table on test images that are noised, blurred, darkened and reduced; trains nothing.

    Twenty conditions a job, each as long as its testing; scores are kept beside each result, and the same command goes
    on where this one stopped. Exit status 1 if a finished job cannot be measured.
    """
    from benchmarks.machine.environment import choose_device
    from benchmarks.machine.terminal import text_console
    from reports.collect import collect
    from reports.robustness import measure_table, summary_grid, write_robustness_reports
    from reports.robustness.writing import sentences

    console = text_console(highlight=False)
    results = collect(out, table)
    with console.status("making images worse") as status:
        measured = measure_table(
            results,
            out,
            choose_device(device),
            lambda what, done, conditions: status.update(f"{what}: {done} of {conditions} conditions"),
        )
        paths = write_robustness_reports(measured, out)
    written = {"Markdown": paths.markdown, "CSV": paths.csv, "picture": paths.picture}
    _show(console, summary_grid(measured), [*sentences(measured), *measured.left_out], written)
    if measured.problems:
        raise typer.Exit(1)


def calibration(
    table: Annotated[str, typer.Argument(help="Name of a table that was run into OUT.")],
    out: Filled = Path("results"),
    device: Device = "auto",
) -> None:
    """Compare the scores of a table's objects with the share of them that is right; trains nothing.

    From label maps and their scores; what was found is kept beside each result, so that the reports can be repeated
    where label maps are not. Label maps of versions that stored no scores get them from the saved model, which takes
    as long as testing. Exit status 1 if a finished job of a method that gives scores has none.
    """
    from benchmarks.machine.environment import choose_device
    from benchmarks.machine.terminal import text_console
    from reports.calibration import calibrate_table, summary_grid, write_calibration_reports
    from reports.calibration.writing import sentences
    from reports.collect import collect

    console = text_console(highlight=False)
    results = collect(out, table)
    with console.status("comparing scores") as status:
        calibrated = calibrate_table(
            results,
            out,
            choose_device(device),
            lambda what, done, images: status.update(f"{what}: {done} of {images} images"),
        )
        paths = write_calibration_reports(calibrated, out)
    written = {"Markdown": paths.markdown, "CSV": paths.csv, "bins": paths.bins, "picture": paths.picture}
    _show(console, summary_grid(calibrated), [*sentences(calibrated), *calibrated.left_out], written)
    if calibrated.problems:
        raise typer.Exit(1)


def _show(
    console: Console, grid: tuple[list[str], list[list[str]]], told: Sequence[str], written: Mapping[str, Path]
) -> None:
    """Print the table of a grid in its whole width, sentences below it, and the files that were written by title."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from benchmarks.machine.terminal import text_console

    headings, lines = grid
    shown = Table(*headings, box=SIMPLE_HEAD)
    for line in lines:
        shown.add_row(*map(Text, line))
    shown.width = text_console(width=1000).measure(shown).maximum
    console.print(shown, crop=False)
    for sentence in told:
        console.print(sentence, soft_wrap=True)
    for title, path in written.items():
        console.print(f"{title:>9}  {path}", soft_wrap=True)
