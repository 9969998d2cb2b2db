"""Parameters of this project's methods at each scale, counted before: to build a model for it takes seconds."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from benchmarks.plan.yaml_text import parse_yaml

FILE = Path(__file__).with_suffix(".yaml")


@cache
def known_parameters() -> dict[str, dict[str, int]]:
    """Read how many parameters each own trained method has at each scale (protocol nuclei)."""
    counts: dict[str, dict[str, int]] = parse_yaml(FILE.read_text(encoding="utf-8"))
    return counts
