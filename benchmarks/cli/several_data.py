"""The same tables and figures on several data sets: a results folder each below --out, and what compares them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.cli.experiments import Experiment, RunRequest
    from benchmarks.data import Dataset
    from reports.layout import Layout

_DIGITS = 8


@dataclass(frozen=True)
class DataRun:
    """What a command does on one data set.

    Attributes:
        out: its results folder.
    """

    out: Path
    experiments: list[Experiment]

    @property
    def dataset(self) -> Dataset:
        return self.experiments[0].dataset

    def describe(self) -> str:
        """The data, where its results lie, and by which protocol, which may be another for each data set."""
        protocols = {one.job.protocol for experiment in self.experiments for one in experiment.chosen}
        return f"{self.dataset.name} ({self.dataset.spec}), protocol {', '.join(sorted(protocols))}, in {self.out}"


def plan_runs(names: Sequence[str], specs: Sequence[str], request: RunRequest, out: Path) -> list[DataRun]:
    """Make the jobs of tables and figures: into `out` for at most one data set, else into a folder below it for each.

    Args:
        specs: of the data; none leaves the choice to the tables.

    Raises:
        UserError: what `plan_all` refuses, or data sets that cannot be taken together.
    """
    from benchmarks.cli.experiments import plan_all
    from benchmarks.store.several_data import refuse_several

    if len(specs) > 1:
        return _plan_on_each(names, specs, request, out)
    return [DataRun(refuse_several(out), plan_all(names, replace(request, data=specs[0] if specs else None)))]


def _plan_on_each(names: Sequence[str], specs: Sequence[str], request: RunRequest, out: Path) -> list[DataRun]:
    """Everything that could be refused is, before a job is run on any of them."""
    from benchmarks.cli.experiments import plan_all, refuse_other_runs
    from benchmarks.store.run_file import RunFile
    from reports.across import refuse_same_data

    _refuse_own_results(out)
    if request.external:
        raise UserError(
            "--external is of the images of one data set. Run each with its own label maps into another --out folder; "
            "`pctrans-bench compare FOLDER…` then takes them together."
        )
    planned = [plan_all(names, replace(request, data=spec)) for spec in specs]
    refuse_same_data([(spec, RunFile.of(of_set[0].plan)) for spec, of_set in zip(specs, planned, strict=True)])
    runs: list[DataRun] = []
    for experiments in planned:
        folder = _folder_of(experiments[0].dataset, out, {run.out.name.casefold() for run in runs})
        for experiment in experiments:
            refuse_other_runs(experiment.plan, folder)
        runs.append(DataRun(folder, experiments))
    return runs


def _refuse_own_results(out: Path) -> None:
    from benchmarks.store.run_file import run_tables

    if own := run_tables(out):
        raise UserError(
            f"{out} holds results of its own ({', '.join(own)}), and several data sets get a folder each below --out: "
            f"give another --out folder. `pctrans-bench compare {out} FOLDER…` compares results that are there."
        )


def _folder_of(dataset: Dataset, out: Path, taken: Collection[str]) -> Path:
    """Name the folder of a data set after it; where other data have the name already, with digits of its content."""
    from benchmarks.links import FOLDERS, refuse_linked_folders, refuse_outside

    name = re.sub(r"[^\w.-]+", "-", dataset.name).strip("-._") or "data"
    content = hashlib.sha256(f"{dataset.fingerprint} {dataset.decoding}".encode()).hexdigest()[:_DIGITS]
    if name.casefold() in {*taken, *FOLDERS} or _is_of_other_data(out / name, dataset):
        name = f"{name}-{content}"
    refuse_outside(out / name, out)
    return refuse_linked_folders(out / name)


def _is_of_other_data(folder: Path, dataset: Dataset) -> bool:
    """Tell whether a folder is of other data; the same spec with other content is not, and is refused later."""
    from benchmarks.store.run_file import read_run, run_tables

    runs = [run for table in run_tables(folder) if (run := read_run(folder, table))]
    content = (dataset.fingerprint, dataset.decoding)
    return bool(runs) and not any(
        (run.data.fingerprint, run.data.decoding) == content or run.data.spec == dataset.spec for run in runs
    )


def compare_each(console: Console, tables: Sequence[str], folders: Sequence[Path], out: Path) -> None:
    """Compare the rows of tables on several data sets and write that to OUT/reports; where it cannot be, say why."""
    from benchmarks.cli.comparison import compare_table

    for table in tables:
        try:
            compare_table(console, folders, table, None, out / "reports")
        except UserError as error:
            text = f"{table}: no comparison of the data sets. {error}"
            console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)


def report_each(
    console: Console, folders: Sequence[Path], out: Path, table: str | None, layout: Layout | None = None
) -> None:
    """Report every data set's results folder, as `report` does one, and what compares them.

    Args:
        table: None for everything.

    Raises:
        UserError: nothing was run into any folder, or not that table.
    """
    from benchmarks.cli.report_writer import report_folder, report_table
    from reports.across import shared_tables

    problems: list[UserError] = []
    for folder in folders:
        console.print(str(folder), style="bold", markup=False, highlight=False, soft_wrap=True)
        try:
            if table is None:
                report_folder(console, folder, layout=layout)
            else:
                report_table(console, folder, table, layout)
        except UserError as error:  # the command may have been interrupted before it came to this one
            problems.append(error)
            console.print(str(error), style="yellow", markup=False, highlight=False, soft_wrap=True)
    if len(problems) == len(folders):
        raise problems[0]
    if not problems:
        compare_each(console, [table] if table else shared_tables(folders), folders, out)
