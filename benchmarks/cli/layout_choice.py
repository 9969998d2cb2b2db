"""Options that say how tables are laid out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.errors import UserError

if TYPE_CHECKING:
    from reports.layout import Layout


class LayoutName(StrEnum):
    """How a table is laid out."""

    full = "full"
    paper = "paper"


class PublishedPlace(StrEnum):
    """Where a table as the paper has it shows the published figures."""

    none = "none"
    column = "column"
    block = "block"


@dataclass(frozen=True)
class LayoutChoice:
    """The layout of tables in LaTeX, Markdown and on the terminal; the CSV and the page always have everything."""

    layout: Annotated[
        LayoutName,
        typer.Option(
            "--layout",
            help="full: published, measured, difference, significance. paper: the paper's own table with the measured "
            "figures, ready to paste.",
        ),
    ] = LayoutName.full
    published: Annotated[
        PublishedPlace | None,
        typer.Option(
            "--published",
            help="With --layout paper: where the published figures stand, none (default), column (beside the measured) "
            "or block (below).",
        ),
    ] = None

    def read(self) -> Layout:
        """Read the options.

        Raises:
            UserError: a place for published figures in the full layout, which has its own.
        """
        from reports.layout import FULL, Layout

        if self.layout is LayoutName.full:
            if self.published is not None:
                raise UserError(
                    f"--published {self.published} is for --layout paper: the full layout always shows the published "
                    "figures beside the measured ones. Give --layout paper, or leave --published out."
                )
            return FULL
        return Layout(paper=True, published=(self.published or PublishedPlace.none).value)
