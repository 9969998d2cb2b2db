"""A study that takes seconds."""

from __future__ import annotations

from typing import Any

DATA = "synthetic-nuclei?size=64&train=2&val=2&test=1"

TINY: dict[str, Any] = {
    "name": "tiny",
    "title": "A tiny study",
    "sampler": "tpe",
    "trials": 4,
    "search": {"training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}},
}
