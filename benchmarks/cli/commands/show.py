"""`pctrans-bench show`: the jobs of a table or figure, before any is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from benchmarks.cli.option_groups import grouped, without
from benchmarks.cli.options import Names, SeveralData, TableOptions

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.cli.experiments import Experiment


@grouped
def show(
    *,
    names: Names,
    data: SeveralData = None,
    tables: Annotated[TableOptions, without("data", "allow_unequal")],
) -> None:
    """Print the jobs that `run` with the same options would make sure of: their keys, and which are done."""
    from benchmarks.cli.experiments import RunRequest, names_of, tell_notes
    from benchmarks.cli.several_data import plan_runs
    from benchmarks.machine.environment import choose_device
    from benchmarks.machine.terminal import text_console

    console = text_console()
    with console.status("checking the data"):
        request = RunRequest.read(replace(tables, allow_unequal=True), choose_device(tables.device))
        runs = plan_runs(names_of(names), data or [], request, tables.out)
    for run in runs:
        if len(runs) > 1:
            console.print(run.describe(), style="bold", markup=False, highlight=False, soft_wrap=True)
        tell_notes(console, run.experiments)
        for experiment in run.experiments:
            show_jobs(console, experiment, run.out)
        show_left_out(console, run.experiments)
        show_total(console, run.experiments, run.out)


def show_jobs(console: Console, experiment: Experiment, out: Path) -> None:
    """Print a line a job: row, label, seed, key and state."""
    from rich.table import Table
    from rich.text import Text

    from benchmarks.store.job_folder import JobFolder

    plan, figure = experiment.plan, experiment.figure
    what = f"{figure.title} (rows of {plan.table.name})" if figure else plan.table.title
    console.print(f"{experiment.name}: {what}\n{plan.data.name}, scale {plan.scale}", markup=False, highlight=False)
    table = Table()
    for heading in ("row", "label", "seed", "key", "state"):
        table.add_column(heading, no_wrap=heading == "key")
    for planned in experiment.chosen:
        state = "done" if JobFolder.of(planned.job, out).done else "to do"
        line = [str(planned.row), planned.label, str(planned.job.seed), planned.job.key, state]
        table.add_row(*(Text(cell) for cell in line))
    console.print(table)


def show_left_out(console: Console, experiments: Sequence[Experiment]) -> None:
    """Say of each row that is not run here why it is not, once for a table and its figures."""
    said = {
        f"{plan.table.name} without row {number} ({plan.table.rows[number - 1].label}): {obstacle}."
        for plan in (experiment.plan for experiment in experiments)
        for number, obstacle in plan.left_out.items()
    }
    for sentence in sorted(said):
        console.print(sentence, style="yellow", markup=False, highlight=False, soft_wrap=True)


def show_total(console: Console, experiments: list[Experiment], out: Path) -> None:
    """Say how many jobs there are in all, a job of several tables counted once."""
    keys = [planned.job.key for experiment in experiments for planned in experiment.chosen]
    pending = {planned.job.key for experiment in experiments for planned in experiment.pending(out)}
    shared = len(keys) - len(set(keys))
    note = f", {shared} of them shared by several and run once" if shared else ""
    console.print(f"{len(set(keys))} jobs{note}; {len(pending)} to do.", highlight=False)
