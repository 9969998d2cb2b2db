"""A study in MLflow: a run, and below it one for each trial. Only the command talks to MLflow, no job does."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from benchmarks.store.job_folder import JobFolder
from benchmarks.tracking import Note, Tracker
from benchmarks.tracking.job import finite
from studies.plans import AnyPlan
from studies.records import TrialRecord, best_trial
from studies.specification import COSTS
from studies.trial import printed

SYNC_SECONDS = 60.0
"""Between two looks at the jobs that are being trained."""

STATUS: dict[str, Literal["FINISHED", "FAILED", "KILLED"]] = {
    "complete": "FINISHED",
    "pruned": "KILLED",
    "failed": "FAILED",
}


class StudyTracker:
    """Tells MLflow of a study's trials; never fails because of it.

    Args:
        out: the results' folder.
        tracking_uri: as `Tracker` takes it.
    """

    def __init__(self, plan: AnyPlan, out: Path, tracking_uri: str | None):
        self.plan, self.out = plan, out
        self._tracker = Tracker(out, tracking_uri)
        self._told: set[int] = set()
        self._synced = time.monotonic()

    @property
    def uri(self) -> str:
        return self._tracker.uri

    def start(self) -> None:
        """Make or continue the study's run."""
        spec, settings = self.plan.spec, self.plan.settings
        self._tracker.start_table(
            f"study {spec.name}",
            {
                "study": spec.model_dump(mode="json", exclude={"scales", "scale", "title", "trials"}),
                "data": settings.data,
                "scale": self.plan.scale,
                "overrides": settings.overrides,
                "model": settings.model,
                "digest": self.plan.digest,
            },
        )

    def look(self, trials: Sequence[TrialRecord]) -> None:
        """Tell of trials that ended, and now and then of those that run."""
        for trial in trials:
            if trial.ended and trial.number not in self._told:
                self._tell(trial)
                self._told.add(trial.number)
        if time.monotonic() - self._synced > SYNC_SECONDS:
            for trial in trials:
                if trial.state == "running" and (folder := self._folder(trial)):
                    self._tracker.sync(folder)
            self._synced = time.monotonic()

    def sync(self, job_dir: Path) -> bool:
        """Send a job of the study that is no trial."""
        return self._tracker.sync(job_dir)

    def finish(self, trials: Sequence[TrialRecord], files: Iterable[Path], *, failed: bool) -> None:
        """Mark the study's run as ended, with its best trial and its files."""
        if best := best_trial(self.plan.spec, trials):
            settings = {path: printed(value) for path, value in best.params.items()}
            tags = {
                "optuna.best_trial": str(best.number),
                "optuna.best_settings": ", ".join(f"{path}={value}" for path, value in settings.items()),
            }
            self._tracker.annotate_table(Note(tags, self._values(best, "best_"), "FINISHED"))
        self._tracker.finish_table(files, failed=failed)

    def _tell(self, trial: TrialRecord) -> None:
        folder = self._folder(trial)
        if folder:
            self._tracker.annotate(folder, self._note(trial))
        else:
            parameters = {path: str(value) for path, value in trial.params.items()}
            name, note = f"trial {trial.number}", self._note(trial)
            self._tracker.tell_child(name, parameters, note, identity="optuna.trial")

    def _note(self, trial: TrialRecord) -> Note:
        tags = {
            "pctrans_bench.study": self.plan.spec.name,
            "optuna.trial": str(trial.number),
            "optuna.state": trial.state,
            "mlflow.note.content": trial.error or "",  # a trial that was tried again may have the run of a failed one
        }
        return Note(tags, self._values(trial), STATUS[trial.state])

    def _values(self, trial: TrialRecord, prefix: str = "") -> dict[str, float]:
        """Values of the objectives, by MLflow's name."""
        names = [name if name in COSTS else f"validation_{name}" for name in self.plan.spec.objectives]
        values = {f"study/{prefix}{name}": value for name, value in zip(names, trial.values, strict=False)}
        return {name: value for name, value in values.items() if finite(value) is not None}

    def _folder(self, trial: TrialRecord) -> Path | None:
        """The folder of the trial's job; None where it has none here."""
        folder = JobFolder.named(trial.key, self.out) if trial.key else None
        return folder.path if folder and folder.begun else None
