"""Two processes with half of a batch each take the step that one process takes with the whole batch."""

from __future__ import annotations

import numpy as np
import pytest
from runnable import TRAINED, can_be_built
from slices import Case, Step, take_step, take_steps

from benchmarks.training.processes import run_processes

HERE = [name for name in TRAINED if can_be_built(name)]
BATCHES = {
    "mixed": (3, 1, 0, 64),  # the last image has more instances than PCTrans and Mask2Former have queries
    "no instance in one half": (20, 2, 0, 0),
    "one instance in all": (0, 0, 0, 1),
    "no instance": (0, 0, 0, 0),
}
CASES = {(name, batch): Case(name, squares, {}) for name in HERE for batch, squares in BATCHES.items()} | {
    ("pctrans", "released contrast"): Case("pctrans", (3, 1, 0, 64), {"query_contrast_form": "released"}),
    ("pctrans", "micro-batches"): Case("pctrans", (3, 1, 0, 64), {}, micro_batch_size=2),
    ("osformer", "micro-batches"): Case("osformer", (3, 1, 0, 64), {}, micro_batch_size=2),
}

HALF_PRECISION = ("discriminative", "bfloat16")
ALL_CASES = CASES | {HALF_PRECISION: Case("discriminative", (3, 1, 0, 64), {}, precision="bfloat16")}


@pytest.fixture(scope="module")
def of_two() -> dict[tuple[str, str], list[Step]]:
    """The steps of two processes."""
    results = run_processes(take_steps, (list(ALL_CASES.values()),), ["cpu", "cpu"], told=lambda *_: None)
    return {key: list(steps) for key, steps in zip(ALL_CASES, zip(*results, strict=True), strict=True)}


@pytest.mark.parametrize("key", CASES, ids=" ".join)
def test_two_halves_train_as_the_whole(key: tuple[str, str], of_two: dict[tuple[str, str], list[Step]]) -> None:
    whole, halves = take_step(CASES[key]), of_two[key]
    for half in halves:
        assert half.losses == pytest.approx(whole.losses, rel=1e-5, abs=1e-6)
        assert half.gradients.keys() == whole.gradients.keys()
        scale = np.sqrt(sum(np.square(g).sum() for g in whole.gradients.values()))
        for name, expected in whole.gradients.items():
            error = np.linalg.norm(half.gradients[name] - expected)
            assert error <= 1e-3 * np.linalg.norm(expected) + 1e-6 * scale, name
        for name, expected in whole.state.items():
            np.testing.assert_allclose(half.state[name], expected, rtol=1e-4, atol=1e-5 * max(1, scale), err_msg=name)


def test_half_precision_is_shared_too(of_two: dict[tuple[str, str], list[Step]]) -> None:
    whole = take_step(ALL_CASES[HALF_PRECISION])
    for half in of_two[HALF_PRECISION]:
        assert half.losses == pytest.approx(whole.losses, rel=0.01)
        for name, expected in whole.gradients.items():
            error = np.linalg.norm(half.gradients[name] - expected)
            assert error <= 0.1 * np.linalg.norm(expected), name


@pytest.mark.parametrize("key", ALL_CASES, ids=" ".join)
def test_the_processes_stay_the_same(key: tuple[str, str], of_two: dict[tuple[str, str], list[Step]]) -> None:
    first, second = of_two[key]
    for name, value in first.state.items():
        assert np.array_equal(value, second.state[name]), name


def test_the_tolerance_would_show_losses_that_are_averaged_over_halves() -> None:
    """As they would be if each process divided by its own counts."""
    whole = take_step(Case("pctrans", (3, 1, 0, 40), {})).losses
    halves = take_step(Case("pctrans", (3, 1, 0, 40), {}, micro_batch_size=2)).losses
    for name in ("mask_bce", "mask_dice", "point", "semantic"):
        assert halves[name] != pytest.approx(whole[name], rel=1e-3)
