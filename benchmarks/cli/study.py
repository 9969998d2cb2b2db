"""`pctrans-bench study`: a search over settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.cli.options import (
    ConfigFile,
    Device,
    Out,
    ProtocolOption,
    Scale,
    Seeds,
    Set,
    TrackingUri,
    default_scale,
    read_overrides,
)
from benchmarks.errors import UserError

if TYPE_CHECKING:
    import optuna
    from rich.console import Console

    from benchmarks.expansion import Plan
    from studies.plan import TrainingPlan
    from studies.planning import AnyPlan
    from studies.records import TrialRecord
    from studies.sections import Section
    from studies.specs import StudySpec
    from studies.tracking import StudyTracker


def study(
    name: Annotated[str, typer.Argument(help="Name of a study, or a YAML file; `list studies` shows them.")],
    data: Annotated[
        str | None, typer.Option("--data", help="As in `run`. Default: generated nuclei, or the model's data.")
    ] = None,
    scale: Scale = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes at a time; they share the threads.")] = 1,
    trials: Annotated[int | None, typer.Option("--trials", min=1, help="Budget. Default: the study's.")] = None,
    storage: Annotated[
        str | None,
        typer.Option("--storage", help="Optuna storage URL that other machines join. Default: a file in OUT."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="Finished model, of a study without training such as `inference`.")
    ] = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Train the best settings over seeds and test them on the test split.")
    ] = False,
    seeds: Seeds = None,
    set_: Set = None,
    config: ConfigFile = None,
    protocol: ProtocolOption = None,
    device: Device = "auto",
    out: Out = Path("results"),
    tracking_uri: TrackingUri = None,
) -> None:
    """Search settings for the best validation PQ; a trial is an ordinary job. The same command continues, or joins."""
    from rich.console import Console

    from benchmarks.environment import choose_device
    from benchmarks.wishes import for_method
    from studies.plan import StudySettings
    from studies.planning import make_plan
    from studies.specs import load_study

    console = Console()
    spec = _with_budget(load_study(name), trials)
    if confirm and spec.kind == "inference":
        raise UserError(f"--confirm: the study {spec.name} trains nothing and tells of the test split by itself.")
    settings = StudySettings(
        spec=spec.model_dump(mode="json"),
        data=data or default_data(spec, model),
        scale=_scale(spec, scale),
        protocol=protocol,
        overrides=for_method(read_overrides(config, set_), spec.method),
        device=choose_device(device),
        model=str(model) if model else None,
    )
    with console.status("checking the data"):
        plan = make_plan(settings)
        plan.dataset.validate()
    _run(console, plan, out, jobs, storage, tracking_uri, _seeds(plan, seeds) if confirm else 0)


def _seeds(plan: AnyPlan, asked: int | None) -> int:
    """How many seeds confirm the best settings."""
    from benchmarks.cli.planning import Wanted

    return Wanted(scale=plan.scale, seeds=asked).number_of_seeds


def default_data(spec: StudySpec, model: Path | None) -> str:
    """The data that the model was trained on, the generated data of the study's table, else nuclei."""
    from benchmarks.tables import load_table
    from studies.inference.plan import data_of

    if spec.kind == "inference" and model is not None:
        return data_of(model)
    return load_table(spec.table).generated if spec.table else "synthetic-nuclei"


def _scale(spec: StudySpec, asked: str | None) -> str | None:
    """Of the trials; a finished model has its own."""
    if spec.kind == "inference":
        if asked:
            raise UserError(f"--scale {asked}: the study {spec.name} trains nothing; the scale is its model's.")
        return None
    return asked or spec.scale or default_scale(None)


def _with_budget(spec: StudySpec, trials: int | None) -> StudySpec:
    from studies.specs import parse_study

    if trials is None:
        return spec
    if spec.sampler == "grid":
        raise UserError(f"--trials {trials}: {spec.name} is a grid, which has a trial for each of its points.")
    fields: dict[str, Any] = spec.model_dump(mode="json") | {"trials": trials}
    for change in fields["scales"].values():
        change["trials"] = trials
    return parse_study(fields, f"study {spec.name}")


def _run(
    console: Console,
    plan: AnyPlan,
    out: Path,
    jobs: int,
    storage_url: str | None,
    tracking_uri: str | None,
    seeds: int,
) -> None:
    """Run a study to its end, confirm its best with `seeds` seeds (0: do not), and report."""
    from benchmarks.tracking.store import shown
    from studies.conductor import Conductor
    from studies.display import StudyDisplay
    from studies.folder import enter_folder
    from studies.inference.plan import InferencePlan
    from studies.plan import TrainingPlan
    from studies.storage import create_or_join, open_storage
    from studies.tracking import StudyTracker

    if plan.table is not None:
        from benchmarks.cli.planning import refuse_other_runs

        refuse_other_runs(plan.table, out)
    folder = enter_folder(plan, out)
    study = create_or_join(plan, open_storage(storage_url, folder))
    if plan.table is not None:
        _save_table(plan.table, out)
    if isinstance(plan, InferencePlan):
        with console.status("mask logits of the validation split") as status:
            plan.fill(
                folder, "val", lambda done, of: status.update(f"mask logits of the validation split: {done}/{of}")
            )
    conductor = Conductor(study, plan.spec.name, folder, out, jobs, plan.settings.device, storage_url)
    tracker = StudyTracker(plan, out, tracking_uri)
    tracker.start()
    try:
        with StudyDisplay(console, plan, out, jobs) as display:

            def look(trials: list[TrialRecord]) -> None:
                display.look(trials)
                tracker.look(trials)

            trials = conductor.run(look)
            tracker.look(trials)
        if seeds and isinstance(plan, TrainingPlan):
            confirm_best(console, plan, trials, folder, out, jobs, seeds, tracker)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    failed = any(trial.state == "failed" for trial in trials)
    tracker.finish(show_results(console, study, plan, folder, out, storage_url), failed=failed)
    console.print(
        f"{'tracking':>11}  {shown(tracker.uri)}  (pctrans-bench ui --out {out})", markup=False, soft_wrap=True
    )
    if failed:
        raise typer.Exit(1)


def _save_table(table: Plan, out: Path) -> None:
    """Tell reports which jobs stand for which row, unless the table was run with these and more."""
    import json

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
    out: Path,
    jobs: int,
    seeds: int,
    tracker: StudyTracker,
) -> None:
    """Train the best settings over seeds and record what they give on the test split.

    Raises:
        UserError: one of the seeds failed.
    """
    from benchmarks.cli.executing import execute
    from benchmarks.executors.options import ExecutorOptions
    from studies.confirmation import confirmation_jobs, record_confirmation
    from studies.records import best_trial

    best = best_trial(plan.spec, trials)
    if best is None:
        return
    planned = confirmation_jobs(plan, best, seeds)
    outcomes = execute(console, planned, out, plan.settings.device, ExecutorOptions(jobs), tracker, [plan.dataset])
    if any(outcome.status == "failed" for outcome in outcomes):
        raise UserError(f"The best settings of {plan.spec.name} are not confirmed: a seed failed, see above.")
    record_confirmation(best, planned, out, folder)


def show_results(
    console: Console, study: optuna.Study, plan: AnyPlan, folder: Path, out: Path, storage_url: str | None
) -> list[Path]:
    """Write what the study found, and say where it is; returns the files."""
    from benchmarks.cli.reporting import report_table
    from studies.display import StudyDisplay
    from studies.inference.final_look import look_at_test
    from studies.inference.plan import InferencePlan
    from studies.page import write_page
    from studies.records import read_trials
    from studies.results import train_command, write_results
    from studies.sections import read_sections

    trials = read_trials(study)
    if isinstance(plan, InferencePlan):
        with console.status("the test split, once"):
            look_at_test(plan, trials, folder)
    results = write_results(study, plan, folder)
    dashboard = dashboard_command(folder, storage_url)
    commands = [dashboard]
    if results.best:
        commands.insert(0, train_command(plan, results.best))
    page = write_page(plan, trials, results.pictures, read_sections(folder), commands, folder)
    files = [page, *results.files]
    if plan.table is not None:
        files += report_table(console, out, plan.table.table.name)
    StudyDisplay(console, plan, out, 1).print_results(trials)
    for section in read_sections(folder):
        _show_section(console, section)
    places = {"page": page, "best": results.best or "none: no trial is complete", "trials": results.trials}
    places |= {name: picture.path for name, picture in results.pictures.items() if picture.path}
    for title, place in places.items():
        console.print(f"{title:>11}  {place}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{'look closer':>11}  {dashboard}", markup=False, highlight=False, soft_wrap=True)
    return files


def _show_section(console: Console, section: Section) -> None:
    from rich.table import Table

    table = Table(*section.headings, title=section.title, title_justify="left")
    for row in section.rows:
        table.add_row(*row)
    console.print(table)
    console.print(" ".join(section.lines), style="dim", highlight=False)


def dashboard_command(folder: Path, storage_url: str | None) -> str:
    """The command that opens the study in Optuna's own pages."""
    from benchmarks.tracking.store import shown
    from studies.storage import journal

    place = journal(folder) if storage_url is None else f"'{shown(storage_url)}'"
    return f"optuna-dashboard {place}  (pip install 'pctrans-bench[dashboard]')"
