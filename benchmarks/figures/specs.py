"""What a figure's YAML file says. Names are the file names without suffix."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from benchmarks.errors import UserError
from benchmarks.suggestions import suggestion
from benchmarks.tables import load_table

FIGURES = Path(__file__).parent

Kind = Literal["activations", "segmentations", "candidates", "similarity"]


class FigureSpec(BaseModel):
    """A figure of the paper."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
    title: str
    caption: str
    kind: Kind
    table: str
    """Whose jobs are shown."""
    rows: Annotated[list[str], Field(min_length=1)] | None = None
    """Labels of the table's rows, in the order in which they are drawn; None: all that are run."""
    examples: int = Field(ge=1)
    """What is shown of each row: target instances (activations, candidates), test images (segmentations), or masks of
    similar queries (similarity)."""


def list_figures() -> list[str]:
    """Names of the figures that can be made."""
    return sorted(path.stem for path in FIGURES.glob("*.yaml"))


def load_figure(name: str) -> FigureSpec:
    """The specification of one figure.

    Raises:
        UserError: no such figure (the message suggests the nearest name).
    """
    known = list_figures()
    if name not in known:
        raise UserError(f"There is no figure '{name}': {suggestion(name, known)}")
    return read_figure(FIGURES / f"{name}.yaml")


def read_figure(path: Path) -> FigureSpec:
    """Read and validate one specification file.

    Raises:
        UserError: the file is not YAML, has an unknown or missing key, or names a row that its table does not run.
    """
    try:
        spec = FigureSpec.model_validate(yaml.safe_load(path.read_text()))
    except (yaml.YAMLError, ValidationError) as error:
        raise UserError(f"{path} is not a figure specification: {error}") from error
    if spec.name != path.stem:
        raise UserError(f"{path} calls its figure '{spec.name}': name and file name have to agree.")
    table = load_table(spec.table)
    run = [row.label for row in table.rows if table.method_of(row)]
    for label in spec.rows or ():
        if label not in run:
            raise UserError(f"{path}: {spec.table} runs no row '{label}': {suggestion(label, run)}")
    return spec
