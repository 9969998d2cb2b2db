"""A study as data: what is searched, how, for how long, and what is best.

A study is a YAML file beside this module, called as the study, or a user's own.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from benchmarks.errors import UserError, suggestion
from benchmarks.metrics import METRICS
from benchmarks.plan.scales import ScaleName
from benchmarks.plan.specifications import list_names
from benchmarks.plan.tables import DottedPath
from benchmarks.plan.yaml_text import parse_yaml

STUDIES = Path(__file__).parent

StudyName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
Choice = bool | int | float | str | None
COSTS = ("train_seconds", "seconds_per_iteration", "seconds_per_image", "parameters", "flops_per_crop")
"""Costs of a job that a study may keep low, as result.json names them."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def number(value: Any) -> Any:
    """1e-4, which YAML 1.1 takes for text, as the number it is, like `--set` does; all else as it is."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return float(value)
    return value


class Search(_Frozen):
    """The values one setting may take: a list, or a range with both ends included."""

    values: list[Choice] | None = None
    low: float | None = None
    high: float | None = None
    log: bool = False
    """Draw the logarithm evenly."""
    integer: bool = False

    @field_validator("values", mode="before")
    @classmethod
    def _numbers(cls, values: Any) -> Any:
        return [number(value) for value in values] if isinstance(values, list) else values

    @model_validator(mode="after")
    def _check(self) -> Search:
        if self.values is not None:
            if (self.low, self.high, self.log, self.integer) != (None, None, False, False):
                raise ValueError("give either values or a range (low, high, log, integer), not both")
            if not self.values:
                raise ValueError("the list of values is empty")
            if any(value in self.values[:index] for index, value in enumerate(self.values)):
                raise ValueError(f"a value is listed twice: {self.values}")
            return self
        if self.low is None or self.high is None:
            raise ValueError("give values: […], or a range with low: and high:")
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ValueError("low and high have to be finite numbers")
        if not self.low < self.high:
            raise ValueError(f"the range is empty: low {self.low:g} is not below high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range needs a positive low, not {self.low:g}")
        if self.integer and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError(f"an integer range needs whole ends, not {self.low:g} and {self.high:g}")
        return self

    def examples(self) -> list[Choice]:
        """Values that have to be valid for all to be: every choice, or both ends of a range and one between."""
        if self.values is not None:
            return self.values
        assert self.low is not None and self.high is not None
        if self.integer:
            return [int(self.low), int(self.high)]
        return [self.low, self.low + (self.high - self.low) / math.pi, self.high]

    def holds(self, value: object) -> bool:
        """Whether `value` is one that may be drawn."""
        if self.values is not None:
            return value in self.values
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        assert self.low is not None and self.high is not None
        return self.low <= value <= self.high and (not self.integer or float(value).is_integer())


class Pruner(_Frozen):
    """Stops trials whose validation lags behind: after 1, r, r², … validations only the best 1 in r go on."""

    kind: Literal["halving", "hyperband"]
    """Successive halving (Jamieson and Talwalkar 2016, asynchronous), or Hyperband (Li et al. 2018), which hedges
    against stopping too early."""
    reduction: int = Field(3, ge=2)
    """r."""
    validations: int = Field(9, ge=2)
    """Validations of a trial that is not stopped, evenly over its iterations."""


class ScaleChanges(_Frozen):
    """What a study changes at one scale."""

    trials: int | None = Field(None, ge=1)
    search: dict[DottedPath, Search] = {}
    """Replaces the setting's values."""
    fixed: dict[DottedPath, Choice] = {}


class StudySpec(_Frozen):
    """A study. Settings are named by dotted path, as `--set` takes them."""

    name: StudyName
    title: str
    kind: Literal["training", "inference"] = "training"
    """"inference": thresholds of a finished model; nothing is trained."""
    method: str = "pctrans"
    table: str | None = None
    """The benchmark table whose rows are the trials; `search` has to be just its rows."""
    sampler: Literal["grid", "tpe"]
    """"grid": every combination once. "tpe": tree-structured Parzen estimator (Bergstra et al. 2011)."""
    trials: int | None = Field(None, ge=1)
    """The budget; a grid's is its size."""
    search: dict[DottedPath, Search] = Field(min_length=1)
    fixed: dict[DottedPath, Choice] = {}
    objectives: list[str] = Field(["pq"], min_length=1, max_length=2)
    """Metrics on the whole validation split, or costs of the job. The test split cannot be asked for."""
    pruner: Pruner | None = None
    seed: int = Field(0, ge=0)
    """The sampler's seed; all trials train with seed 0."""
    scale: ScaleName | None = None
    """Where the user gives none; None: as every command."""
    scales: dict[ScaleName, ScaleChanges] = {}

    @field_validator("fixed", mode="before")
    @classmethod
    def _numbers(cls, fixed: Any) -> Any:
        return {path: number(value) for path, value in fixed.items()} if isinstance(fixed, Mapping) else fixed

    @model_validator(mode="after")
    def _check(self) -> StudySpec:
        if self.sampler == "grid":
            if self.trials is not None or any(change.trials for change in self.scales.values()):
                raise ValueError("the budget of a grid is its size: leave out trials")
            if ranges := [path for path, search in self.search.items() if search.values is None]:
                raise ValueError(f"a grid needs values: […] for {ranges[0]}, not a range")
        elif self.trials is None:
            raise ValueError("give the budget, such as trials: 20")
        if self.table and self.sampler != "grid":
            raise ValueError("the trials of a table are a grid: sampler: grid")
        known = [*METRICS, *COSTS]
        if unknown := [name for name in self.objectives if name not in known]:
            raise ValueError(f"there is no objective '{unknown[0]}': {suggestion(unknown[0], known)}")
        if undirected := [name for name in self.objectives if name in METRICS and METRICS[name].direction == "none"]:
            raise ValueError(f"{undirected[0]} has no better direction")
        if self.pruner and self.objectives != ["pq"]:
            raise ValueError("a pruner watches validation PQ: objectives have to be [pq]")
        if self.kind == "inference":
            self._check_inference()
        if both := sorted(set(self.search) & set(self.fixed)):
            raise ValueError(f"{both[0]} is both searched and fixed")
        for scale, change in self.scales.items():
            if other := sorted(set(change.search) - set(self.search)):
                raise ValueError(f"scales.{scale} searches {other[0]}, which the study does not")
        return self

    def _check_inference(self) -> None:
        if self.pruner or self.table:
            raise ValueError("a study of thresholds has neither pruner nor table")
        if any(name in COSTS for name in self.objectives):
            raise ValueError("thresholds change no cost: objectives have to be metrics")
        others = [path for path in (*self.search, *self.fixed) if not path.startswith("model.inference.")]
        if others:
            raise ValueError(f"{others[0]}: a study of thresholds can change only model.inference.…")

    def at(self, scale: str) -> StudySpec:
        """The study as it is at a scale."""
        change = next((change for name, change in self.scales.items() if name == scale), ScaleChanges())
        fields = self.model_dump() | {
            "scales": {},
            "trials": change.trials or self.trials,
            "search": {**self.search, **change.search},
            "fixed": {**self.fixed, **change.fixed},
        }
        return StudySpec.model_validate(fields)

    @property
    def budget(self) -> int:
        """How many trials: a grid's are its points."""
        return self.trials or math.prod(len(search.values or ()) for search in self.search.values())

    @property
    def directions(self) -> list[Literal["maximize", "minimize"]]:
        """Optuna's name of each objective's direction."""
        return ["maximize" if maximised(name) else "minimize" for name in self.objectives]


def maximised(objective: str) -> bool:
    """Whether more is better."""
    return objective in METRICS and METRICS[objective].direction == "max"


def objective_title(objective: str) -> str:
    """What people call an objective."""
    if objective in METRICS:
        return f"validation {METRICS[objective].title}"
    return {
        "train_seconds": "training time (s)",
        "seconds_per_iteration": "s / iteration",
        "seconds_per_image": "s / image",
        "parameters": "parameters",
        "flops_per_crop": "FLOPs / crop",
    }[objective]


def short_name(path: str) -> str:
    """What people call a setting: the last part of its path, and the part before where that alone says little."""
    *before, last = path.split(".")
    return (f"{before[-1]} {last}" if before and last in ("name", "width") else last).replace("_", " ")


def shown_value(objective: str, value: float) -> str:
    """A metric to four digits; of a cost as many as matter."""
    if objective in METRICS:
        return f"{value:.4f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def list_studies() -> list[str]:
    """Names of the studies that come with the project."""
    return list_names(STUDIES)


def load_study(name: str) -> StudySpec:
    """A study by name, or by the path of a YAML file.

    Raises:
        UserError: neither a name nor a readable, valid file.
    """
    if name in list_studies():
        return read_study(STUDIES / f"{name}.yaml")
    path = Path(name).expanduser()
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return read_study(path)
    raise UserError(f"There is no study '{name}': {suggestion(name, list_studies())} A path of a YAML file works too.")


def read_study(path: Path) -> StudySpec:
    """Read and validate one study file.

    Raises:
        UserError: it cannot be read, is not YAML, or has an unknown, missing or contradictory entry; names it.
    """
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(content, Mapping):
        raise UserError(f"{path} is no study: it has to hold entries (name:, search:, …).")
    return parse_study(content, str(path))


def parse_study(content: Mapping[str, Any], source: str) -> StudySpec:
    """Validate a study.

    Args:
        source: what to call it in errors.

    Raises:
        UserError: an unknown, missing or contradictory entry; names it.
    """
    try:
        return StudySpec.model_validate(dict(content))
    except ValidationError as error:
        lines = [_problem(problem) for problem in error.errors(include_url=False)]
        raise UserError(f"{source} is not a valid study:\n" + "\n".join(dict.fromkeys(lines))) from error


def _problem(problem: Any) -> str:
    """One line of a validation error: where, what, and for an unknown entry the nearest known one."""
    parts = [str(part) for part in problem["loc"]]
    where = ".".join(parts) or "(whole)"
    if problem["type"] == "extra_forbidden":
        models: dict[str, type[BaseModel]] = {"search": Search, "pruner": Pruner, "scales": ScaleChanges}
        model = models.get(parts[0], StudySpec) if len(parts) > 1 else StudySpec
        return f"  {where}: there is no such entry; {suggestion(parts[-1], model.model_fields)}"
    if problem["type"] == "missing":
        return f"  {where}: is missing"
    return f"  {where}: {problem['msg'].removeprefix('Value error, ')}"
