"""Running a study: Optuna says which points, a `TrialRunner` tries them, and the storage is told."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from studies.leases import ERROR, Leaseholder, Reaper
from studies.plans import AnyPlan
from studies.records import TrialRecord, read_trials
from studies.retrying import retried, storage_errors
from studies.storage import pruner_for, suggest
from studies.trial import TrialEnd, TrialRunner

if TYPE_CHECKING:
    import optuna

STEP_SECONDS = 0.2
LOOK_SECONDS = 1.0
"""Between two looks at the whole study, which other commands may share."""

Look = Callable[[list[TrialRecord]], None]
"""Told of all trials, about once a second."""


@dataclass
class StudyRun:
    """A command's part in a study that is in its storage already.

    Attributes:
        folder: of the study.
        look: is told of all trials.
    """

    study: optuna.Study
    plan: AnyPlan
    folder: Path
    runner: TrialRunner
    look: Look

    def run(self) -> list[TrialRecord]:
        """Run until every trial has ended, here or elsewhere; returns them.

        Raises:
            KeyboardInterrupt: the trials that ran here wait again.
            UserError: the storage did not answer for long.
        """
        self.study.pruner = pruner_for(self.plan.spec, self.plan.validations)
        self._reaper, self._looked_at = Reaper(self.study, self.folder), float("-inf")
        self._trials: list[TrialRecord] = []
        with Leaseholder(self.folder) as holder:
            try:
                retried(lambda: self._reaper.recover(counted=False))
                return self._until_all_have_ended(holder)
            finally:
                self.runner.stop()
                with contextlib.suppress(*storage_errors()):  # who goes on will find them
                    self._reaper.recover(counted=False)

    def _until_all_have_ended(self, holder: Leaseholder) -> list[TrialRecord]:
        while True:
            self._claim(holder)
            for end in self.runner.step(self._tick):
                self._tell(holder, end)
            self._look_around()
            if self._trials and all(trial.ended for trial in self._trials):
                return self._trials
            time.sleep(STEP_SECONDS)

    def _claim(self, holder: Leaseholder) -> None:
        """Begin as many trials as there is room for."""
        while self.runner.room() > 0 and (trial := retried(lambda: holder.claim(self.study, self.plan.spec))):
            params = retried(lambda trial=trial: suggest(trial, self.plan.spec))  # type: ignore[misc]
            self.runner.start(trial, params)

    def _tick(self) -> None:
        """While the runner is busy in this process."""
        with contextlib.suppress(*storage_errors()):
            self._look_around()

    def _look_around(self) -> None:
        """See all trials, once a second, and put those of dead commands back."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        retried(lambda: self._reaper.recover(counted=True))
        self._trials = retried(lambda: read_trials(self.study))
        self.look(self._trials)

    def _tell(self, holder: Leaseholder, end: TrialEnd) -> None:
        """Tell the storage how a trial ended, unless another machine took this command for dead and did so itself."""
        import optuna
        from optuna.trial import TrialState

        if end.status in ("died", "interrupted"):
            retried(lambda: holder.put_back(end.trial, death=end.error))
            return
        state = {"pruned": TrialState.PRUNED, "failed": TrialState.FAIL}.get(end.status)
        with contextlib.suppress(ValueError, optuna.exceptions.UpdateFinishedTrialError):
            if end.error is not None:
                retried(lambda: end.trial.set_user_attr(ERROR, end.error))
            retried(lambda: self.study.tell(end.trial, list(end.values) or None, state))
        holder.release(end.trial)
