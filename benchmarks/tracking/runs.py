"""A results folder's runs in MLflow are found by their tags, made where they are missing, and then remembered."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.tracking.artifacts import Artifacts
from benchmarks.tracking.job import CURVES, TrackedJob

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

RESULTS = "pctrans_bench.results"
"""This tag holds the id of the results folder."""
TABLE = "pctrans_bench.table"
KEY = "pctrans_bench.key"
STATUS = "pctrans_bench.status"
"""This tag holds the status that the job itself told last. A study may end a run whose job has not ended."""
PARENT = "mlflow.parentRunId"

COMPARED = 500
"""So many characters of a parameter's value are compared, as MLflow cuts longer ones somewhere above."""


@dataclass
class KnownRun:
    """What MLflow holds of one run, as far as this process knows.

    Attributes:
        run_id: MLflow's name of the run.
        started: milliseconds since 1970. Times of curves count from here, so that a point that is sent twice is the
            same point, which MLflow keeps once.
        status: MLflow's status of the run; for a job's run, the one that the job told.
        parameters: the values that MLflow has, the long ones cut.
        iterations: the last iteration that MLflow has of each curve, -1 without any, as far as it was asked.
        described: the parameters that were sent last, whole.
        has_dataset: whether MLflow knows what data it is of.
        new: whether the run was just made.
    """

    run_id: str
    started: int
    status: str = "RUNNING"
    parameters: dict[str, str] = field(default_factory=dict)
    iterations: dict[str, int] = field(default_factory=dict)
    described: dict[str, str] | None = None
    has_dataset: bool = False
    new: bool = True

    @classmethod
    def of(cls, run: Run) -> KnownRun:
        info, data = run.info, run.data
        has_dataset = bool(run.inputs and run.inputs.dataset_inputs)
        return cls(info.run_id, info.start_time, info.status, dict(data.params), has_dataset=has_dataset, new=False)

    @classmethod
    def of_job(cls, run: Run) -> KnownRun:
        known = cls.of(run)
        # Runs of earlier versions have no such tag. Only a study kills a run, and its job has then not ended.
        known.status = run.data.tags.get(STATUS, "RUNNING" if known.status == "KILLED" else known.status)
        return known


class Runs:
    """Finds and makes the runs of one results folder. What was found is remembered: a run is looked for once.

    Args:
        client: talks to the store.
        experiment: MLflow's id of the experiment.
        owner: the id of the results folder.
        artifacts: where the files of its runs are kept.
        adopts: whether runs that name no results folder are this one's, as those of earlier versions are in the
            folder's own database.
    """

    def __init__(
        self, client: MlflowClient, experiment: str, owner: str, artifacts: Artifacts, *, adopts: bool
    ) -> None:
        self.client, self.artifacts = client, artifacts
        self._experiment, self._owner, self._adopts = experiment, owner, adopts
        self._tables: dict[tuple[str, frozenset[tuple[str, str]]], KnownRun] = {}
        self._jobs: dict[tuple[str | None, str], KnownRun] = {}

    def table(self, name: str, parameters: Mapping[str, str]) -> KnownRun:
        """Return the run of a table that has these parameters; with others it is another run."""
        wanted = (name, frozenset(parameters.items()))
        if wanted not in self._tables:
            found = [run for run in self._find({TABLE: name}) if _has(run, parameters)]
            self._tables[wanted] = KnownRun.of(found[0]) if found else self._make(name, {TABLE: name}, time.time())
        return self._tables[wanted]

    def job(self, job: TrackedJob, parent: str | None) -> KnownRun:
        """Return a job's run below `parent`. Without a parent any run of the job will do, also one below a study."""
        wanted = (parent, job.folder.key)
        if wanted not in self._jobs:
            tags = {KEY: job.folder.key} | ({PARENT: parent} if parent else {})
            found = self._find(tags)
            self._jobs[wanted] = KnownRun.of_job(found[0]) if found else self._make_job(job, tags)
        return self._jobs[wanted]

    def child(self, parent: str, name: str, tags: Mapping[str, str], identity: str) -> KnownRun:
        """Return the run below `parent` whose tag `identity` is that of `tags`; it is made with all `tags`."""
        found = self._find({PARENT: parent, identity: tags[identity]})
        return KnownRun.of(found[0]) if found else self._make(name, {**tags, PARENT: parent}, time.time())

    def _find(self, tags: Mapping[str, str]) -> list[Run]:
        """Return this folder's runs that have these tags and were not deleted, the latest first."""
        # A run below another one is this folder's if the other one is.
        wanted = {**tags} if self._adopts or PARENT in tags else {**tags, RESULTS: self._owner}
        conditions = " and ".join(f"tags.`{name}` = {_quoted(value)}" for name, value in wanted.items())
        found = self.client.search_runs([self._experiment], conditions)
        return [run for run in found if run.data.tags.get(RESULTS, self._owner) == self._owner]

    def _make_job(self, job: TrackedJob, tags: Mapping[str, str]) -> KnownRun:
        commit = job.environment.get("commit")
        source = {"mlflow.source.git.commit": str(commit)} if commit else {}
        return self._make(job.name, {**tags, STATUS: "RUNNING", **source}, job.started)

    def _make(self, name: str, tags: Mapping[str, str], started: float) -> KnownRun:
        milliseconds = int(started * 1000)
        tags = {**tags, RESULTS: self._owner}
        run = self.client.create_run(self._experiment, start_time=milliseconds, tags=tags, run_name=name)
        return KnownRun(run.info.run_id, milliseconds, iterations=dict.fromkeys(CURVES, -1))


def _has(run: Run, parameters: Mapping[str, str]) -> bool:
    """Say whether the run has these parameters. One without any was cut off before they were sent."""
    held = {name: value[:COMPARED] for name, value in run.data.params.items()}
    return not held or held == {name: value[:COMPARED] for name, value in parameters.items()}


def _quoted(value: str) -> str:
    """Return a value as a filter of MLflow takes it."""
    return f'"{value}"' if "'" in value else f"'{value}'"
