"""Scales as data: how large and how long, by protocol and method.

A scale is a YAML file beside this module, which may extend another scale's. Its sections override each other in this
order: the file's own `training` and `testing`, those of the protocol, those of the method, those of the method within
the protocol.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field

from benchmarks.errors import UserError
from benchmarks.plan.nested import merge
from benchmarks.plan.settings import Settings
from benchmarks.plan.yaml_text import parse_yaml

ScaleName = Literal["smoke", "quick", "long", "paper"]
Protocol = Literal["nuclei", "leaves"]
SCALES: tuple[str, ...] = get_args(ScaleName)
PROTOCOLS: tuple[str, ...] = get_args(Protocol)


class _Sections(Settings):
    training: dict[str, Any] = Field(default_factory=dict)
    testing: dict[str, Any] = Field(default_factory=dict)


class _MethodSections(_Sections):
    model: dict[str, Any] = Field(default_factory=dict)


class _ProtocolSections(_Sections):
    augmentation: str | dict[str, Any]
    """A preset's name, or changes to the preset named by `preset`."""
    methods: dict[str, _MethodSections] = Field(default_factory=dict)


class Scale(_Sections):
    """One scale file."""

    summary: str
    methods: dict[str, _MethodSections] = Field(default_factory=dict)
    protocols: dict[str, _ProtocolSections]


@cache
def load_scale(name: str) -> Scale:
    """The scale of that name.

    Raises:
        UserError: there is none.
    """
    if name not in SCALES:
        raise UserError(f"There is no scale '{name}': there are {', '.join(SCALES)}.")
    return Scale.model_validate(_read(name))


def _read(name: str) -> dict[str, Any]:
    """A scale's file on top of the one that it extends."""
    content = parse_yaml((Path(__file__).parent / f"{name}.yaml").read_text(encoding="utf-8"))
    extended = content.pop("extends", None)
    return merge(_read(extended), content) if extended else content


def scale_overrides(scale: str, protocol: str, method: str) -> dict[str, Any]:
    """`training`, `testing`, `model` and `augmentation` that a scale sets for a method."""
    sections = load_scale(scale)
    if protocol not in sections.protocols:
        raise UserError(f"There is no protocol '{protocol}': there are {', '.join(PROTOCOLS)}.")
    of_protocol = sections.protocols[protocol]
    layers: list[Any] = [sections, of_protocol]
    layers += [methods[method] for methods in (sections.methods, of_protocol.methods) if method in methods]
    merged: dict[str, Any] = {"training": {}, "testing": {}, "model": {}}
    for layer in layers:
        merged = merge(merged, {key: getattr(layer, key, {}) for key in merged})
    return merged | {"augmentation": of_protocol.augmentation}
