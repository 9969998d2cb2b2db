"""`pctrans-bench show`: the jobs of a table or figure, before any is run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cli.options import (
    ConfigFile,
    DataOrGenerated,
    Device,
    External,
    Names,
    Out,
    ProtocolOption,
    Rows,
    Scale,
    Seeds,
    Set,
    default_scale,
    read_overrides,
)

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.cli.planning import Experiment


def show(
    names: Names,
    data: DataOrGenerated = None,
    scale: Scale = None,
    seeds: Seeds = None,
    rows: Rows = None,
    set_: Set = None,
    config: ConfigFile = None,
    external: External = None,
    protocol: ProtocolOption = None,
    device: Device = "auto",
    out: Out = Path("results"),
) -> None:
    """Print the jobs that `run` with the same options would make sure of: their keys, and which are done."""
    from rich.console import Console

    from benchmarks.cli.planning import Wanted, names_of, parse_rows, plan_all
    from benchmarks.machine.environment import choose_device

    console = Console()
    with console.status("checking the data"):
        wanted = Wanted(
            data=data,
            scale=default_scale(scale),
            seeds=seeds,
            rows=parse_rows(rows),
            overrides=read_overrides(config, set_),
            protocol=protocol,
            device=choose_device(device),
            external=external or (),
            allow_unequal=True,
        )
        experiments = plan_all(names_of(names), wanted)
    for experiment in experiments:
        show_jobs(console, experiment, out)
    show_total(console, experiments, out)


def show_jobs(console: Console, experiment: Experiment, out: Path) -> None:
    """One line a job: row, label, seed, key and state."""
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


def show_total(console: Console, experiments: list[Experiment], out: Path) -> None:
    """How many jobs there are in all, a job of several tables counted once."""
    keys = [planned.job.key for experiment in experiments for planned in experiment.chosen]
    pending = {planned.job.key for experiment in experiments for planned in experiment.pending(out)}
    shared = len(keys) - len(set(keys))
    note = f", {shared} of them shared by several and run once" if shared else ""
    console.print(f"{len(set(keys))} jobs{note}; {len(pending)} to do.", highlight=False)
