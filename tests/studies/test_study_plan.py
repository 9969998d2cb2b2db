"""From a study to jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.data import Dataset
from benchmarks.errors import UserError
from benchmarks.expansion import expand_table
from benchmarks.tables import load_table
from studies.plan import TrainingPlan

Make = Callable[..., TrainingPlan]


@pytest.mark.parametrize(
    ("study", "table"),
    [("temperatures", "table5"), ("layers", "table6"), ("mask-channels", "table7"), ("queries", "table8")],
)
def test_trials_of_a_grid_study_are_the_rows_of_its_table(
    make_plan: Make, dataset: Dataset, study: str, table: str
) -> None:
    rows = expand_table(load_table(table), dataset, scale="smoke", seeds=1, overrides={"training": {"iterations": 2}})
    plan = make_plan(study)
    assert sorted(plan.job(point).key for point in plan.grid()) == sorted(planned.job.key for planned in rows.jobs)


def test_a_point_with_its_overrides_is_the_same_job_for_train(make_plan: Make, dataset: Dataset) -> None:
    from benchmarks.expansion import reference
    from benchmarks.jobs import make_job

    for name in ("temperatures", "layers"):
        plan = make_plan(name)
        point = plan.grid()[-1]
        again = make_job(
            "pctrans", reference(dataset), split="test", scale="smoke", protocol="nuclei", seed=0,
            overrides=plan.overrides(point),
        )  # fmt: skip
        assert again.key == plan.job(point).key


def test_seeds_of_a_point_are_seeds_of_the_row(make_plan: Make, dataset: Dataset) -> None:
    rows = expand_table(
        load_table("table7"), dataset, scale="smoke", seeds=2, overrides={"training": {"iterations": 2}}
    )
    plan = make_plan("mask-channels")
    assert plan.job_of_seed({"model.mask_channels": 8}, 1).key == rows.jobs[3].job.key


def test_what_a_trial_records_is_no_part_of_its_key(make_plan: Make) -> None:
    params = {"training.learning_rate": 1e-3}
    pruned, plain = make_plan(pruner={"kind": "halving", "validations": 2}), make_plan()
    assert pruned.job(params).training.validate_every == 1
    assert pruned.job(params).key == plain.job(params).key


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({"model.num_querys": {"values": [8]}}, "which pctrans does not have: did you mean 'model.num_queries'"),
        ({"model.inference": {"values": [8]}}, "it is a section: say which of model.inference.binarise_threshold"),
        ({"modell.num_queries": {"values": [8]}}, "did you mean 'model.num_queries'"),
        ({"model.num_queries": {"values": [8, 0]}}, "model.num_queries cannot be 0"),
        ({"model.num_queries": {"low": 1, "high": 8}}, "model.num_queries cannot be 3.2"),
        ({"training.learning_rate": {"low": -1, "high": 1}}, "training.learning_rate cannot be -1"),
        ({"training.validate_every": {"values": [1, 2]}}, "has no effect on the result"),
    ],
)  # fmt: skip
def test_settings_that_are_not_there_or_not_valid_are_named(make_plan: Make, search: Any, said: str) -> None:
    with pytest.raises(UserError) as raised:
        make_plan(search=search)
    assert said in str(raised.value)


def test_a_grid_that_is_not_its_table_is_refused(make_plan: Make) -> None:
    with pytest.raises(UserError, match="differ in"):
        make_plan(table="table7", sampler="grid", trials=None, search={"model.mask_channels": {"values": [4, 8]}})
    with pytest.raises(UserError, match="has to search what table7 varies"):
        make_plan(table="table7", sampler="grid", trials=None, search={"model.num_queries": {"values": [4, 8]}})


def test_the_user_cannot_undo_what_is_searched(make_plan: Make) -> None:
    with pytest.raises(UserError, match=r"training\.learning_rate is what the study tiny sets itself"):
        make_plan(overrides={"training": {"learning_rate": 1e-3}})


def test_defaults_are_those_of_the_scale(make_plan: Make) -> None:
    assert make_plan().defaults == {"training.learning_rate": 1e-3}
    assert make_plan(search={"training.learning_rate": {"low": 0.1, "high": 0.2}}).defaults is None


def test_the_digest_follows_what_decides_and_nothing_else(make_plan: Make) -> None:
    digest = make_plan().digest
    assert make_plan(title="another", trials=9).digest == digest
    assert make_plan(seed=1).digest != digest
    assert make_plan(overrides={"training": {"iterations": 3}}).digest != digest
    assert make_plan(search={"training.learning_rate": {"low": 1e-4, "high": 1e-1}}).digest != digest
