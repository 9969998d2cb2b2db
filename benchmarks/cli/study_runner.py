"""Runs a study to its end, confirms its best settings, and says what was found and where it is."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.cli.experiments import refuse_other_runs
from benchmarks.cli.job_runner import execute, make_executor
from benchmarks.cli.report_writer import current_tables, report_folder, report_table
from benchmarks.errors import UserError
from benchmarks.files import exclusive
from benchmarks.plan.expansion import PlannedJob
from benchmarks.run.executors.options import ExecutorOptions
from benchmarks.store.run_file import run_tables, save_run
from benchmarks.tracking.addresses import shown
from studies.confirmation import confirmation_jobs, record_confirmation
from studies.display import StudyDisplay
from studies.inference.final_look import look_at_test
from studies.inference.plan import InferencePlan
from studies.inference.trials import EvidenceTrials
from studies.job_trials import JobTrials
from studies.page import write_page
from studies.plan import TrainingPlan
from studies.plans import AnyPlan
from studies.records import TrialRecord, best_trial, read_trials, unresolved_failures
from studies.results import train_command, write_results
from studies.running import StudyRun
from studies.sections import Section, read_sections
from studies.slots import create_or_join, queue_failed_again
from studies.storage import journal, open_storage, other_studies
from studies.study_folder import enter_folder
from studies.tracking import StudyTracker
from studies.trial import TrialRunner

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class StudyOptions:
    """How a study is to be run; what it is, its plan says.

    Attributes:
        out: the folder of results.
        executor: where trials run.
        jobs: how many trials run at a time.
        storage_url: where Optuna's storage is; None is a file in `out`.
        retry_failed: whether failed trials are tried again.
        seeds: how many seeds confirm the best settings; 0 does not confirm them.
    """

    out: Path
    executor: ExecutorOptions
    jobs: int
    storage_url: str | None
    tracking_uri: str | None
    retry_failed: bool
    seeds: int


def run_study(console: Console, plan: AnyPlan, options: StudyOptions) -> bool:
    """Run a study to its end, confirm its best if that is asked for, and report; returns whether all trials went well.

    Raises:
        UserError: the folder or the storage cannot be used, or workers cannot be started.
        typer.Exit: with 130, after Ctrl-C.
    """
    if plan.table is not None:
        refuse_other_runs(plan.table, options.out)
    folder = enter_folder(plan, options.out)
    study = _join(console, plan, folder, options)
    if plan.table is not None:
        save_run(plan.table, options.out, unless_covers=True)
    if isinstance(plan, InferencePlan):
        _record_evidence(console, plan, folder)
    tracker = StudyTracker(plan, options.out, options.tracking_uri)
    tracker.start()
    try:
        trials = _run_trials(console, study, plan, folder, options, tracker)
        confirmed = confirm_best(console, plan, trials, folder, options, tracker)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except UserError:
        tracker.finish([], [], failed=True)  # without trials: the storage may be what is away
        raise
    failed = unresolved_failures(trials)
    files = show_results(console, study, plan, folder, options)
    tracker.finish(trials, files, failed=bool(failed) or not confirmed)
    _say(console, "tracking", f"{shown(tracker.uri)}  (pctrans-bench ui --out {shlex.quote(str(options.out))})")
    if failed:
        console.print(f"{len(failed)} trials failed: mend the cause and say --retry-failed.", style="red")
    if not confirmed:
        console.print("The best settings are not confirmed: a seed failed, see above.", style="red")
    return confirmed and not failed


def _join(console: Console, plan: AnyPlan, folder: Path, options: StudyOptions) -> optuna.Study:
    """Open the study in its storage, new or going on, and say which."""
    storage = open_storage(options.storage_url, folder)
    with console.status("joining the study"), exclusive(folder / "claims.lock"):
        study = create_or_join(plan, storage)
        again = queue_failed_again(study) if options.retry_failed else 0
    trials = read_trials(study)
    begun = sum(trial.state != "waiting" for trial in trials)
    told = f"goes on: {begun} of {len(trials)} trials have begun" if begun else f"{len(trials)} trials to do"
    console.print(f"study {study.study_name}, {told}" + (f", {again} of failed ones again" if again else ""))
    if options.storage_url is not None and (others := other_studies(plan, storage)):
        console.print(
            f"The storage also holds {', '.join(others)}: of other data, scale, settings, precision or version, and "
            "without a trial in common.",
            style="yellow",
        )
    if plan.spec.trials is not None and (slots := len({trial.slot for trial in trials})) > plan.spec.trials:
        console.print(f"The study has {slots} trials already, more than {plan.spec.trials}; none is taken back.")
    return study


def _record_evidence(console: Console, plan: InferencePlan, folder: Path) -> None:
    title = "the network on the validation split"
    with console.status(title) as status:
        plan.fill(folder, "val", lambda done, of: status.update(f"{title}: {done}/{of}"))


def _run_trials(
    console: Console, study: optuna.Study, plan: AnyPlan, folder: Path, options: StudyOptions, tracker: StudyTracker
) -> list[TrialRecord]:
    runner = _runner(console, plan, options)
    with StudyDisplay(console, plan, options.out, options.jobs) as display:

        def look(trials: list[TrialRecord]) -> None:
            display.look(trials)
            tracker.look(trials)

        return StudyRun(study, plan, folder, runner, look).run()


def _runner(console: Console, plan: AnyPlan, options: StudyOptions) -> TrialRunner:
    """Make what runs the trials."""
    if isinstance(plan, InferencePlan):
        return EvidenceTrials(plan, options.out, options.jobs)
    like = [PlannedJob(1, plan.spec.name, plan.base)] * options.jobs
    where = _where(options)
    executor, slots = make_executor(
        console, like, options.out, plan.settings.device, where, [plan.dataset], one_by_one=True
    )
    return JobTrials(plan, options.out, executor, slots)


def _where(options: StudyOptions) -> ExecutorOptions:
    return options.executor if options.executor.slurm else replace(options.executor, jobs=options.jobs)


def confirm_best(
    console: Console,
    plan: AnyPlan,
    trials: list[TrialRecord],
    folder: Path,
    options: StudyOptions,
    tracker: StudyTracker,
) -> bool:
    """Train the best settings over seeds and record what they give on the test split, if that is asked for.

    Returns:
        False if a seed failed.
    """
    best = best_trial(plan.spec, trials)
    if best is None or not options.seeds or not isinstance(plan, TrainingPlan):
        return True
    planned = confirmation_jobs(plan, best, options.seeds)
    outcomes = execute(console, planned, options.out, plan.settings.device, _where(options), tracker, [plan.dataset])
    if any(outcome.status == "failed" for outcome in outcomes):
        return False
    record_confirmation(best, planned, options.out, folder)
    return True


def show_results(
    console: Console, study: optuna.Study, plan: AnyPlan, folder: Path, options: StudyOptions
) -> list[Path]:
    """Write what the study found, and say where it is; returns the files."""
    trials = read_trials(study)
    if isinstance(plan, InferencePlan):
        with console.status("the test split, once"):
            look_at_test(plan, trials, folder)
    results = write_results(study, plan, folder)
    dashboard = dashboard_command(folder, options.storage_url)
    commands = [dashboard]
    if results.best:
        commands.insert(0, train_command(plan, results.best))
    sections = read_sections(folder)
    page = write_page(plan, trials, results.pictures, sections, commands, folder)
    files = [page, *results.files]
    if plan.table is not None:
        files += report_table(console, options.out, plan.table.table.name)
    if run_tables(options.out):
        files += report_folder(console, options.out, tables_already_written=current_tables(options.out))
    StudyDisplay(console, plan, options.out, 1).print_results(trials)
    for section in sections:
        _show_section(console, section)
    places = {"page": page, "best": results.best or "none: no trial is complete", "trials": results.trials}
    places |= {name: picture.path for name, picture in results.pictures.items() if picture.path}
    for title, place in places.items():
        _say(console, title, str(place))
    _say(console, "look closer", dashboard)
    return files


def _say(console: Console, title: str, place: str) -> None:
    console.print(f"{title:>11}  {place}", markup=False, highlight=False, soft_wrap=True)


def _show_section(console: Console, section: Section) -> None:
    table = Table(*section.headings, title=section.title, title_justify="left")
    for row in section.rows:
        table.add_row(*row)
    console.print(table)
    console.print(" ".join(section.lines), style="dim", highlight=False)


def dashboard_command(folder: Path, storage_url: str | None) -> str:
    """Return the command that opens the study in Optuna's own pages."""
    place = str(journal(folder)) if storage_url is None else shown(storage_url)
    return f"optuna-dashboard {shlex.quote(place)}  # pip install 'pctrans-bench[dashboard]'"
