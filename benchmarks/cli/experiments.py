"""Experiments: tables and figures with the jobs that they need, made from names and options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.cli.options import TableOptions, default_scale, read_overrides
from benchmarks.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.data import Dataset
    from benchmarks.figures import FigureSpec
    from benchmarks.plan.expansion import Plan, PlannedJob
    from benchmarks.tracking.several import TrackedTable

ALL = "all"
SEEDS = 3
"""Seeds of a table where the user does not say; `smoke`, which measures nothing, has one."""


@dataclass(frozen=True)
class RunRequest:
    """What the options of `run` and `show` ask for; None and empty leave the choice to tables and data."""

    data: str | None = None
    scale: str = "smoke"
    seeds: int | None = None
    rows: Sequence[int] | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    protocol: str | None = None
    device: str = "cpu"
    external: Sequence[str] = ()
    allow_unequal: bool = False

    @classmethod
    def read(cls, options: TableOptions, device: str) -> RunRequest:
        """Read the options; `device` is the one that was chosen by them.

        Raises:
            UserError: rows or settings that cannot be read.
        """
        return cls(
            data=options.data,
            scale=default_scale(options.scale),
            seeds=options.seeds,
            rows=parse_rows(options.rows),
            overrides=read_overrides(options.config, options.set_),
            protocol=options.protocol,
            device=device,
            external=options.external or (),
            allow_unequal=options.allow_unequal,
        )

    @property
    def number_of_seeds(self) -> int:
        """How many seeds a trained row has."""
        return self.seeds or (1 if self.scale == "smoke" else SEEDS)


@dataclass(frozen=True)
class Experiment:
    """A table, or a figure of some of a table's rows, with its jobs, its data and notes on labels of both."""

    name: str
    plan: Plan
    dataset: Dataset
    figure: FigureSpec | None = None
    notes: Sequence[str] = ()

    @property
    def chosen(self) -> list[PlannedJob]:
        return self.plan.chosen

    def pending(self, out: Path) -> list[PlannedJob]:
        """Return the jobs without a result."""
        from benchmarks.store.job_folder import JobFolder

        return [planned for planned in self.chosen if not JobFolder.of(planned.job, out).done]

    def save(self, out: Path, *, replace: bool = True, leaks: Sequence[str] = ()) -> None:
        """Tell reports which jobs stand for which row; a figure's jobs are told by what is computed from them.

        Args:
            replace: do so also where an earlier run told it, of fewer rows or seeds, say.
            leaks: pictures in several splits of the data, each pair in words.
        """
        from benchmarks.store.run_file import save_run

        if self.figure is None:
            save_run(self.plan, out, replace=replace, leaks=leaks)


def names_of(asked: Iterable[str]) -> list[str]:
    """Return names of tables and figures in the order asked for, each once; `all` is every one.

    Raises:
        UserError: a name that is neither.
    """
    from benchmarks.errors import suggestion
    from benchmarks.figures import list_figures
    from benchmarks.plan.tables import list_tables

    known = [*list_tables(), *list_figures()]
    names: dict[str, None] = {}
    for name in asked:
        if name != ALL and name not in known:
            raise UserError(f"There is no table or figure '{name}': {suggestion(name, [*known, ALL])}")
        names |= dict.fromkeys(known if name == ALL else [name])
    return list(names)


def plan_all(names: Sequence[str], request: RunRequest) -> list[Experiment]:
    """Make the jobs of each table and figure; each data set is opened and checked once.

    Raises:
        UserError: rows or external label maps for more than one table, or what `expand_table` refuses.
    """
    from benchmarks.figures import list_figures, load_figure
    from benchmarks.plan.tables import load_table

    figures = set(list_figures())
    if (request.rows or request.external) and (len(names) > 1 or set(names) & figures):
        raise UserError("--rows and --external are about the rows of one table: name that table alone.")
    datasets: dict[str, Dataset] = {}
    experiments = []
    for name in names:
        figure = load_figure(name) if name in figures else None
        table = load_table(figure.table if figure else name)
        spec = request.data or table.generated
        if spec not in datasets:
            datasets[spec] = _checked(spec)
        experiments.append(_experiment(name, figure, datasets[spec], request))
    return experiments


def tell_notes(console: Console, experiments: Sequence[Experiment]) -> None:
    """Say, once, what the labels of data and of external rows hold that a label map cannot."""
    for note in dict.fromkeys(note for experiment in experiments for note in experiment.notes):
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)


def _experiment(name: str, figure: FigureSpec | None, dataset: Dataset, request: RunRequest) -> Experiment:
    from benchmarks.data.annotations.contract import losses_note
    from benchmarks.figures import figure_plan
    from benchmarks.plan.expansion import expand_table
    from benchmarks.plan.external import External
    from benchmarks.plan.job import JobContext
    from benchmarks.plan.tables import load_table

    context = JobContext.on(dataset, request.scale, request.protocol, request.device)
    told = losses_note(dataset.losses.items(), dataset.spec)
    notes = [told] if told else []
    if figure:
        return Experiment(name, figure_plan(figure, context, request.overrides), dataset, figure, notes)
    external = [External.parse(text) for text in request.external]
    plan = expand_table(
        load_table(name),
        context,
        seeds=request.number_of_seeds,
        rows=request.rows,
        overrides=request.overrides,
        external=[(made.name, made.job(dataset, context)) for made in external],
        allow_unequal=request.allow_unequal,
    )
    return Experiment(name, plan, dataset, notes=[*notes, *(note for made in external for note in made.notes)])


def _checked(spec: str) -> Dataset:
    from benchmarks.data import open_dataset

    dataset = open_dataset(spec)
    dataset.validate()
    return dataset


def tracked_tables(experiments: Sequence[Experiment]) -> dict[str, TrackedTable]:
    """Return MLflow's runs with the jobs below them; a figure's are below its table's run if that is run too."""
    from benchmarks.store.run_file import RunFile
    from benchmarks.tracking.several import TrackedTable

    tables: dict[str, TrackedTable] = {}
    told: set[str] = set()
    for experiment in sorted(experiments, key=lambda one: one.figure is not None):
        keys = frozenset(planned.job.key for planned in experiment.chosen)
        parameters = RunFile.of(experiment.plan).parameters | {"table": experiment.name}
        tables[experiment.name] = TrackedTable(parameters, keys - told if experiment.figure else keys)
        told |= keys
    return tables


def refuse_other_runs(plan: Plan, out: Path) -> None:
    """Refuse to turn a table's report in `out` into one of other data, another scale or other settings.

    Raises:
        UserError: it would turn into one.
    """
    from benchmarks.store.run_file import RunFile, read_run

    before, now = read_run(out, plan.table.name), RunFile.of(plan)
    if before is None:
        return
    keys = {row.row: row.keys[:1] for row in before.rows}
    same = (before.data.fingerprint, before.scale, before.overrides) == (
        plan.data.fingerprint,
        plan.scale,
        plan.overrides,
    )
    # Settings may be given in several ways, for all or for one method: what they make tells whether they are the same.
    if not same and any(keys.get(row.row) != row.keys[:1] for row in now.rows):
        raise UserError(
            f"{out} holds {plan.table.name} on {before.data.name} at scale {before.scale} with the settings "
            f"{before.overrides or 'of that scale'}; give {plan.data.name} at scale {plan.scale} with "
            f"{plan.overrides or 'its settings'} another --out folder."
        )


def parse_rows(text: str | None) -> list[int] | None:
    """Read 1,3-5 as [1, 3, 4, 5].

    Raises:
        UserError: not numbers and ranges.
    """
    if text is None:
        return None
    try:
        numbers = set()
        for part in text.split(","):
            first, dash, last = part.partition("-")
            numbers |= set(_range(int(first), int(last if dash else first)))
    except ValueError as error:
        raise UserError(f"--rows {text}: expected numbers and ranges, such as 1,8 or 2-4.") from error
    return sorted(numbers)


def _range(first: int, last: int) -> range:
    if last < first:
        raise ValueError(f"{first}-{last} is empty")
    return range(first, last + 1)
