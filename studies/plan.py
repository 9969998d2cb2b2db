"""A study on data at a scale: from parameters to the job that is a trial."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.data import Dataset, open_dataset
from benchmarks.errors import UserError
from benchmarks.plan.expansion import Plan, expand_table
from benchmarks.plan.job import BOOKKEEPING, Job, JobContext, reference
from benchmarks.plan.nested import NOTHING, flatten, leaves, lookup, merge, nest
from benchmarks.plan.resolving import make_job
from benchmarks.plan.tables import load_table
from studies.paths import check_paths, value_at
from studies.specification import Choice, StudySpec, short_name
from studies.trial import printed

Params = dict[str, Choice]
"""Values by dotted path: one point of a study."""


@dataclass(frozen=True)
class StudySettings:
    """Everything that a study was started with, as JSON-able values: what workers are told.

    Attributes:
        data: specification of the data set.
        scale: of the trials; None where the model decides.
        overrides: nested, what the user changed for all trials.
        model: folder of the finished model, of a study of thresholds.
    """

    spec: dict[str, Any]
    data: str
    scale: str | None
    protocol: str | None
    overrides: dict[str, Any]
    device: str
    model: str | None = None

    def described(self) -> dict[str, Any]:
        """The settings as JSON-able values."""
        return asdict(self)


@dataclass(frozen=True)
class TrainingPlan:
    """A study whose trials are trained.

    Attributes:
        spec: as it is at the scale.
        base: the job without any searched setting.
        fixed: nested, what the study and its table set in every trial.
        table: the plan of the benchmark table whose rows the trials are.
    """

    spec: StudySpec
    settings: StudySettings
    dataset: Dataset
    base: Job
    fixed: dict[str, Any]
    table: Plan | None
    _rows: dict[tuple[Choice, ...], Job] = field(repr=False)

    def job(self, params: Mapping[str, Choice]) -> Job:
        """The job of a point; of a table's study the very job of the table's row."""
        if self.table is not None:
            return self._rows[self._point(params)]
        return self._make(params, self.base.seed)

    def job_of_seed(self, params: Mapping[str, Choice], seed: int) -> Job:
        """The same with another seed."""
        return self.job(params).model_copy(update={"seed": seed})

    def overrides(self, params: Mapping[str, Choice]) -> dict[str, Any]:
        """All that makes a job at this scale the one of a point, nested, as `make_job` takes it."""
        return merge(merge(self.fixed, self.settings.overrides), nest(dict(params)))

    def config_of(self, params: Mapping[str, Choice]) -> dict[str, Any]:
        """The same as `--config` takes it everywhere: what was found is the method's own, the rest is for all.

        So `run` gives it to the rows of the method, in tables of several methods too.
        """
        chosen = (*self.spec.search, *self.spec.fixed)
        own: dict[str, Any] = {}
        shared: dict[str, Any] = {}
        for path, value in leaves(self.overrides(params)):
            of_method = path.startswith("model.") or (path.startswith("training.") and path in chosen)
            (own if of_method else shared)[path] = value
        return {"methods": {self.spec.method: nest(own)}, **nest(shared)}

    @property
    def defaults(self) -> Params | None:
        """The scale's own values of what is searched; None where they are not among those searched."""
        values = {path: value_at(self.base, path) for path in self.spec.search}
        return values if all(self.spec.search[path].holds(value) for path, value in values.items()) else None

    def grid(self) -> list[Params]:
        """Every point of a grid, in the order of the file."""
        choices = [search.values or [] for search in self.spec.search.values()]
        return [dict(zip(self.spec.search, point, strict=True)) for point in itertools.product(*choices)]

    @property
    def validate_every(self) -> int | None:
        """Iterations between two validations that the pruner sees; None without a pruner."""
        if self.spec.pruner is None:
            return None
        return max(1, self.base.training.iterations // self.spec.pruner.validations)

    @property
    def notes(self) -> list[str]:
        """Sentences for readers."""
        lines = [f"Each trial is a job at scale {self.scale}: {self.iterations or 'several'} iterations, seed 0."]
        if self.settings.overrides:
            changes = ", ".join(f"{path}={value}" for path, value in flatten(self.settings.overrides))
            lines.append(f"Changed from the scale's settings: {changes}.")
        if {"train_seconds", "seconds_per_iteration", "seconds_per_image"} & set(self.spec.objectives):
            lines.append(
                "Seconds are of the clock: of trials that ran beside others, on other machines or in several parts "
                "they are not alike. --jobs 1 on a quiet machine makes them so."
            )
        if self.spec.pruner:
            lines.append(
                f"Stopped early by {self.spec.pruner.kind} (one in {self.spec.pruner.reduction} goes on) on the PQ of "
                f"the first validation images, every {self.validate_every} iterations."
            )
        return lines

    cost_headings = ("training s", "parameters")

    def cost_cells(self, costs: Mapping[str, float | None]) -> list[str]:
        """What a trial's job cost, below `cost_headings`."""
        seconds, parameters = costs.get("train_seconds"), costs.get("parameters")
        return [f"{seconds:.0f}" if seconds is not None else "", f"{parameters / 1e6:.2f} M" if parameters else ""]

    @property
    def scale(self) -> str:
        """The scale of all trials."""
        return self.base.scale

    @property
    def iterations(self) -> int:
        """Iterations of a trial; 0 where trials differ."""
        return 0 if "training.iterations" in self.spec.search else self.base.training.iterations

    @property
    def threads(self) -> int | None:
        """CPU threads of a trial; None on an accelerator."""
        return self.base.training.threads

    @property
    def validations(self) -> int:
        """Validations of a whole trial, as the pruner counts them."""
        return self.base.training.iterations // (self.validate_every or self.base.training.validate_every)

    @property
    def digest(self) -> str:
        """Sixteen hex digits that change when trials could not be compared any more."""
        return digest(self.spec, {"base": self.base.key})

    def label(self, job: Job, params: Mapping[str, Choice]) -> str:
        """What to call a trial's job: as the table's row where it is one."""
        if self.table is not None:
            return next(planned.label for planned in self.table.jobs if planned.job.key == job.key)
        settings = ", ".join(f"{short_name(path)} {printed(value)}" for path, value in params.items())
        return f"{self.spec.name}: {settings}"

    def _point(self, params: Mapping[str, Choice]) -> tuple[Choice, ...]:
        return tuple(params[path] for path in self.spec.search)

    def _make(self, params: Mapping[str, Choice], seed: int) -> Job:
        overrides = self.overrides(params)
        if self.validate_every is not None:
            overrides = merge(overrides, {"training": {"validate_every": self.validate_every}})
        return _job(self.spec, self.settings, self.dataset, overrides, seed)


def digest(spec: StudySpec, facts: Mapping[str, Any]) -> str:
    """Hash what a study searches and on what; its title and its budget do not matter."""
    content = spec.model_dump(mode="json", exclude={"title", "trials", "scale", "scales"}) | {"facts": facts}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def plan_training(spec: StudySpec, settings: StudySettings, dataset: Dataset | None = None) -> TrainingPlan:
    """Resolve a study and check every setting it names.

    Args:
        spec: as its file has it; what it changes at the scale is applied here.
        dataset: open already; None opens the one that `settings` names.

    Raises:
        UserError: a setting that does not exist, a value out of its range, a wish that the study would undo, or a
            grid that is not the table it names.
    """
    dataset = dataset or open_dataset(settings.data)
    assert settings.scale is not None
    spec = spec.at(settings.scale)
    _refuse_undone(spec, settings.overrides)
    fixed = _fixed(spec, settings.scale)
    shared = merge(fixed, settings.overrides)
    base = _job(spec, settings, dataset, shared, seed=0)
    check_paths(spec, base, lambda params: _job(spec, settings, dataset, merge(shared, nest(dict(params))), seed=0))
    _refuse_bookkeeping(spec)
    table, rows = None, {}
    if spec.table is not None:
        table = expand_table(
            load_table(spec.table),
            JobContext.on(dataset, scale=settings.scale, protocol=settings.protocol, device=settings.device),
            seeds=1,
            overrides=settings.overrides,
        )
        rows = _table_rows(spec, table)
    return TrainingPlan(spec, settings, dataset, base, fixed, table, rows)


def study_folder(out: Path, name: str) -> Path:
    """Where a study keeps what is not a job's."""
    return out / "studies" / name


def _fixed(spec: StudySpec, scale: str) -> dict[str, Any]:
    """What a study sets in every trial, nested: its table's settings, then its own."""
    table = load_table(spec.table) if spec.table else None
    of_table = {**table.scales.get(scale, {}), **table.fixed} if table else {}
    return merge({"model": nest(of_table)} if of_table else {}, nest(dict(spec.fixed)))


def _job(spec: StudySpec, settings: StudySettings, dataset: Dataset, overrides: Mapping[str, Any], seed: int) -> Job:
    assert settings.scale is not None
    return make_job(
        spec.method,
        JobContext(
            reference(dataset),
            split=dataset.evaluation_split,
            scale=settings.scale,
            protocol=settings.protocol or dataset.protocol,
            device=settings.device,
        ),
        seed=seed,
        overrides=overrides,
    )


def _table_rows(spec: StudySpec, plan: Plan) -> dict[tuple[Choice, ...], Job]:
    """The table's jobs by the values of what is searched."""
    if plan.table.method != spec.method:
        raise UserError(f"study {spec.name} is of {spec.method}, but {plan.table.name} is not.")
    columns = sorted(f"model.{column.path}" for column in plan.table.columns)
    if columns != sorted(spec.search):
        raise UserError(f"study {spec.name} has to search what {plan.table.name} varies: {', '.join(columns)}.")
    rows: dict[tuple[Choice, ...], Job] = {}
    for planned in plan.jobs:
        overrides = plan.table.rows[planned.row - 1].overrides
        rows[tuple(overrides[path.removeprefix("model.")] for path in spec.search)] = planned.job
    grid = set(itertools.product(*(search.values or [] for search in spec.search.values())))
    if differing := sorted(map(str, grid ^ set(rows))):
        raise UserError(
            f"study {spec.name} and {plan.table.name} differ in {differing[0]}: the grid has to be its rows."
        )
    return rows


def _refuse_undone(spec: StudySpec, overrides: Mapping[str, Any]) -> None:
    """Refuse overrides of what the study sets itself."""
    for path in (*spec.search, *spec.fixed):
        if lookup(overrides, path, NOTHING) is not NOTHING:
            raise UserError(f"{path} is what the study {spec.name} sets itself; it cannot be overridden.")
    if spec.pruner and lookup(overrides, "training.validate_every", NOTHING) is not NOTHING:
        raise UserError(f"training.validate_every follows from the pruner of the study {spec.name}.")


def _refuse_bookkeeping(spec: StudySpec) -> None:
    for path in spec.search:
        section, _, name = path.partition(".")
        if name in BOOKKEEPING.get(section, ()):
            raise UserError(f"study {spec.name} searches {path}, which has no effect on the result.")
        if spec.pruner and path == "training.iterations":
            raise UserError(f"study {spec.name}: a pruner compares trials of equal length; do not search {path}.")
