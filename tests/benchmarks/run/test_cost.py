from __future__ import annotations

import pytest
import torch
from runnable import AT_ALL_SCALES, TRAINED, can_be_built, runnable

from benchmarks.data import open_dataset
from benchmarks.plan.job import Job, JobContext
from benchmarks.plan.methods import get_method
from benchmarks.plan.resolving import make_job, model_at
from benchmarks.run.cost import parameters_at, training_flops

DATA = open_dataset("synthetic-nuclei?size=64&train=2&val=1&test=1")


def job(method: str, **training: int) -> Job:
    return make_job(
        method,
        JobContext.on(DATA, "smoke"),
        seed=0,
        overrides={"training": training},
    )


def flops(job: Job) -> int:
    return training_flops(get_method(job.method).build(job.model), job, DATA, "cpu")


@pytest.mark.parametrize("method", runnable(name for name in TRAINED if name in AT_ALL_SCALES))
def test_the_operations_of_a_crop_grow_with_its_area_and_not_with_the_batch(method: str) -> None:
    small = flops(job(method))
    assert flops(job(method, batch_size=8)) == small
    ratio = flops(job(method, crop=128)) / small
    assert 2 < ratio < 8, "four times the pixels; matching and attention are not linear in them"


def test_counting_leaves_the_random_numbers_alone() -> None:
    wanted = job("pctrans")
    model = get_method("pctrans").build(wanted.model)
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    training_flops(model, wanted, DATA, "cpu")
    assert torch.equal(torch.rand(2), expected)


def test_parameters_are_counted_without_making_them() -> None:
    for name in filter(can_be_built, AT_ALL_SCALES):
        model = model_at(name, "smoke", "nuclei")
        built = get_method(name).build(model)
        made = sum(p.numel() for p in built.parameters()) if isinstance(built, torch.nn.Module) else 0
        assert parameters_at(name, model) == made
