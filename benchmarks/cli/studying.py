"""What `pctrans-bench study` does: run a study to its end, confirm its best, and say what was found and where it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.cli.executing import execute
from benchmarks.cli.planning import refuse_other_runs
from benchmarks.cli.reporting import report_table
from benchmarks.errors import UserError
from benchmarks.executors.options import ExecutorOptions
from benchmarks.expansion import Plan
from benchmarks.files import exclusive
from benchmarks.tracking.store import shown
from studies.conductor import Conductor
from studies.confirmation import confirmation_jobs, record_confirmation
from studies.display import StudyDisplay
from studies.folder import enter_folder
from studies.inference.final_look import look_at_test
from studies.inference.plan import InferencePlan
from studies.page import write_page
from studies.plan import TrainingPlan
from studies.planning import AnyPlan
from studies.records import TrialRecord, best_trial, read_trials, unresolved_failures
from studies.results import train_command, write_results
from studies.sections import Section, read_sections
from studies.storage import create_or_join, journal, open_storage, queue_failed_again
from studies.tracking import StudyTracker

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
    study = create_or_join(plan, open_storage(wishes.storage_url, folder))
    if wishes.retry_failed:
        with exclusive(folder / "claims.lock"):
            queue_failed_again(study)
    if plan.table is not None:
        _save_table(plan.table, wishes.out)
    if isinstance(plan, InferencePlan):
        _fill(console, plan, folder)
    tracker = StudyTracker(plan, wishes.out, wishes.tracking_uri)
    tracker.start()
    try:
        trials = _conduct(console, study, plan, folder, wishes, tracker)
        if wishes.seeds and isinstance(plan, TrainingPlan):
            confirm_best(console, plan, trials, folder, wishes, tracker)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    failed = unresolved_failures(trials)
    tracker.finish(trials, show_results(console, study, plan, folder, wishes), failed=bool(failed))
    _say(console, "tracking", f"{shown(tracker.uri)}  (pctrans-bench ui --out {wishes.out})")
    if failed:
        console.print(f"{len(failed)} trials failed: mend the cause and say --retry-failed.", style="red")
    return not failed


def _fill(console: Console, plan: InferencePlan, folder: Path) -> None:
    title = "mask logits of the validation split"
    with console.status(title) as status:
        plan.fill(folder, "val", lambda done, of: status.update(f"{title}: {done}/{of}"))


def _conduct(
    console: Console, study: optuna.Study, plan: AnyPlan, folder: Path, wishes: StudyWishes, tracker: StudyTracker
) -> list[TrialRecord]:
    conductor = Conductor(
        study, plan.spec.name, folder, wishes.out, wishes.jobs, plan.settings.device, wishes.storage_url
    )
    with StudyDisplay(console, plan, wishes.out, wishes.jobs) as display:

        def look(trials: list[TrialRecord]) -> None:
            display.look(trials)
            tracker.look(trials)

        trials = conductor.run(look)
        tracker.look(trials)
    return trials


def _save_table(table: Plan, out: Path) -> None:
    """Tell reports which jobs stand for which row, unless the table was run with these and more."""
    path = out / "runs" / f"{table.table.name}.json"
    if not path.exists() or not {planned.job.key for planned in table.jobs} <= set(
        json.loads(path.read_text())["jobs"]
    ):
        table.save(out)


def confirm_best(
    console: Console,
    plan: TrainingPlan,
    trials: list[TrialRecord],
    folder: Path,
    wishes: StudyWishes,
    tracker: StudyTracker,
) -> None:
    """Train the best settings over seeds and record what they give on the test split.

    Raises:
        UserError: one of the seeds failed.
    """
    best = best_trial(plan.spec, trials)
    if best is None:
        return
    planned = confirmation_jobs(plan, best, wishes.seeds)
    options = ExecutorOptions(wishes.jobs)
    outcomes = execute(console, planned, wishes.out, plan.settings.device, options, tracker, [plan.dataset])
    if any(outcome.status == "failed" for outcome in outcomes):
        raise UserError(f"The best settings of {plan.spec.name} are not confirmed: a seed failed, see above.")
    record_confirmation(best, planned, wishes.out, folder)


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
    page = write_page(plan, trials, results.pictures, read_sections(folder), commands, folder)
    files = [page, *results.files]
    if plan.table is not None:
        files += report_table(console, wishes.out, plan.table.table.name)
    StudyDisplay(console, plan, wishes.out, 1).print_results(trials)
    for section in read_sections(folder):
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
    place = journal(folder) if storage_url is None else f"'{shown(storage_url)}'"
    return f"optuna-dashboard {place}  (pip install 'pctrans-bench[dashboard]')"
