"""A study of thresholds on a finished model."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ValidationError

from benchmarks.contract import Tunable
from benchmarks.data import Dataset, open_dataset
from benchmarks.errors import UserError, suggestion
from benchmarks.machine.threads import computing_with
from benchmarks.metrics.scoring import mean_scores
from benchmarks.plan.job import NUMERICS, Job, parse_job
from benchmarks.plan.methods import describe, get_method
from benchmarks.plan.nested import nest
from benchmarks.store.models.packing import is_packed
from benchmarks.store.models.saved_model import HARNESS_FILE, find_model, load_model
from benchmarks.training.watcher import ImageProgress
from studies.inference.evidence import EvidenceStore
from studies.plan import StudySettings, digest, study_folder
from studies.specification import Choice, Search, StudySpec

PREFIX = "model.inference."


@dataclass(frozen=True)
class InferencePlan:
    """A study whose trials are thresholds.

    Attributes:
        model: folder of the finished model.
        job: that trained it.
        config: its own thresholds.
        model_digest: SHA-256 of its weights and configuration.
    """

    spec: StudySpec
    settings: StudySettings
    dataset: Dataset
    model: Path
    job: Job
    config: BaseModel
    model_digest: str

    table: ClassVar[None] = None
    iterations: ClassVar[int] = 0
    validations: ClassVar[int] = 1
    cost_headings: ClassVar[tuple[str, ...]] = ()

    @property
    def scale(self) -> str:
        """The scale that the model was trained at."""
        return self.job.scale

    @property
    def threads(self) -> int | None:
        """CPU threads of a trial, those of the model's job; None if that was of an accelerator."""
        return self.job.training.threads

    @property
    def digest(self) -> str:
        """Sixteen hex digits that change when trials could not be compared any more."""
        data = [self.dataset.fingerprint, self.dataset.decoding]
        testing = self.job.testing.model_dump(mode="json", exclude={"batch_size"})
        facts = {"model": self.model_digest, "data": data, "testing": testing, "numerics": NUMERICS}
        return digest(self.spec, facts)

    @property
    def defaults(self) -> dict[str, Choice] | None:
        """The model's own thresholds; None where they are not among those searched."""
        own = {path: getattr(self.config, path.removeprefix(PREFIX)) for path in self.spec.search}
        return own if all(self.spec.search[path].holds(value) for path, value in own.items()) else None

    def grid(self) -> list[dict[str, Choice]]:
        """Every point of a grid, in the order of the file."""
        choices = [search.values or [] for search in self.spec.search.values()]
        return [dict(zip(self.spec.search, point, strict=True)) for point in itertools.product(*choices)]

    def thresholds(self, params: Mapping[str, Choice]) -> BaseModel:
        """The model's thresholds with the study's fixed ones and a point's."""
        changes = {path.removeprefix(PREFIX): value for path, value in {**self.spec.fixed, **params}.items()}
        return type(self.config).model_validate(self.config.model_dump() | changes)

    def overrides(self, params: Mapping[str, Choice]) -> dict[str, Any]:
        """What makes a job test with a point's thresholds, nested, as `make_job` takes it."""
        return nest({**self.spec.fixed, **params})

    def config_of(self, params: Mapping[str, Choice]) -> dict[str, Any]:
        """The same as the method's own, as `--config` takes it everywhere."""
        return {"methods": {self.spec.method: self.overrides(params)}}

    @cached_property
    def segmenter(self) -> Tunable:
        """The model on the CPU, which is where trials are decided."""
        return _tunable(self.model, "cpu")

    def store(self, folder: Path) -> EvidenceStore:
        """Where the study keeps what the network says."""
        job = self.job
        place = folder / "evidence" / self.digest
        return EvidenceStore(place, lambda: self.segmenter, job.tile, job.testing, job.training.precision)

    def fill(self, folder: Path, split: str, progress: ImageProgress | None = None) -> None:
        """Have the evidence of a split, running the network where it is not stored yet."""
        store = self.store(folder)
        if store.missing(self.dataset, split):
            model = _tunable(self.model, self.settings.device)
            with computing_with(self.threads):
                store.fill(model, self.dataset, split, self.settings.device, progress)

    def values(self, params: Mapping[str, Choice], out: Path, progress: ImageProgress | None = None) -> list[float]:
        """One trial: label maps of the validation split from its stored evidence, scored."""
        store = self.store(study_folder(out, self.spec.name))
        with computing_with(self.threads):
            rows = store.scores(self.dataset, "val", self.thresholds(params), progress)
        means = mean_scores(rows)
        return [means[name] for name in self.spec.objectives]

    @property
    def notes(self) -> list[str]:
        """Sentences for readers."""
        lines = [
            f"Nothing was trained: each trial makes label maps from the network's output of one model, {self.model} "
            f"({self.job.method}, scale {self.job.scale}, seed {self.job.seed}, {self.job.training.iterations} "
            f"iterations)." + (" The model's own thresholds are the first trial." if self.defaults else "")
        ]
        if self.job.data.fingerprint != self.dataset.fingerprint:
            lines.append(f"The model was trained on other data, {self.job.data.spec}.")
        return lines

    def cost_cells(self, _: Mapping[str, float | None]) -> list[str]:
        """Thresholds cost nothing."""
        return []


def plan_inference(spec: StudySpec, settings: StudySettings, dataset: Dataset | None = None) -> InferencePlan:
    """Resolve a study of thresholds.

    Raises:
        UserError: no model, one of another method, or a threshold that does not exist or cannot have its value.
    """
    if settings.model is None:
        raise UserError(f"the study {spec.name} needs --model: a finished model, such as the --out folder of `train`.")
    if settings.overrides:
        raise UserError(f"the study {spec.name} trains nothing: --set and --config would have no effect.")
    folder = find_model(Path(settings.model))
    job = _job_of(folder)
    if job.method != spec.method:
        raise UserError(f"{folder} is a model of {job.method}, but the study {spec.name} is of {spec.method}.")
    config = _thresholds_of(folder, job)
    spec = spec.at(job.scale)
    _check(spec, config)
    return InferencePlan(
        spec, settings, dataset or open_dataset(settings.data), folder, job, config, _digest_of(folder)
    )


def data_of(model: Path) -> str:
    """Specification of the data that a model was trained on.

    Raises:
        UserError: no model there, or a packed one of data in files, which keeps only their name.
    """
    folder = find_model(model)
    spec = _job_of(folder).data.spec
    if is_packed(folder) and ":" in spec.partition("?")[0]:
        raise UserError(
            f"{model} is a packed model, which does not say where the data it was trained on lie ({spec} is their name "
            "alone): give --data, images whose validation split the thresholds are to be chosen on."
        )
    return spec


def _tunable(folder: Path, device: str) -> Tunable:
    segmenter = load_model(folder, device).segmenter
    assert isinstance(segmenter, Tunable), "its configuration has thresholds to search"
    return segmenter


def _thresholds_of(folder: Path, job: Job) -> BaseModel:
    """Those that the model has now: chosen after training, or configured."""
    config = getattr(get_method(job.method).config_class().model_validate(job.model), "inference", None)
    if not isinstance(config, BaseModel) or not hasattr(config, "search_space"):
        raise UserError(f"{folder} is a model of {job.method}, whose thresholds cannot be searched.")
    return type(config).model_validate(json.loads((folder / "config.json").read_text(encoding="utf-8"))["inference"])


def _job_of(folder: Path) -> Job:
    try:
        return parse_job(json.loads((folder / HARNESS_FILE).read_text(encoding="utf-8"))["job"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / HARNESS_FILE} does not say which job made the model: {error}") from error


def _digest_of(folder: Path) -> str:
    content = hashlib.sha256()
    for name in ("config.json", "model.safetensors"):
        content.update((folder / name).read_bytes())
    return content.hexdigest()


def _check(spec: StudySpec, config: BaseModel) -> None:
    fixed = {path: Search(values=[value]) for path, value in spec.fixed.items()}
    for path, search in {**spec.search, **fixed}.items():
        name = path.removeprefix(PREFIX)
        if name not in type(config).model_fields:
            known = [f"{PREFIX}{field}" for field in type(config).model_fields]
            raise UserError(
                f"study {spec.name} sets {path}, which {spec.method} does not have: {suggestion(path, known)}"
            )
        for value in search.examples():
            try:
                type(config).model_validate(config.model_dump() | {name: value})
            except ValidationError as error:
                raise UserError(
                    f"study {spec.name}: {path} cannot be {value!r}.\n{describe(error, 'thresholds')}"
                ) from error
