"""Nested dictionaries, as configurations are, and dotted paths into them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

NOTHING = object()
"""Not there; None is a value."""


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` on top of `base`, mapping by mapping; neither is changed."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def nest(dotted: Mapping[str, Any]) -> dict[str, Any]:
    """{"a.b": 1} -> {"a": {"b": 1}}."""
    nested: dict[str, Any] = {}
    for path, value in dotted.items():
        for part in reversed(path.split(".")):
            value = {part: value}
        nested = merge(nested, value)
    return nested


def lookup(tree: Any, path: str, default: Any = None) -> Any:
    """The value at a dotted path; `default` where there is none."""
    for part in path.split("."):
        if not isinstance(tree, Mapping) or part not in tree:
            return default
        tree = tree[part]
    return tree


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """{"a": {"b": 1}} -> ("a.b", 1); an empty mapping and a list are values."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """{"a": {"b": 1}} -> ("a.b", "1"); lists stay whole, as JSON."""
    for path, value in leaves(values, prefix):
        yield path, value if isinstance(value, str) else json.dumps(value)
