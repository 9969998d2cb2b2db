"""`pctrans-bench run`: tables and figures, from jobs to report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.cli.executor_options import (
    Executor,
    ExecutorName,
    GpusPerJob,
    Jobs,
    MaxParallel,
    SlurmCpus,
    SlurmMemory,
    SlurmPartition,
    SlurmSet,
    SlurmTime,
    executor_options,
)
from benchmarks.cli.options import (
    ConfigFile,
    DataOrGenerated,
    Device,
    External,
    Names,
    Out,
    ProtocolOption,
    Rows,
    Scale,
    Seeds,
    Set,
    TrackingUri,
    default_scale,
    read_overrides,
)

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.cli.planning import Experiment
    from benchmarks.run.executors.options import ExecutorOptions


def run(
    names: Names,
    data: DataOrGenerated = None,
    scale: Scale = None,
    seeds: Seeds = None,
    rows: Rows = None,
    set_: Set = None,
    config: ConfigFile = None,
    external: External = None,
    allow_unequal: Annotated[
        bool, typer.Option("--allow-unequal", help="Let rows differ in data, budget or tiling; reports say so.")
    ] = False,
    protocol: ProtocolOption = None,
    device: Device = "auto",
    out: Out = Path("results"),
    tracking_uri: TrackingUri = None,
    executor: Executor = ExecutorName.local,
    jobs: Jobs = None,
    gpus_per_job: GpusPerJob = 1,
    max_parallel: MaxParallel = None,
    slurm_time: SlurmTime = None,
    slurm_memory: SlurmMemory = None,
    slurm_cpus: SlurmCpus = None,
    slurm_partition: SlurmPartition = None,
    slurm_set: SlurmSet = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the jobs and the time; run nothing.")] = False,
    collect: Annotated[bool, typer.Option("--collect", help="Only report what is there; run nothing.")] = False,
) -> None:
    """Run tables and figures of the paper: train and test every row, then report. The same command continues."""
    from rich.console import Console

    from benchmarks.cli.executing import choose_job_device
    from benchmarks.cli.planning import Wanted, names_of, parse_rows, plan_all, refuse_other_runs
    from benchmarks.cli.reporting import report_experiments, reports_are_newer

    options = executor_options(
        executor,
        jobs=jobs,
        gpus_per_job=gpus_per_job,
        max_parallel=max_parallel,
        slurm_time=slurm_time,
        slurm_memory=slurm_memory,
        slurm_cpus=slurm_cpus,
        slurm_partition=slurm_partition,
        slurm_set=slurm_set,
    )
    console = Console()
    wanted = Wanted(
        data=data,
        scale=default_scale(scale),
        seeds=seeds,
        rows=parse_rows(rows),
        overrides=read_overrides(config, set_),
        protocol=protocol,
        device=choose_job_device(device, options),
        external=external or (),
        allow_unequal=allow_unequal,
    )
    with console.status("checking the data"):
        experiments = plan_all(names_of(names), wanted)
    if dry_run:
        _show_plans(console, experiments, out, wanted.device)
        return
    for experiment in experiments:
        refuse_other_runs(experiment.plan, out)
    for experiment in experiments:
        experiment.save(out, replace=not collect)
    if collect:
        report_experiments(console, experiments, out, wanted.device)
    elif not any(experiment.pending(out) for experiment in experiments) and reports_are_newer(experiments, out):
        _say_that_all_is_done(console, experiments, out)
    elif _run(console, experiments, out, wanted.device, options, tracking_uri):
        raise typer.Exit(1)


def _run(
    console: Console,
    experiments: list[Experiment],
    out: Path,
    device: str,
    options: ExecutorOptions,
    tracking_uri: str | None,
) -> int:
    """Run the chosen jobs and report; returns how many failed."""
    from benchmarks.cli.executing import execute
    from benchmarks.cli.planning import tracked_tables
    from benchmarks.cli.reporting import report_experiments
    from benchmarks.store.job_folder import JobFolder
    from benchmarks.tracking import Tracker
    from benchmarks.tracking.several import TablesTracker
    from benchmarks.tracking.store import shown

    tracker = TablesTracker(Tracker(out, tracking_uri), tracked_tables(experiments))
    tracker.start()
    planned = [one for experiment in experiments for one in experiment.chosen]
    datasets = [experiment.dataset for experiment in experiments]
    outcomes = execute(console, planned, out, device, options, tracker, datasets)
    for one in planned:
        tracker.sync(JobFolder.of(one.job, out).path)
    failed = {one.job.key for one, outcome in zip(planned, outcomes, strict=True) if outcome.status == "failed"}
    files = report_experiments(console, experiments, out, device)
    for experiment in experiments:
        has_failed = any(one.job.key in failed for one in experiment.chosen)
        tracker.finish(experiment.name, files[experiment.name], failed=has_failed)
    text = f"{'tracking':>9}  {shown(tracker.uri)}  (pctrans-bench ui --out {out})"
    console.print(text, markup=False, highlight=False, soft_wrap=True)
    return len(failed)


def _show_plans(console: Console, experiments: list[Experiment], out: Path, device: str) -> None:
    """Every job once, and how long those without a result will take."""
    from benchmarks.cli.show import show_jobs, show_total
    from benchmarks.measure.estimate import estimate

    for experiment in experiments:
        show_jobs(console, experiment, out)
    show_total(console, experiments, out)
    seconds, sources, seen = 0.0, dict[str, None](), set[str]()
    with console.status("timing a few steps"):
        for experiment in experiments:
            jobs = [one for one in experiment.pending(out) if one.job.key not in seen]
            seen |= {one.job.key for one in jobs}
            if jobs:
                guess = estimate(jobs, experiment.dataset, out, device)
                seconds, sources = seconds + guess.seconds, sources | {guess.source: None}
    if seen:
        console.print(f"about {seconds / 60:.0f} min on {device}, one after the other (by {' and '.join(sources)}).")


def _say_that_all_is_done(console: Console, experiments: list[Experiment], out: Path) -> None:
    for experiment in experiments:
        console.print(f"{experiment.name}: {len(experiment.chosen)} jobs, all done before.", highlight=False)
    page = out / "reports" / "index.html"
    console.print(
        f"Nothing to do. The reports are there: {page} and files beside it "
        f"(`pctrans-bench report --out {out}` writes them again).",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
