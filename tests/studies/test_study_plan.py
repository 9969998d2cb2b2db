"""From a study to jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.data import Dataset
from benchmarks.errors import UserError
from benchmarks.plan.expansion import expand_table
from benchmarks.plan.job import JobContext
from benchmarks.plan.overrides import for_method
from benchmarks.plan.resolving import make_job
from benchmarks.plan.tables import load_table
from studies.plan import TrainingPlan

Make = Callable[..., TrainingPlan]


@pytest.mark.parametrize(
    ("study", "table"),
    [("temperatures", "table5"), ("layers", "table6"), ("mask-channels", "table7"), ("queries", "table8")],
)
def test_trials_of_a_grid_study_are_the_rows_of_its_table(
    make_plan: Make, dataset: Dataset, study: str, table: str
) -> None:
    rows = expand_table(
        load_table(table), JobContext.on(dataset, "smoke"), seeds=1, overrides={"training": {"iterations": 2}}
    )
    plan = make_plan(study)
    assert sorted(plan.job(point).key for point in plan.grid()) == sorted(planned.job.key for planned in rows.jobs)


@pytest.mark.parametrize("study", ["temperatures", "layers", "learning-rate", "loss-weights", "budget"])
def test_a_point_as_configuration_is_the_same_job_for_train(make_plan: Make, dataset: Dataset, study: str) -> None:
    plan = make_plan(study)
    point = {path: search.examples()[-1] for path, search in plan.spec.search.items()}
    again = make_job(
        "pctrans", JobContext.on(dataset, "smoke"), seed=0, overrides=for_method(plan.config_of(point), "pctrans")
    )
    assert again.key == plan.job(point).key


def test_a_point_is_for_its_methods_row_of_a_table_of_several(make_plan: Make, dataset: Dataset) -> None:
    plan = make_plan("learning-rate")
    config = plan.config_of({"training.learning_rate": 0.02, "training.weight_decay": 0.3})
    assert config["training"] == {"iterations": 2}  # all rows have the budget that the user gave all trials
    jobs = expand_table(load_table("table1"), JobContext.on(dataset, "smoke"), seeds=1, overrides=config).jobs
    rates = {planned.job.method: planned.job.training.learning_rate for planned in jobs if planned.job.trained}
    assert rates.pop("pctrans") == 0.02 and 0.02 not in rates.values()
    assert {planned.job.training.iterations for planned in jobs if planned.job.trained} == {2}


@pytest.mark.parametrize("table", ["table1", "table2", "table3", "table4", "table6", "table7", "table8"])
def test_temperatures_that_were_found_are_for_every_table_but_their_own(
    make_plan: Make, dataset: Dataset, table: str
) -> None:
    config = make_plan("temperatures").config_of({"model.query_temperature": 0.5, "model.mask_temperature": 2.0})
    jobs = expand_table(load_table(table), JobContext.on(dataset, "smoke"), seeds=1, overrides=config).jobs
    found = [planned.job.model for planned in jobs if planned.job.method == "pctrans"]
    assert {(model["query_temperature"], model["mask_temperature"]) for model in found} == {(0.5, 2.0)}


def test_seeds_of_a_point_are_seeds_of_the_row(make_plan: Make, dataset: Dataset) -> None:
    rows = expand_table(
        load_table("table7"), JobContext.on(dataset, "smoke"), seeds=2, overrides={"training": {"iterations": 2}}
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
        ({"model.inference": {"values": [8]}}, "it is a section: say which of model.inference.averaging"),
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
