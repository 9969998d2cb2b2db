"""`pctrans-bench study`: a search over settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.cli.executor_choice import ExecutorChoice
from benchmarks.cli.option_groups import grouped
from benchmarks.cli.options import JobOptions, Out, Scale, TrackingUri, default_scale, model_place
from benchmarks.errors import UserError

if TYPE_CHECKING:
    from benchmarks.run.executors.options import ExecutorOptions
    from studies.plans import AnyPlan
    from studies.specification import StudySpec


@grouped
def study(
    *,
    name: Annotated[str, typer.Argument(help="Name of a study, or a YAML file; `list studies` shows them.")],
    data: Annotated[
        str | None,
        typer.Option(
            "--data", help="As in `run`. Default: generated nuclei, or the data of a model that is not packed."
        ),
    ] = None,
    scale: Scale = None,
    trials: Annotated[int | None, typer.Option("--trials", min=1, help="Budget. Default: the study's.")] = None,
    storage: Annotated[
        str | None,
        typer.Option("--storage", help="Optuna storage URL that other machines join. Default: a file in OUT."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            parser=model_place,
            metavar="MODEL",
            help="Finished model, of a study without training such as `inference`.",
        ),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try failed trials again, once their cause is mended.")
    ] = False,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Train the best settings over seeds and test them on the test split.")
    ] = False,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds",
            min=1,
            help="Seeds of --confirm: 0, 1, … Default: 3, at scale smoke 1. Trials have seed 0.",
        ),
    ] = None,
    job_options: JobOptions,
    executor: ExecutorChoice,
    out: Out = Path("results"),
    tracking_uri: TrackingUri = None,
) -> None:
    """Search settings for the best validation PQ; a trial is an ordinary job. The same command continues, or joins."""
    from benchmarks.cli.job_runner import choose_job_device
    from benchmarks.cli.study_runner import StudyOptions, run_study
    from benchmarks.machine.terminal import text_console
    from benchmarks.plan.overrides import for_method
    from studies.plan import StudySettings
    from studies.plans import make_plan
    from studies.specification import load_study

    console = text_console()
    spec = _with_budget(load_study(name), trials)
    where = executor.options()
    _refuse_idle_options(spec, model=model, confirm=confirm, seeds=seeds, protocol=job_options.protocol)
    _refuse_other_machines(spec, where)
    settings = StudySettings(
        spec=spec.model_dump(mode="json"),
        data=data or default_data(spec, model),
        scale=_scale(spec, scale),
        protocol=job_options.protocol,
        overrides=for_method(job_options.overrides, spec.method),
        device=choose_job_device(job_options.device, where),
        model=str(model) if model else None,
    )
    with console.status("checking the data"):
        plan = make_plan(settings)
        plan.dataset.validate()
    if confirm and not plan.dataset.has_test_split:
        raise UserError(
            f"--confirm: {plan.settings.data} has no other split with truth than the one that chooses. Confirm the "
            "best settings on other data: `train --config best.yaml`."
        )
    options = StudyOptions(
        out,
        where,
        _trials_at_a_time(plan, where),
        storage,
        tracking_uri,
        retry_failed=retry_failed,
        seeds=_seeds(plan, seeds) if confirm else 0,
    )
    if not run_study(console, plan, options):
        raise typer.Exit(1)


LEARNING = 4
"""Trials at a time on a cluster, where the user says nothing: a sampler that learns from trials that have ended has
little to learn from if all are begun at once."""


def _trials_at_a_time(plan: AnyPlan, where: ExecutorOptions) -> int:
    """Return what the user says, else what suits the place.

    That is all points of a grid or a few trials on a cluster, as many as a CPU has cores and memory for, and one on an
    accelerator.
    """
    from benchmarks.machine.devices import jobs_that_fit

    if where.slurm is not None:
        return where.slurm.max_parallel or (len(plan.grid()) if plan.spec.sampler == "grid" else LEARNING)
    return where.jobs or (jobs_that_fit(plan.threads * where.gpus_per_job) if plan.threads else 1)


def _refuse_other_machines(spec: StudySpec, where: ExecutorOptions) -> None:
    """Refuse options of training for a study that trains nothing, which is over before a cluster has begun it."""
    if spec.kind == "inference" and where.slurm is not None:
        raise UserError(f"--executor slurm: the study {spec.name} trains nothing; it runs on this machine.")
    if spec.kind == "inference" and where.gpus_per_job > 1:
        raise UserError(f"--gpus-per-job {where.gpus_per_job}: the study {spec.name} trains nothing.")


def _refuse_idle_options(
    spec: StudySpec, *, model: Path | None, confirm: bool, seeds: int | None, protocol: str | None
) -> None:
    """Refuse options that would have no effect."""
    if spec.kind == "inference":
        if confirm:
            raise UserError(f"--confirm: the study {spec.name} trains nothing and tells of the test split by itself.")
        if protocol:
            raise UserError(f"--protocol {protocol}: the study {spec.name} tests as its model's job did.")
    elif model is not None:
        raise UserError(f"--model {model}: the study {spec.name} trains its own models.")
    if seeds is not None and not confirm:
        raise UserError(f"--seeds {seeds} are those of --confirm; the trials of a study have seed 0.")


def _seeds(plan: AnyPlan, asked: int | None) -> int:
    """Return how many seeds confirm the best settings."""
    from benchmarks.cli.experiments import RunRequest

    return RunRequest(scale=plan.scale, seeds=asked).number_of_seeds


def default_data(spec: StudySpec, model: Path | None) -> str:
    """Return the data that the model was trained on, the generated data of the study's table, else nuclei."""
    from benchmarks.plan.tables import load_table
    from studies.inference.plan import data_of

    if spec.kind == "inference" and model is not None:
        return data_of(model)
    return load_table(spec.table).generated if spec.table else "synthetic-nuclei"


def _scale(spec: StudySpec, asked: str | None) -> str | None:
    """Return the scale of the trials; a finished model has its own."""
    if spec.kind == "inference":
        if asked:
            raise UserError(f"--scale {asked}: the study {spec.name} trains nothing; the scale is its model's.")
        return None
    return asked or spec.scale or default_scale(None)


def _with_budget(spec: StudySpec, trials: int | None) -> StudySpec:
    from studies.specification import parse_study

    if trials is None:
        return spec
    if spec.sampler == "grid":
        raise UserError(f"--trials {trials}: {spec.name} is a grid, which has a trial for each of its points.")
    fields: dict[str, Any] = spec.model_dump(mode="json") | {"trials": trials}
    for change in fields["scales"].values():
        change["trials"] = trials
    return parse_study(fields, f"study {spec.name}")
