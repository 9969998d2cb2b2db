"""How a model's configuration is stored beside its weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel

C = TypeVar("C", bound=BaseModel)
Coders = dict[type, tuple[Callable[[Any], Any], Callable[[Any], Any]]]


def config_coder(config_class: type[C]) -> Coders:
    """The hub mixin's `coders` for a configuration: JSON on disk, validated when it is read.

    Saved weights replace the pretrained ones, which need not be at hand when they are loaded.
    """

    def load(data: dict[str, Any]) -> C:
        if data.get("backbone"):
            data = data | {"backbone": data["backbone"] | {"pretrained": None}}
        return config_class.model_validate(data)

    return {config_class: (lambda config: config.model_dump(mode="json"), load)}
