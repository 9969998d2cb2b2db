"""Trials of thresholds: label maps from stored evidence, scored, in this process or in some beside each other."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.machine.children import environment_for_children
from studies.inference.plan import InferencePlan, plan_inference
from studies.plan import StudySettings
from studies.specification import Choice, parse_study
from studies.trial import TrialEnd

if TYPE_CHECKING:
    import optuna


class EvidenceTrials:
    """Tries thresholds on the stored evidence of the validation split; see `TrialRunner`.

    Args:
        jobs: trials at a time; 1 tries them in this process.
    """

    def __init__(self, plan: InferencePlan, out: Path, jobs: int):
        self.plan, self.out, self.jobs = plan, out, jobs
        self._pool = self._new_pool() if jobs > 1 else None
        self._running: list[tuple[optuna.Trial, dict[str, Choice], Future[list[float]] | None]] = []

    def room(self) -> int:
        """As `TrialRunner`."""
        return self.jobs - len(self._running)

    def start(self, trial: optuna.Trial, params: Mapping[str, Choice]) -> None:
        """As `TrialRunner`."""
        point = dict(params)
        self._running.append((trial, point, self._pool.submit(_values, point) if self._pool else None))

    def step(self, tick: Callable[[], None]) -> list[TrialEnd]:
        """As `TrialRunner`."""
        if self._pool is None:
            running, self._running = self._running, []
            return [self._here(trial, point, tick) for trial, point, _ in running]
        ended = [(trial, future) for trial, _, future in self._running if future is not None and future.done()]
        self._running = [one for one in self._running if one[2] is not None and not one[2].done()]
        return [self._end(trial, future) for trial, future in ended]

    def stop(self) -> None:
        """As `TrialRunner`."""
        if self._pool is not None:
            processes = list((self._pool._processes or {}).values())
            self._pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.kill()  # a trial is a matter of seconds, and leaves nothing half done

    def _here(self, trial: optuna.Trial, point: Mapping[str, Choice], tick: Callable[[], None]) -> TrialEnd:
        try:
            return TrialEnd(trial, "complete", tuple(self.plan.values(point, self.out, lambda *_: tick())))
        except Exception as error:
            return TrialEnd(trial, "failed", error=f"{type(error).__name__}: {error}")

    def _end(self, trial: optuna.Trial, future: Future[list[float]]) -> TrialEnd:
        try:
            return TrialEnd(trial, "complete", tuple(future.result()))
        except BrokenProcessPool as error:
            self._renew()
            return TrialEnd(trial, "died", error=str(error))
        except Exception as error:
            return TrialEnd(trial, "failed", error=f"{type(error).__name__}: {error}")

    def _renew(self) -> None:
        """After a process was killed, all that ran in the pool end, and none can begin."""
        assert self._pool is not None
        with contextlib.suppress(BrokenProcessPool):
            self._pool.submit(os.getpid)  # renewed already, for another trial of the broken one
            return
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPoolExecutor:
        with environment_for_children():
            pool = ProcessPoolExecutor(
                self.jobs,
                mp_context=get_context("spawn"),
                initializer=_begin,
                initargs=(json.dumps(self.plan.settings.described()), str(self.out)),
            )
            # Processes are started with the tasks; what they import is decided by the environment now.
            for _ in range(self.jobs):
                pool.submit(os.getpid)
        return pool


_plan: tuple[InferencePlan, Path] | None = None
"""What a process of the pool tries points on."""


def _begin(settings: str, out: str) -> None:
    """Make the plan, once for all trials of a process."""
    global _plan
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that stops these in order
    threading.Thread(target=_end_with_parent, daemon=True).start()
    told = StudySettings(**json.loads(settings))
    _plan = plan_inference(parse_study(told.spec, "the study"), told), Path(out)


def _values(point: dict[str, Choice]) -> list[float]:
    assert _plan is not None, "the pool's initializer ran"
    plan, out = _plan
    return plan.values(point, out)


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
