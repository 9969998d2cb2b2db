"""The specification of a figure in its YAML file; a figure's name is the file's name without suffix."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from benchmarks.errors import UserError, suggestion
from benchmarks.plan.specifications import NamedSpecification, find_specification, list_names, read_named
from benchmarks.plan.tables import load_table

FIGURES = Path(__file__).parent

Kind = Literal["activations", "segmentations", "candidates", "similarity"]


class FigureSpec(NamedSpecification):
    """A figure of the paper."""

    title: str
    caption: str
    kind: Kind
    table: str
    """Name of the table whose jobs are shown."""
    rows: Annotated[list[str], Field(min_length=1)] | None = None
    """Labels of the table's rows, in the order in which they are drawn; None for all that are run."""
    examples: int = Field(ge=1)
    """Number of examples: target instances (activations, candidates), test images (segmentations), or masks of similar
    queries (similarity)."""


def list_figures() -> list[str]:
    """List the names of the figures that can be made."""
    return list_names(FIGURES)


def load_figure(name: str) -> FigureSpec:
    """Load the specification of one figure.

    Raises:
        UserError: no such figure (the message suggests the nearest name).
    """
    return read_figure(find_specification(FIGURES, name, "figure"))


def read_figure(path: Path) -> FigureSpec:
    """Read and validate one specification file.

    Raises:
        UserError: the file is not YAML, has an unknown or missing key, or names a row that its table does not run.
    """
    spec = read_named(path, FigureSpec, "figure")
    table = load_table(spec.table)
    run = [row.label for row in table.rows if table.method_of(row)]
    for label in spec.rows or ():
        if label not in run:
            raise UserError(f"{path}: {spec.table} runs no row '{label}': {suggestion(label, run)}")
    return spec
