"""Options that several commands share, one by one and in groups, and how they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.errors import UserError
from benchmarks.links import refuse_linked_folders
from benchmarks.plan.nested import merge, nest

if TYPE_CHECKING:
    from benchmarks.data import Dataset
    from benchmarks.plan.job import Job
    from benchmarks.plan.starting import StartingModel


def model_place(text: str) -> Path:
    """Read where a model lies, as `model_path`, and say so where a built-in one hides a folder of its name."""
    from pctrans.pretrained import built_in_model, model_path

    path = model_path(text)
    if built_in_model(path) is not None and path.exists():
        typer.echo(f"note: {text} is the model that comes with the package; the folder here is ./{text}", err=True)
    return path


OUT_HELP = "Folder of results; made if needed, continued if there."
FILLED_HELP = "Folder of results that `run` filled."
FILLED_BY_ANY_HELP = "Folder of results that `run`, `train` or `study` filled."


def _one_results_folder(out: Path) -> Path:
    from benchmarks.store.several_data import refuse_several

    return refuse_several(refuse_linked_folders(out))


Out = Annotated[Path, typer.Option("--out", help=OUT_HELP, callback=_one_results_folder)]
OutOrSeveral = Annotated[Path, typer.Option("--out", help=OUT_HELP, callback=refuse_linked_folders)]
"""For commands that know what to do with a folder of several data sets."""
Filled = Annotated[Path, typer.Option("--out", help=FILLED_HELP, callback=_one_results_folder)]
"""For commands that say what finished jobs of tables come to."""
FilledOrSeveral = Annotated[Path, typer.Option("--out", help=FILLED_HELP, callback=refuse_linked_folders)]
FilledByAny = Annotated[Path, typer.Option("--out", help=FILLED_BY_ANY_HELP, callback=_one_results_folder)]
FilledByAnyOrSeveral = Annotated[Path, typer.Option("--out", help=FILLED_BY_ANY_HELP, callback=refuse_linked_folders)]

DATA_HELP = (
    "folder:PATH, coco:PATH, bbbc039:PATH, cvppp-a1:PATH, union:FILE, synthetic-nuclei or synthetic-rosettes "
    "(`list datasets`)"
)

Data = Annotated[str, typer.Option("--data", help=f"{DATA_HELP}.")]
SeveralData = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        help=f"{DATA_HELP}, for every table named; several times: a folder below --out for each, and a comparison. "
        "Default: generated nuclei, and rosettes for table2.",
    ),
]
Names = Annotated[
    list[str],
    typer.Argument(metavar="NAME...", help="Tables and figures, or `all`; `list tables` and `list figures` show them."),
]
Seeds = Annotated[
    int | None,
    typer.Option("--seeds", min=1, help="Seeds a trained row: 0, 1, … Default: 3, at scale smoke 1."),
]
Scale = Annotated[
    str | None,
    typer.Option(
        "--scale",
        help="smoke, quick, long or paper. Default: paper with an accelerator (a GPU that torch reaches by CUDA), "
        "quick without.",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=C", help="Set a field: model.…, training.…, testing.…, augmentation.…"),
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="YAML with the same sections as --set; --set wins.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, …")]
ProtocolOption = Annotated[
    str | None,
    typer.Option("--protocol", help="nuclei or leaves: crop, augmentation, thresholds. Default: by the data."),
]
TrackingUri = Annotated[
    str | None,
    typer.Option("--tracking-uri", help="MLflow server or database. Default: sqlite in the --out folder."),
]


@dataclass(frozen=True)
class JobOptions:
    """Options that change what a job is, in every command that makes jobs of one method."""

    set_: Set = None
    config: ConfigFile = None
    protocol: ProtocolOption = None
    device: Device = "auto"

    @property
    def overrides(self) -> dict[str, Any]:
        """The settings of `--config` and `--set`."""
        return read_overrides(self.config, self.set_)


@dataclass(frozen=True)
class TableOptions:
    """Options that say what the jobs of tables and figures are, and where their results lie."""

    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help=f"{DATA_HELP}, for every table named. Default: generated nuclei, and rosettes for table2.",
        ),
    ] = None
    scale: Scale = None
    seeds: Seeds = None
    rows: Annotated[str | None, typer.Option("--rows", help="Only these rows of a table, such as 1,8 or 2-4.")] = None
    set_: Set = None
    config: ConfigFile = None
    external: Annotated[
        list[str] | None,
        typer.Option("--external", metavar="NAME=FOLDER", help="Add a row: label maps or outlines made elsewhere."),
    ] = None
    allow_unequal: Annotated[
        bool, typer.Option("--allow-unequal", help="Let rows differ in data, budget or tiling; reports say so.")
    ] = False
    protocol: ProtocolOption = None
    device: Device = "auto"
    out: OutOrSeveral = Path("results")


def default_scale(asked: str | None) -> str:
    """Return the scale that was asked for, else the one that suits the hardware."""
    if asked:
        return asked
    from benchmarks.machine.environment import has_accelerator

    return "paper" if has_accelerator() else "quick"


def read_overrides(config: Path | None, assignments: Sequence[str] | None) -> dict[str, Any]:
    """Read sections from a YAML file, then `a.b=c` on top; c is read as YAML, so 1e-4, true and null are values.

    Raises:
        UserError: a file or an assignment that cannot be read.
    """
    import yaml

    from benchmarks.plan.yaml_text import parse_yaml

    overrides: dict[str, Any] = {}
    if config is not None:
        try:
            overrides = parse_yaml(config.read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise UserError(f"{config} cannot be read as YAML: {error}") from error
        if not isinstance(overrides, dict):
            raise UserError(f"{config} has to hold sections (model:, training:, …), not a {type(overrides).__name__}.")
    typed: dict[str, Any] = {}
    for assignment in assignments or ():
        path, equals, text = assignment.partition("=")
        if not equals or not all(path.split(".")):
            raise UserError(f"--set {assignment}: expected a.b=c, such as training.iterations=300.")
        if isinstance(by_method := overrides.get("methods"), dict):
            overrides["methods"] = {name: _without(sections, path.split(".")) for name, sections in by_method.items()}
        typed = merge(typed, nest({path: _value(text)}))
    return merge(overrides, typed)


def _without(sections: Any, path: Sequence[str]) -> Any:
    """Return sections less what they hold at a path: a file's for one method would win over what is typed for all."""
    first, *rest = path
    if not isinstance(sections, dict) or first not in sections:
        return sections
    if rest:
        return sections | {first: _without(sections[first], rest)}
    return {name: section for name, section in sections.items() if name != first}


def one_job(
    method: str,
    dataset: Dataset,
    options: JobOptions,
    *,
    scale: str | None,
    device: str,
    seed: int = 0,
    start: StartingModel | None = None,
) -> Job:
    """Make the job that the options of `train` and `speed` describe.

    Args:
        device: the one that was chosen by `options.device`.
        start: a trained model whose weights training starts from.

    Raises:
        UserError: settings that are not valid, or a method that cannot be run here.
    """
    from benchmarks.plan.job import JobContext
    from benchmarks.plan.methods import get_method
    from benchmarks.plan.overrides import for_method
    from benchmarks.plan.resolving import make_job

    scale = default_scale(scale)
    if obstacle := get_method(method).obstacle(scale):
        raise UserError(f"{obstacle}.")
    return make_job(
        method,
        JobContext.on(dataset, scale, options.protocol, device),
        seed=seed,
        overrides=for_method(options.overrides, method),
        start=start,
    )


def _value(text: str) -> Any:
    import yaml

    from benchmarks.plan.yaml_text import parse_yaml

    try:
        value = parse_yaml(text)
    except yaml.YAMLError as error:
        raise UserError(f"--set …={text}: not a YAML value: {error}") from error
    if isinstance(value, str):
        try:
            return float(value)  # YAML 1.1 takes 1e-4 for text
        except ValueError:
            return value
    return value
