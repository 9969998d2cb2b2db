"""The methods that can be run, by name. A new one is a module and a line in `METHODS`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from benchmarks.errors import UserError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from benchmarks.contract import Segmenter


@dataclass(frozen=True)
class Method:
    """A method by lazy reference: listing methods imports none of them.

    Attributes:
        title: as tables print it.
        model: "module:class" of a `Segmenter`, built from its configuration, with `save_pretrained` and
            `from_pretrained`.
        config: "module:class" of that configuration, a pydantic model.
        source: publication.
        trained: False for a method without parameters; its jobs skip training.
    """

    title: str
    model: str
    config: str
    source: str
    trained: bool = True

    def config_class(self) -> type[BaseModel]:
        return _load(self.config)

    def build(self, config: Mapping[str, Any]) -> Segmenter:
        """A fresh model of a resolved configuration.

        Raises:
            UserError: pretrained weights that cannot be had.
        """
        from pctrans.backbone import PretrainedWeightsError

        try:
            return _load(self.model)(self.config_class().model_validate(dict(config)))
        except PretrainedWeightsError as error:
            raise UserError(str(error)) from error

    def load(self, folder: str) -> Segmenter:
        """The model saved in a folder."""
        return _load(self.model).from_pretrained(folder)


METHODS: dict[str, Method] = {
    "pctrans": Method(
        title="PCTrans",
        model="pctrans.model:PCTrans",
        config="pctrans.config:PCTransConfig",
        source="Chen et al., ICCV workshops 2023",
    ),
}


def get_method(name: str) -> Method:
    """The method of that name.

    Raises:
        UserError: there is none; suggests the nearest.
    """
    if name in METHODS:
        return METHODS[name]
    near = get_close_matches(name, METHODS, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(sorted(METHODS))}."
    raise UserError(f"There is no method '{name}': {hint}")


def resolve_config(name: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The complete configuration of a method, as JSON-able values.

    Raises:
        UserError: a field that does not exist, or a value out of range; names it.
    """
    try:
        return get_method(name).config_class().model_validate(dict(overrides)).model_dump(mode="json")
    except ValidationError as error:
        raise UserError(describe(error, f"configuration of {name}")) from error


def describe(error: ValidationError, what: str) -> str:
    """A validation error in the user's terms: one line a problem, with the path of the field."""
    lines = []
    for problem in error.errors(include_url=False):
        path = ".".join(str(part) for part in problem["loc"]) or "(whole)"
        if problem["type"] == "extra_forbidden":
            lines.append(f"  {path}: there is no such field")
        else:
            lines.append(f"  {path}: {problem['msg']}, got {problem['input']!r}")
    return f"The {what} is not valid:\n" + "\n".join(lines)


def _load(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)
