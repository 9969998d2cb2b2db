"""Groups of options: what typer sees, and what a command gets."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import signature
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from benchmarks.cli.option_groups import grouped, without


@dataclass(frozen=True)
class Colours:
    red: Annotated[int, typer.Option("--red", help="How red.")] = 1
    names: Annotated[list[str] | None, typer.Option("--name")] = None
    blue: Annotated[int, typer.Option("--blue")] = 3


GOT: list[tuple[str, Colours, bool]] = []


@grouped
def paint(*, what: Annotated[str, typer.Argument()], colours: Colours, wet: bool = False) -> None:
    """Paint something."""
    GOT.append((what, colours, wet))


@grouped
def redden(*, what: str, colours: Annotated[Colours, without("names", "blue")]) -> None:
    GOT.append((what, colours, False))


def call(command: object, *arguments: str) -> int:
    app = typer.Typer()
    app.command()(command)  # type: ignore[type-var]
    return CliRunner().invoke(app, list(arguments)).exit_code


def test_a_group_stands_for_an_option_a_field_where_it_stands() -> None:
    assert list(signature(paint).parameters) == ["what", "red", "names", "blue", "wet"]
    assert paint.__doc__ == "Paint something."


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["door"], ("door", Colours(), False)),
        (["door", "--red", "7", "--name", "a", "--name", "b", "--wet"], ("door", Colours(7, ["a", "b"]), True)),
    ],
)
def test_a_command_gets_the_group_as_one_value(arguments: list[str], expected: tuple[str, Colours, bool]) -> None:
    assert call(paint, *arguments) == 0 and GOT[-1] == expected


def test_what_a_command_leaves_out_is_no_option_of_it() -> None:
    assert call(redden, "door", "--red", "2") == 0 and GOT[-1] == ("door", Colours(red=2), False)
    assert call(redden, "door", "--blue", "2") == 2
