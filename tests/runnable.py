"""Methods as parameters of tests, some of which need a package that is not installed everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from benchmarks.plan.methods import METHODS
from benchmarks.plan.scales import SCALES

TRAINED = [name for name, method in METHODS.items() if method.trained]
AT_ALL_SCALES = [name for name, method in METHODS.items() if all(map(method.offered_at, SCALES))]


def runnable(cases: Iterable[str]) -> list[Any]:
    """Parameters that begin with a method's name; one that cannot be built here is skipped, with the reason."""
    return [pytest.param(case, marks=_skipped(case.split(",")[0])) for case in cases]


def can_be_built(name: str) -> bool:
    """Whether all that a method needs is installed."""
    return METHODS[name].lacking is None


def _skipped(name: str) -> list[pytest.MarkDecorator]:
    lacking = METHODS[name].lacking
    return [pytest.mark.skip(reason=str(lacking))] if lacking else []
