"""`pctrans-bench labels`: a table with parts of the training images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.executor_choice import ExecutorChoice
from benchmarks.cli.option_groups import grouped, without
from benchmarks.cli.options import TableOptions, TrackingUri

SHARES = "1/8,1/4,1/2,1"


@grouped
def labels(
    *,
    table: Annotated[str, typer.Argument(help="A table, such as table1; `list tables` shows them.")],
    tables: Annotated[TableOptions, without("external")],
    shares: Annotated[str, typer.Option("--shares", help="Shares of the training images.")] = SHARES,
    draws: Annotated[
        int, typer.Option("--draws", min=1, help="Choices of images for each share below 1; seeds are run for each.")
    ] = 1,
    tracking_uri: TrackingUri = None,
    executor: ExecutorChoice,
) -> None:
    """Train and test a table with 1/8, 1/4, 1/2 and all of the training images, and draw a curve for each row.

    Each share is a results folder of its own in OUT, such as OUT/train-1-8; smaller ones are parts of larger ones. The
    same command continues.
    """
    from benchmarks.cli.commands.run import run_experiments
    from benchmarks.cli.experiments import RunRequest, plan_all
    from benchmarks.cli.job_runner import choose_job_device
    from benchmarks.links import refuse_linked_folders, refuse_outside
    from benchmarks.machine.terminal import text_console
    from benchmarks.plan.tables import load_table
    from benchmarks.store.several_data import refuse_several
    from reports.labels import collect_labels, label_grid, write_label_reports

    refuse_several(tables.out)
    options, console = executor.options(), text_console(highlight=False)
    request = RunRequest.read(tables, choose_job_device(tables.device, options))
    spec = request.data or load_table(table).generated
    folders: list[Path] = []
    failed = 0
    for name, part in _parts(spec, shares, draws).items():
        folders.append(tables.out / name)
        refuse_outside(folders[-1], tables.out)
        refuse_linked_folders(folders[-1])
        console.print(f"{name}: {part}", style="bold", soft_wrap=True)
        with console.status("checking the data"):
            experiments = plan_all([table], replace(request, data=part))
        failed += run_experiments(console, experiments, folders[-1], request.device, options, tracking_uri)
    found = collect_labels(folders, table)
    paths = write_label_reports(found, tables.out)
    headings, lines = label_grid(found)
    for line in (headings, *lines):
        console.print("  ".join(line), soft_wrap=True)
    for title, path in (("Markdown", paths.markdown), ("CSV", paths.csv), ("picture", paths.picture)):
        console.print(f"{title:>9}  {path}", soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def _parts(spec: str, shares: str, draws: int) -> dict[str, str]:
    """Return the spec of each share and draw by the name of its folder.

    Raises:
        UserError: shares that cannot be read, or a spec that names one already.
    """
    from benchmarks.data.opening import training_share_of
    from benchmarks.data.training_share import TrainingShare, parse_share
    from benchmarks.errors import UserError

    if not training_share_of(spec).whole:
        raise UserError(f"--data {spec} names a share of the training images: leave it to --shares.")
    parts = {}
    for share in sorted({parse_share(text.strip(), "--shares") for text in shares.split(",")}):
        for draw in range(1 if share == 1 else draws):
            part = TrainingShare(share, draw)
            name = f"train-{str(share).replace('/', '-')}" + (f"-draw-{draw}" if draw else "")
            parts[name] = spec + (f"{'&' if '?' in spec else '?'}{part.option()}" if part.option() else "")
    return parts
