"""`pctrans-bench run`: tables and figures, from jobs to report."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.cli.executor_choice import ExecutorChoice
from benchmarks.cli.layout_choice import LayoutChoice
from benchmarks.cli.option_groups import grouped, without
from benchmarks.cli.options import Names, SeveralData, TableOptions, TrackingUri

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.cli.experiments import Experiment
    from benchmarks.run.executors.options import ExecutorOptions
    from reports.layout import Layout


@grouped
def run(
    *,
    names: Names,
    data: SeveralData = None,
    tables: Annotated[TableOptions, without("data")],
    tracking_uri: TrackingUri = None,
    layout: LayoutChoice,
    executor: ExecutorChoice,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the jobs and the time; run nothing.")] = False,
    collect: Annotated[bool, typer.Option("--collect", help="Only report what is there; run nothing.")] = False,
) -> None:
    """Run tables and figures of the paper: train and test every row, then report. The same command continues."""
    from benchmarks.cli.experiments import RunRequest, names_of, tell_notes
    from benchmarks.cli.job_runner import choose_job_device
    from benchmarks.cli.several_data import compare_each, plan_runs
    from benchmarks.machine.terminal import text_console
    from benchmarks.store.several_data import note_data_folders

    options, shown, out = executor.options(), layout.read(), tables.out
    console = text_console()
    request = RunRequest.read(tables, choose_job_device(tables.device, options))
    with console.status("checking the data"):
        runs = plan_runs(names_of(names), data or [], request, out)
    several = len(runs) > 1
    if several and not dry_run:
        note_data_folders(out, [run.out.name for run in runs])
    failed = 0
    for run in runs:
        if several:
            console.print(run.describe(), style="bold", markup=False, highlight=False, soft_wrap=True)
        tell_notes(console, run.experiments)
        if dry_run:
            show_plans(console, run.experiments, run.out, request.device)
        else:
            failed += run_experiments(
                console, run.experiments, run.out, request.device, options, tracking_uri, shown, collect=collect
            )
    if several and not dry_run:
        shared = [one.name for one in runs[0].experiments if one.figure is None]
        compare_each(console, shared, [run.out for run in runs], out)
    if failed:
        raise typer.Exit(1)


def run_experiments(
    console: Console,
    experiments: list[Experiment],
    out: Path,
    device: str,
    options: ExecutorOptions,
    tracking_uri: str | None,
    layout: Layout | None = None,
    *,
    collect: bool = False,
) -> int:
    """Run what is not done and report everything; returns how many jobs failed.

    Args:
        device: what `choose_job_device` returned.
        layout: of the tables; by default the full one.
        collect: run nothing, and report what is there.

    Raises:
        UserError: `out` holds one of the tables with other data or settings, or jobs cannot be run as the options say.
    """
    from benchmarks.cli.commands.show import show_left_out
    from benchmarks.cli.data_notes import find_leaks
    from benchmarks.cli.experiments import refuse_other_runs
    from benchmarks.cli.report_writer import report_experiments, reports_are_current

    for experiment in experiments:
        refuse_other_runs(experiment.plan, out)
    if not collect:
        show_left_out(console, experiments)
    datasets = dict.fromkeys(one.dataset for one in experiments)
    leaks = {dataset: find_leaks(console, dataset, out) for dataset in datasets}
    for experiment in experiments:
        experiment.save(out, replace=not collect, leaks=leaks[experiment.dataset])
    if collect:
        report_experiments(console, experiments, out, device, layout)
    elif not any(one.pending(out) for one in experiments) and reports_are_current(experiments, out, layout):
        _say_that_all_is_done(console, experiments, out)
    else:
        return _run(console, experiments, out, device, options, tracking_uri, layout)
    return 0


def _run(
    console: Console,
    experiments: list[Experiment],
    out: Path,
    device: str,
    options: ExecutorOptions,
    tracking_uri: str | None,
    layout: Layout | None,
) -> int:
    """Run the chosen jobs and report; returns how many failed."""
    from benchmarks.cli.experiments import tracked_tables
    from benchmarks.cli.job_runner import execute
    from benchmarks.cli.report_writer import report_experiments
    from benchmarks.store.job_folder import JobFolder
    from benchmarks.tracking import Tracker
    from benchmarks.tracking.addresses import shown
    from benchmarks.tracking.several import TablesTracker

    tracker = TablesTracker(Tracker(out, tracking_uri), tracked_tables(experiments))
    tracker.start()
    planned = [one for experiment in experiments for one in experiment.chosen]
    datasets = [experiment.dataset for experiment in experiments]
    outcomes = execute(console, planned, out, device, options, tracker, datasets)
    for one in planned:
        tracker.sync(JobFolder.of(one.job, out).path)
    failed = {one.job.key for one, outcome in zip(planned, outcomes, strict=True) if outcome.status == "failed"}
    files = report_experiments(console, experiments, out, device, layout)
    for experiment in experiments:
        has_failed = any(one.job.key in failed for one in experiment.chosen)
        tracker.finish(experiment.name, files[experiment.name], failed=has_failed)
    text = f"{'tracking':>9}  {shown(tracker.uri)}  (pctrans-bench ui --out {shlex.quote(str(out))})"
    console.print(text, markup=False, highlight=False, soft_wrap=True)
    return len(failed)


def show_plans(console: Console, experiments: list[Experiment], out: Path, device: str) -> None:
    """Show every job once, and how long those without a result will take."""
    from benchmarks.cli.commands.show import show_jobs, show_left_out, show_total
    from benchmarks.measure.estimate import estimate

    for experiment in experiments:
        show_jobs(console, experiment, out)
    show_left_out(console, experiments)
    show_total(console, experiments, out)
    seconds, sources, seen = 0.0, dict[str, None](), set[str]()
    with console.status("timing a few steps"):
        for experiment in experiments:
            jobs = [one for one in experiment.pending(out) if one.job.key not in seen]
            seen |= {one.job.key for one in jobs}
            if jobs:
                guess = estimate(jobs, experiment.dataset, out, device)
                seconds, sources = seconds + guess.seconds, sources | dict.fromkeys(guess.sources)
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
