"""Facts of results, as sentences list them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.store.result import Result

Facts = dict[str, Any]
"""One result.json without its images."""


def facts_of(results: Iterable[Result]) -> list[Facts]:
    """Leave out what is said of single images."""
    return [result.model_dump(exclude={"images"}) for result in results]


def distinct(values: Iterable[Any]) -> str:
    """List distinct values in order of first appearance: one in a sound run, more where jobs were mixed."""
    return " / ".join(dict.fromkeys("none" if value is None else str(value) for value in values))
