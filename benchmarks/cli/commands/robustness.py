"""`pctrans-bench robustness`: how finished models do on worse images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.options import Device, Out


def robustness(
    table: Annotated[str, typer.Argument(help="Name of a table that was run into OUT.")],
    out: Out = Path("results"),
    device: Device = "auto",
) -> None:
    """Score the saved models of a table on test images that are noised, blurred, darkened and reduced; trains nothing.

    Twenty conditions a job, each as long as its testing; scores are kept beside each result, and the same command goes
    on where this one stopped. Exit status 1 if a finished job cannot be measured.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from benchmarks.machine.environment import choose_device
    from benchmarks.machine.terminal import text_console
    from reports.collect import collect
    from reports.robustness import measure_table, summary_grid, write_robustness_reports
    from reports.robustness.writing import problem_lines, sentences

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
    headings, lines = summary_grid(measured)
    shown = Table(*headings, box=SIMPLE_HEAD)
    for line in lines:
        shown.add_row(*map(Text, line))
    shown.width = text_console(width=1000).measure(shown).maximum
    console.print(shown, crop=False)
    for sentence in (*sentences(measured), *problem_lines(measured)):
        console.print(sentence, soft_wrap=True)
    for title, path in (("Markdown", paths.markdown), ("CSV", paths.csv), ("picture", paths.picture)):
        console.print(f"{title:>9}  {path}", soft_wrap=True)
    if measured.problems:
        raise typer.Exit(1)
