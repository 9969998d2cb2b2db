"""Runs the jobs of a command, wherever its options say, and says how they ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from benchmarks.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.data import Dataset
    from benchmarks.plan.expansion import PlannedJob
    from benchmarks.run.execution import Outcome
    from benchmarks.run.executors.base import Executor
    from benchmarks.run.executors.options import ExecutorOptions

ENDED = {"done": "done", "cached": "there before", "failed": "failed", "stopped": "stopped"}


class Syncs(Protocol):
    """Whatever is told of jobs' folders, such as a tracker."""

    def sync(self, job_dir: Path) -> object: ...


def execute(
    console: Console,
    planned: Sequence[PlannedJob],
    out: Path,
    device: str,
    options: ExecutorOptions,
    tracker: Syncs,
    datasets: Iterable[Dataset] = (),
) -> list[Outcome]:
    """Bring every job to its end; one that stands for several rows is run once. Returns an outcome for each.

    Args:
        planned: jobs of any tables and data.
        device: what `choose_job_device` returned.
        datasets: those that are open already; others are opened as jobs need them.

    Raises:
        UserError: the jobs cannot be run as the options say.
        KeyboardInterrupt: no job runs any more, and how far each has got was said.
    """
    from benchmarks.cli.display import JobsDisplay
    from benchmarks.run.scheduler import Scheduler, unique_jobs
    from benchmarks.store.job_folder import JobFolder

    jobs = unique_jobs(planned)
    pending = [one for one in jobs if not JobFolder.of(one.job, out).done]
    _say_what_is_damaged(console, pending, out)
    executor, slots = make_executor(console, pending, out, device, options, datasets)
    display = JobsDisplay(console, jobs, out, tracker.sync, slots)
    try:
        with display:
            Scheduler(out, executor, display).run(jobs)
    finally:
        if len(jobs) > 1 or len(display.outcomes) < len(jobs):
            summarise(console, jobs, display.outcomes, out)
    return [display.outcomes[one.job.key] for one in planned]


def choose_job_device(asked: str, options: ExecutorOptions) -> str:
    """Return the device that jobs run on; those of a cluster cannot be looked at from here.

    Raises:
        UserError: the device is not there, or has to be said.
    """
    if options.slurm is None:
        from benchmarks.machine.environment import choose_device

        return choose_device(asked)
    if asked not in ("cpu", "cuda"):
        raise UserError(
            f"--device {asked}: with --executor slurm say --device cuda or --device cpu, for what the nodes have."
        )
    return asked


def summarise(console: Console, jobs: Sequence[PlannedJob], outcomes: Mapping[str, Outcome], out: Path) -> None:
    """Say how many jobs ended how, and of each failure why and where to read more."""
    from benchmarks.run.executors.base import counted
    from benchmarks.store.job_folder import JobFolder

    counts = Counter(_word(planned, outcomes, out) for planned in jobs)
    parts = ", ".join(f"{count} {word}" for word, count in counts.most_common())
    console.print(f"{counted(len(jobs))}: {parts}.", highlight=False)
    for planned in jobs:
        outcome = outcomes.get(planned.job.key)
        if outcome is None or outcome.status != "failed":
            continue
        folder = JobFolder.of(planned.job, out)
        log = next((path for path in (folder.log, folder.failure) if path.exists()), folder.path)
        why = (outcome.error or "no word of it").splitlines()[0]
        text = f"  failed: {planned.label}, seed {planned.job.seed}: {why}\n    see {log}"
        console.print(text, style="red", markup=False, highlight=False, soft_wrap=True)


def _say_what_is_damaged(console: Console, pending: Sequence[PlannedJob], out: Path) -> None:
    from benchmarks.store.documents import UnreadableError
    from benchmarks.store.job_folder import JobFolder

    for planned in pending:
        try:
            JobFolder.of(planned.job, out).read_result()
        except UnreadableError as error:
            folder = JobFolder.of(planned.job, out)
            text = f"{folder.path}: {error}. The job is run again; the file is kept as {folder.set_aside.name}."
            console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)


def _word(planned: PlannedJob, outcomes: Mapping[str, Outcome], out: Path) -> str:
    from benchmarks.store.job_folder import JobFolder

    if outcome := outcomes.get(planned.job.key):
        return ENDED[outcome.status]
    return "interrupted" if JobFolder.of(planned.job, out).begun else "not begun"


def jobs_at_a_time(pending: Sequence[PlannedJob], options: ExecutorOptions) -> int:
    """Return what the user says, else how many jobs this machine has cores and memory for."""
    from benchmarks.machine.devices import jobs_that_fit

    if options.jobs is not None:
        return options.jobs
    threads = max((one.job.training.threads or 0 for one in pending), default=0)
    return min(len(pending), jobs_that_fit(threads * options.gpus_per_job)) if threads else options.jobs_per_gpu


def make_executor(
    console: Console,
    pending: Sequence[PlannedJob],
    out: Path,
    device: str,
    options: ExecutorOptions,
    datasets: Iterable[Dataset] = (),
    *,
    one_by_one: bool = False,
) -> tuple[Executor, int]:
    """Make what runs jobs like these; returns it and how many it runs at a time.

    Args:
        datasets: those that are open already.
        one_by_one: whether each job is asked for as soon as there is room, as in a study, and not all at once.

    Raises:
        UserError: the jobs cannot be run as the options say.
    """
    from benchmarks.run.training import check_processes

    # Whether the nodes of a cluster have accelerators enough is for SLURM to say.
    for planned in pending:
        check_processes(planned.job, device if options.slurm is None else "cpu", options.gpus_per_job)
    if options.jobs_per_gpu > 1 and device == "cpu":
        raise UserError(f"--jobs-per-gpu {options.jobs_per_gpu} is for accelerators, and the jobs run on the CPU.")
    if options.slurm is not None:
        return _slurm(console, pending, out, device, options, one_by_one=one_by_one)
    wanted = max(1, min(jobs_at_a_time(pending, options), len(pending)))
    if wanted == 1 and options.minutes is None:  # only another process can be stopped whatever it does
        from benchmarks.run.executors.in_process import InProcessExecutor

        return InProcessExecutor(out, device, processes=options.gpus_per_job, datasets=datasets), 1
    return _local(console, out, device, options, wanted)


def _slurm(
    console: Console,
    pending: Sequence[PlannedJob],
    out: Path,
    device: str,
    options: ExecutorOptions,
    *,
    one_by_one: bool,
) -> tuple[Executor, int]:
    from benchmarks.run.executors.slurm import ARRAY, SlurmExecutor, check_slurm

    assert options.slurm is not None
    check_slurm()
    slots = min(options.slurm.max_parallel or ARRAY, max(1, len(pending)))
    executor = SlurmExecutor(
        out,
        device,
        options.slurm,
        gpus_per_job=options.gpus_per_job,
        slots=slots if one_by_one else None,
        note=lambda text: _note(console, text),
    )
    return executor, slots


def _local(console: Console, out: Path, device: str, options: ExecutorOptions, wanted: int) -> tuple[Executor, int]:
    from benchmarks.run.executors.base import counted
    from benchmarks.run.executors.local import LocalExecutor

    executor = LocalExecutor(
        out,
        device,
        jobs=wanted,
        gpus_per_job=options.gpus_per_job,
        jobs_per_gpu=options.jobs_per_gpu,
        minutes=options.minutes,
        note=lambda text: _note(console, text),
    )
    if executor.slots < wanted:
        room = "the accelerators have room for no more (--jobs-per-gpu)"
        _note(console, f"{counted(executor.slots)} at a time, not {wanted}: {room}.")
    return executor, executor.slots


def _note(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
