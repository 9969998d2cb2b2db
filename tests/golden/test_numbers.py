"""The numbers of an unchanged job stay, or `NUMERICS` is raised; see `make_numbers`."""

from __future__ import annotations

import json

import pytest
from golden.make_numbers import CASES, COMMAND, GOLDEN, differences, numbers, raised_since, scene
from runnable import runnable

from benchmarks.plan.job import NUMERICS
from benchmarks.plan.methods import METHODS

EXPECTED = json.loads(GOLDEN.read_text())
STALE = f"golden numbers were made with NUMERICS {EXPECTED['numerics']}, it is now {NUMERICS}: run `{COMMAND}`."


def test_golden_numbers_are_of_this_numerics() -> None:
    assert EXPECTED["numerics"] == NUMERICS, STALE
    assert not raised_since(EXPECTED), f"NUMERICS_OF_METHOD is no longer that of the golden numbers: run `{COMMAND}`."


def test_every_method_has_golden_numbers() -> None:
    assert set(EXPECTED["cases"]) == set(CASES), f"run `{COMMAND}`"
    assert {case.split(",")[0] for case in CASES} == set(METHODS)


@pytest.mark.parametrize("case", runnable(CASES))
def test_numbers_change_only_with_numerics(case: str) -> None:
    if EXPECTED["numerics"] != NUMERICS:
        pytest.fail(STALE)
    expected = EXPECTED["cases"][case]
    if lines := differences(numbers(case, expected["seed"], *scene()), expected):
        pytest.fail(
            f"Numbers of {case} changed, but NUMERICS is still {NUMERICS}: old and new results would be mixed.\n  "
            + "\n  ".join(lines)
            + "\nIf that is meant, raise NUMERICS in benchmarks/plan/job.py, or NUMERICS_OF_METHOD, and run "
            + f"`{COMMAND}`; else it is a mistake."
        )
