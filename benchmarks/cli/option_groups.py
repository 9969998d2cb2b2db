"""Options in groups: a command takes a dataclass, and its users one option for each field.

    @grouped
    def train(*, method: Method, job: JobOptions, executor: Annotated[ExecutorChoice, without("jobs")]) -> None: ...

An option is declared once, in its group, and what is read from a group's options is a method of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, get_args, get_type_hints


@dataclass(frozen=True)
class _Without:
    names: frozenset[str]


def without(*names: str) -> _Without:
    """Annotate a group with the fields that a command does not offer; they keep their defaults."""
    return _Without(frozenset(names))


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Show typer a command that has the fields of its groups in place of the groups.

    Args:
        command: a function whose parameters are keyword-only; those annotated with a dataclass are groups. Their
            options stand in the order of the fields, where the group stands.
    """
    hints = get_type_hints(command, include_extras=True)
    parameters: list[Parameter] = []
    groups: dict[str, tuple[type, list[str]]] = {}
    for name, parameter in signature(command).parameters.items():
        group, left_out = _group(hints[name])
        if group is None:
            parameters.append(parameter.replace(annotation=hints[name]))
            continue
        options = _options(group, left_out)
        groups[name] = group, [option.name for option in options]
        parameters += options

    @wraps(command)
    def flat(**values: Any) -> None:
        for name, (group, options) in groups.items():
            values[name] = group(**{option: values.pop(option) for option in options})
        command(**values)

    flat.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    flat.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return flat


def _group(hint: Any) -> tuple[type | None, frozenset[str]]:
    """Return the dataclass that a parameter is annotated with, if it is one, and which fields are left out."""
    group, *notes = get_args(hint) or (hint,)
    if not (isinstance(group, type) and is_dataclass(group)):
        return None, frozenset()
    return group, frozenset().union(*(note.names for note in notes if isinstance(note, _Without)))


def _options(group: type, left_out: frozenset[str]) -> list[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name])
        for field in fields(group)
        if field.name not in left_out
    ]
