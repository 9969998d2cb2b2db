"""Rows of one table are given the same, or the table is refused."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.data import Dataset, open_dataset
from benchmarks.errors import UserError
from benchmarks.plan.expansion import Plan, expand_table
from benchmarks.plan.fairness import inequalities
from benchmarks.plan.job import Job, JobContext
from benchmarks.plan.nested import nest
from benchmarks.plan.scales import SCALES
from benchmarks.plan.tables import load_table

PEERS = ["StarDist-ResNet", "Cellpose-ResNet", "Mask R-CNN-ResNet"]
TRAINED = ["Discriminative", "OSFormer", "Mask2Former", "PCTrans", *PEERS]


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return open_dataset("synthetic-nuclei?size=64&train=2&val=1&test=1")


def plan(dataset: Dataset, *wishes: str, **arguments: Any) -> Plan:
    overrides: dict[str, Any] = nest(dict(wish.split("=") for wish in wishes))
    context = JobContext.on(dataset, "smoke")
    return expand_table(load_table("table1"), context, overrides=overrides, **{"seeds": 1, **arguments})


def labelled(plan: Plan) -> list[tuple[str, Job]]:
    return [(planned.label, planned.job) for planned in plan.jobs]


def test_the_tables_as_they_are_shipped_are_equal(dataset: Dataset) -> None:
    for scale in SCALES:
        for name in ("table1", "table2"):
            for protocol in ("nuclei", "leaves"):
                made = expand_table(load_table(name), JobContext.on(dataset, scale=scale, protocol=protocol), seeds=2)
                assert inequalities(labelled(made)) == []
                expected = TRAINED[:-1] if name == "table2" else [*TRAINED, *(["EoMT"] if scale == "paper" else [])]
                assert [label for label, job in labelled(made) if job.trained and job.seed == 1] == expected


@pytest.mark.parametrize(
    ("wish", "field", "value"),
    [
        ("methods.osformer.training.iterations=9", "training.iterations", "9 (OSFormer)"),
        ("methods.pctrans.training.batch_size=4", "training.batch_size", "4 (PCTrans)"),
        ("methods.pctrans.training.crop=96", "training.crop", "96 (PCTrans)"),
        ("methods.mask2former.testing.overlap=8", "testing.overlap", "8 (Mask2Former)"),
        ("methods.mask2former.testing.tile=96", "testing.tile", "96 (Mask2Former)"),
        ("methods.discriminative.testing.flips=true", "testing.flips", "(Discriminative)"),
        ("methods.pctrans.testing.threshold_trials=99", "testing.threshold_trials", "99 (PCTrans)"),
        ("methods.osformer.testing.threshold_images=2", "testing.threshold_images", "2 (OSFormer)"),
        ("methods.pctrans.training.precision=bfloat16", "training.precision", "bfloat16 (PCTrans)"),
        ("methods.pctrans.training.threads=2", "training.threads", "2 (PCTrans)"),
        ("methods.pctrans.model.backbone.name=resnet34", "model.backbone.name", "resnet34 (PCTrans)"),
        ("methods.pctrans.model.backbone.width=16", "model.backbone.width", "16 (PCTrans)"),
    ],
)
def test_a_row_that_is_favoured_is_refused_by_field(dataset: Dataset, wish: str, field: str, value: str) -> None:
    with pytest.raises(UserError, match="equal terms") as caught:
        plan(dataset, wish)
    assert f"  {field} is " in str(caught.value) and value in str(caught.value)
    assert "--allow-unequal" in str(caught.value)
    allowed = plan(dataset, wish, allow_unequal=True)
    fields = [inequality.field for inequality in inequalities(labelled(allowed))]
    assert fields == ([field, "testing.tile"] if field == "training.crop" else [field]), "a tile is a crop by default"


def test_what_is_each_methods_own_may_differ(dataset: Dataset) -> None:
    made = plan(
        dataset,
        "methods.pctrans.training.learning_rate=0.5",
        "methods.osformer.training.gradient_norm=9",
        "methods.mask2former.model.num_queries=5",
        "methods.discriminative.training.backbone_rate=0.1",
        "methods.pctrans.model.inference.mask_threshold=0.4",
    )
    assert inequalities(labelled(made)) == []


def test_what_all_rows_share_reaches_all_rows(dataset: Dataset) -> None:
    made = plan(dataset, "training.iterations=3", "augmentation=none", "model.backbone.width=16")
    for label, job in labelled(made):
        assert job.training.iterations == (3 if label in TRAINED else 0)
        assert job.model.get("backbone", {"width": 16})["width"] == 16


def test_data_split_and_seeds_are_compared_too(dataset: Dataset) -> None:
    jobs = labelled(plan(dataset, seeds=2))
    other = open_dataset("synthetic-nuclei?size=64&train=2&val=1&test=2")
    last = jobs[-1][0]
    moved = [(label, job.model_copy(update={"split": "val"})) if label == last else (label, job) for label, job in jobs]
    assert [found.field for found in inequalities(moved)] == ["split"]
    foreign = labelled(plan(other, seeds=2))[-1:]
    assert [found.field for found in inequalities(jobs[:-2] + foreign)] == ["data", "seeds"]
    lighter = jobs[-1][1].model_copy(update={"augmentation": jobs[-1][1].augmentation | {"gamma": 0.25}})
    assert [found.field for found in inequalities([*jobs[:-1], (last, lighter)])] == ["augmentation.gamma"]


def test_a_method_without_training_is_run_once_and_compared_on_the_data_only(dataset: Dataset) -> None:
    jobs = [job for label, job in labelled(plan(dataset, seeds=3)) if job.method == "watershed"]
    assert len(jobs) == 2 and jobs[0].training.iterations == 0
    assert jobs[0].tile > 10_000, "Otsu's threshold is the whole image's"


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ("model.num_queries=5", "say which one it is for, such as --set methods.cellpose.model.num_queries"),
        ("methods.maskformer.model.num_queries=5", "no row of a method 'maskformer'"),
        ("methods.pctrans.augmentation=none", "has to hold"),
        (
            "methods.watershed.model.min_area=1",
            "methods.watershed.model.min_area is what tells the rows of table1 apart",
        ),
        ("methods=5", "section methods has to hold fields"),
    ],
)
def test_a_wish_that_cannot_be_granted_is_an_error(dataset: Dataset, wish: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        plan(dataset, wish)
    assert message in str(caught.value)


def test_the_users_temperature_wins_over_the_tables(dataset: Dataset) -> None:
    job = dict(labelled(plan(dataset, "methods.pctrans.model.query_temperature=0.5")))["PCTrans"]
    assert job.model["query_temperature"] == 0.5 and job.model["mask_temperature"] == 0.5


def test_the_users_backbone_wins_over_the_tables(dataset: Dataset) -> None:
    made = expand_table(
        load_table("table1"),
        JobContext.on(dataset, "paper"),
        seeds=1,
        overrides={"model": {"backbone": {"pretrained": None}}},
    )
    backbones = [job.model["backbone"] for label, job in labelled(made) if job.trained and label != "EoMT"]
    assert all(backbone["name"] == "resnet101" and backbone["pretrained"] is None for backbone in backbones)


def test_a_row_that_quotes_the_paper_cannot_be_run(dataset: Dataset) -> None:
    with pytest.raises(UserError, match="row 1 of table1 only quotes the paper"):
        plan(dataset, rows=[1])
    assert [planned.label for planned in plan(dataset, rows=[17]).chosen] == ["PCTrans"]
