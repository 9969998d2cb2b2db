"""What `pctrans-bench study` does: run a study to its end, confirm its best, and say what was found and where it is."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.cli.executing import execute, make_executor
from benchmarks.cli.planning import refuse_other_runs
from benchmarks.cli.reporting import current_tables, report_folder, report_table
from benchmarks.errors import UserError
from benchmarks.files import exclusive
from benchmarks.plan.expansion import PlannedJob
from benchmarks.run.executors.options import ExecutorOptions
from benchmarks.store.run_file import run_tables, save_run
from benchmarks.tracking.store import shown
from studies.confirmation import confirmation_jobs, record_confirmation
from studies.display import StudyDisplay
from studies.folder import enter_folder
from studies.inference.final_look import look_at_test
from studies.inference.plan import InferencePlan
from studies.inference.trials import EvidenceTrials
from studies.job_trials import JobTrials
from studies.page import write_page
from studies.plan import TrainingPlan
from studies.planning import AnyPlan
from studies.records import TrialRecord, best_trial, read_trials, unresolved_failures
from studies.results import train_command, write_results
from studies.running import StudyRun
from studies.sections import Section, read_sections
from studies.slots import create_or_join, queue_failed_again
from studies.storage import journal, open_storage, other_studies
from studies.tracking import StudyTracker
from studies.trial import TrialRunner

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class StudyWishes:
    """How a study is to be run; what it is, its plan says.

    Attributes:
        out: folder of results.
        jobs: processes at a time.
        storage_url: of Optuna's storage; None: a file in `out`.
        retry_failed: whether failed trials are tried again.
        seeds: that confirm the best settings; 0: they are not confirmed.
    """

    out: Path
    jobs: int
    storage_url: str | None
    tracking_uri: str | None
    retry_failed: bool
    seeds: int


def run_study(console: Console, plan: AnyPlan, wishes: StudyWishes) -> bool:
    """Run a study to its end, confirm its best if that is wished, and report; returns whether all trials went well.

    Raises:
        UserError: the folder or the storage cannot be used, or workers cannot be started.
        typer.Exit: with 130, after Ctrl-C.
    """
    if plan.table is not None:
        refuse_other_runs(plan.table, wishes.out)
    folder = enter_folder(plan, wishes.out)
    study = _join(console, plan, folder, wishes)
    if plan.table is not None:
        save_run(plan.table, wishes.out, unless_covers=True)
    if isinstance(plan, InferencePlan):
        _fill(console, plan, folder)
    tracker = StudyTracker(plan, wishes.out, wishes.tracking_uri)
    tracker.start()
    try:
        trials = _conduct(console, study, plan, folder, wishes, tracker)
        confirmed = confirm_best(console, plan, trials, folder, wishes, tracker)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except UserError:
        tracker.finish([], [], failed=True)  # of trials nothing: the storage may be what is away
        raise
    failed = unresolved_failures(trials)
    files = show_results(console, study, plan, folder, wishes)
    tracker.finish(trials, files, failed=bool(failed) or not confirmed)
    _say(console, "tracking", f"{shown(tracker.uri)}  (pctrans-bench ui --out {wishes.out})")
    if failed:
        console.print(f"{len(failed)} trials failed: mend the cause and say --retry-failed.", style="red")
    if not confirmed:
        console.print("The best settings are not confirmed: a seed failed, see above.", style="red")
    return confirmed and not failed


def _join(console: Console, plan: AnyPlan, folder: Path, wishes: StudyWishes) -> optuna.Study:
    """The study in its storage, new or going on; says which."""
    storage = open_storage(wishes.storage_url, folder)
    with console.status("joining the study"), exclusive(folder / "claims.lock"):
        study = create_or_join(plan, storage)
        again = queue_failed_again(study) if wishes.retry_failed else 0
    trials = read_trials(study)
    begun = sum(trial.state != "waiting" for trial in trials)
    told = f"goes on: {begun} of {len(trials)} trials have begun" if begun else f"{len(trials)} trials to do"
    console.print(f"study {study.study_name}, {told}" + (f", {again} of failed ones again" if again else ""))
    if wishes.storage_url is not None and (others := other_studies(plan, storage)):
        console.print(
            f"The storage also holds {', '.join(others)}: of other data, scale, settings, precision or version, and "
            "without a trial in common.",
            style="yellow",
        )
    if plan.spec.trials is not None and (slots := len({trial.slot for trial in trials})) > plan.spec.trials:
        console.print(f"The study has {slots} trials already, more than {plan.spec.trials}; none is taken back.")
    return study


def _fill(console: Console, plan: InferencePlan, folder: Path) -> None:
    title = "the network on the validation split"
    with console.status(title) as status:
        plan.fill(folder, "val", lambda done, of: status.update(f"{title}: {done}/{of}"))


def _conduct(
    console: Console, study: optuna.Study, plan: AnyPlan, folder: Path, wishes: StudyWishes, tracker: StudyTracker
) -> list[TrialRecord]:
    runner = _runner(console, plan, wishes)
    with StudyDisplay(console, plan, wishes.out, wishes.jobs) as display:

        def look(trials: list[TrialRecord]) -> None:
            display.look(trials)
            tracker.look(trials)

        return StudyRun(study, plan, folder, runner, look).run()


def _runner(console: Console, plan: AnyPlan, wishes: StudyWishes) -> TrialRunner:
    """What runs the trials."""
    if isinstance(plan, InferencePlan):
        return EvidenceTrials(plan, wishes.out, wishes.jobs)
    options = ExecutorOptions(wishes.jobs)
    like = [PlannedJob(1, plan.spec.name, plan.base)] * wishes.jobs
    executor, slots = make_executor(console, like, wishes.out, plan.settings.device, options, [plan.dataset])
    return JobTrials(plan, wishes.out, executor, slots)


def confirm_best(
    console: Console,
    plan: AnyPlan,
    trials: list[TrialRecord],
    folder: Path,
    wishes: StudyWishes,
    tracker: StudyTracker,
) -> bool:
    """Train the best settings over seeds and record what they give on the test split, if that is wished.

    Returns:
        False if a seed failed.
    """
    best = best_trial(plan.spec, trials)
    if best is None or not wishes.seeds or not isinstance(plan, TrainingPlan):
        return True
    planned = confirmation_jobs(plan, best, wishes.seeds)
    options = ExecutorOptions(wishes.jobs)
    outcomes = execute(console, planned, wishes.out, plan.settings.device, options, tracker, [plan.dataset])
    if any(outcome.status == "failed" for outcome in outcomes):
        return False
    record_confirmation(best, planned, wishes.out, folder)
    return True


def show_results(console: Console, study: optuna.Study, plan: AnyPlan, folder: Path, wishes: StudyWishes) -> list[Path]:
    """Write what the study found, and say where it is; returns the files."""
    trials = read_trials(study)
    if isinstance(plan, InferencePlan):
        with console.status("the test split, once"):
            look_at_test(plan, trials, folder)
    results = write_results(study, plan, folder)
    dashboard = dashboard_command(folder, wishes.storage_url)
    commands = [dashboard]
    if results.best:
        commands.insert(0, train_command(plan, results.best))
    sections = read_sections(folder)
    page = write_page(plan, trials, results.pictures, sections, commands, folder)
    files = [page, *results.files]
    if plan.table is not None:
        files += report_table(console, wishes.out, plan.table.table.name)
    if run_tables(wishes.out):
        files += report_folder(console, wishes.out, tables_already_written=current_tables(wishes.out))
    StudyDisplay(console, plan, wishes.out, 1).print_results(trials)
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
    """The command that opens the study in Optuna's own pages."""
    place = str(journal(folder)) if storage_url is None else shown(storage_url)
    return f"optuna-dashboard {shlex.quote(place)}  # pip install 'pctrans-bench[dashboard]'"
