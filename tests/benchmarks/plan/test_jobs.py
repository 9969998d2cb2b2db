from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli.options import JobOptions, one_job
from benchmarks.data import Dataset, open_dataset
from benchmarks.errors import UserError
from benchmarks.plan.expansion import expand_table
from benchmarks.plan.job import NUMERICS_OF_METHOD, DataReference, Job, JobContext
from benchmarks.plan.nested import merge, nest
from benchmarks.plan.overrides import for_method
from benchmarks.plan.resolving import make_job
from benchmarks.plan.scales import PROTOCOLS, SCALES
from benchmarks.plan.tables import load_table
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.run_file import RunFile, RunRow

DATA = DataReference(spec="folder:/a", name="a", fingerprint="f" * 64, decoding="ids")


def job(**changes: object) -> Job:
    shared: dict[str, Any] = {"data": DATA, "split": "test", "scale": "quick", "protocol": "nuclei", "device": "cpu"}
    context = JobContext(**{name: changes.pop(name, value) for name, value in shared.items()})
    return make_job(str(changes.pop("method", "pctrans")), context, **{"seed": 0, **changes})  # type: ignore[arg-type]


def test_the_key_follows_what_decides_the_numbers() -> None:
    keys = [
        job().key,
        job(seed=1).key,
        job(scale="smoke").key,
        job(split="val").key,
        job(data=DATA.model_copy(update={"fingerprint": "e" * 64})).key,
        job(overrides={"model": {"num_queries": 81}}).key,
        job(overrides={"training": {"iterations": 3}}).key,
        job(overrides={"augmentation": "none"}).key,
    ]
    assert len(set(keys)) == len(keys)


def test_numerics_of_one_method_change_the_keys_of_its_jobs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    before = job(method="pctrans").key, job(method="osformer").key
    monkeypatch.setitem(NUMERICS_OF_METHOD, "osformer", NUMERICS_OF_METHOD["osformer"] + 1)
    after = job(method="pctrans").key, job(method="osformer").key
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_a_step_of_augmentation_that_came_later_changes_only_the_keys_of_jobs_that_have_it() -> None:
    plain, off = job(), job(overrides={"augmentation": {"negative": 0.0}})
    assert "negative" not in plain.augmentation, "as in jobs that were planned before there was one"
    assert plain == off
    assert job(overrides={"augmentation": {"negative": 0.25}}).key != plain.key


def test_the_key_does_not_follow_the_rest() -> None:
    moved = DATA.model_copy(update={"spec": "folder:/elsewhere"})
    chatty = {"training": {"log_every": 1, "validate_every": 7}, "testing": {"batch_size": 1}}
    assert job().key == job(data=moved).key == job(overrides=chatty).key


def test_the_same_files_in_a_folder_of_another_name_are_the_same_data() -> None:
    assert job().key == job(data=DATA.model_copy(update={"name": "renamed", "spec": "folder:/renamed"})).key


def test_automatic_precision_is_resolved_by_the_device_and_part_of_the_key() -> None:
    assert job().training.precision == "float32"
    assert job().key == job(overrides={"training": {"precision": "float32"}}).key
    assert job().key != job(overrides={"training": {"precision": "bfloat16"}}).key


def test_pretrained_weights_enter_the_key_by_content(tmp_path: Path) -> None:
    keys = []
    for folder, content in (("a", b"1"), ("b", b"1"), ("a", b"2")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "model.safetensors").write_bytes(content)
        keys.append(job(overrides={"model": {"backbone": {"pretrained": str(tmp_path / folder)}}}).key)
    assert keys[0] == keys[1] != keys[2]
    assert job(overrides={"model": {"backbone": {"pretrained": "hub/one"}}}).key != job().key


def test_a_job_comes_back_from_its_folder(tmp_path: Path) -> None:
    made = job()
    (tmp_path / "job.json").write_text(json.dumps(made.resolved()))
    assert JobFolder(tmp_path).read_job() == made and JobFolder(tmp_path).read_job().key == made.key
    with pytest.raises(UserError, match="no readable job"):
        JobFolder(tmp_path / "nowhere").read_job()


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_scale_gives_a_valid_job(scale: str, protocol: str) -> None:
    assert job(scale=scale, protocol=protocol).scale == scale


def test_long_is_quick_with_more_iterations() -> None:
    quick, long = job(scale="quick"), job(scale="long")
    assert long.model == quick.model and long.augmentation == quick.augmentation and long.testing == quick.testing
    assert long.training.iterations > 4 * quick.training.iterations
    assert long.training.crop == quick.training.crop and long.training.schedule == quick.training.schedule


def test_the_paper_scale_is_the_paper_s() -> None:
    nuclei, leaves = (job(scale="paper", protocol=p) for p in ("nuclei", "leaves"))
    assert (nuclei.training.crop, nuclei.training.iterations, nuclei.model["num_queries"]) == (
        512,
        30_000,
        300,
    )
    assert (leaves.training.crop, leaves.training.iterations, leaves.model["num_queries"]) == (
        448,
        60_000,
        100,
    )
    for training in (nuclei.training, leaves.training):
        assert (training.batch_size, training.learning_rate, training.weight_decay) == (8, 1e-4, 0.05)
        assert (training.warmup_iterations, training.schedule) == (1000, "step")
    for model in (nuclei.model, leaves.model):
        assert (model["coordinate_unit"], model["matching_centre_weight"], model["mask_stride"]) == (2, 0, 8)
    assert nuclei.model["inference"]["averaging"] == "soft" and leaves.model["inference"]["averaging"] == "binary"
    assert nuclei.model["backbone"]["name"] == "resnet50"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"model": {"num_querys": 3}}, "num_querys: there is no such field"),
        ({"model": {"loss_weights": {"point": -1}}}, r"loss_weights\.point"),
        ({"training": {"crop": 100}}, r"training\.crop"),
        ({"trainig": {"crop": 64}}, "'trainig' is no section"),
        ({"testing": {"overlap": 192}}, r"overlap 192 has to be below"),
        ({"model": None}, "section model has to hold fields"),
        ({"training": 3}, "section training has to hold fields"),
        ({"augmentation": 3}, "section augmentation has to hold fields"),
        ({"augmentation": "plants"}, "no augmentation 'plants'"),
        ({"augmentation": {"rotate": True}}, r"augmentation\.rotate"),
        ({"training": {"batch_size": 4, "micro_batch_size": 3}}, "no multiple"),
        ({"model": {"num_heads": 5}}, r"not valid:\n  hidden_dim 64 is no multiple of num_heads 5$"),
    ],
)
def test_wrong_overrides_are_named(overrides: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        job(overrides=overrides)


def test_unknown_methods_scales_and_protocols() -> None:
    with pytest.raises(UserError, match="did you mean 'pctrans'"):
        make_job("pctran", JobContext(DATA, split="test", scale="quick", protocol="nuclei"), seed=0)
    with pytest.raises(UserError, match="no scale 'huge'"):
        job(scale="huge")
    with pytest.raises(UserError, match="no protocol 'moss'"):
        job(protocol="moss")


def test_merge_and_nest_change_nothing_they_are_given() -> None:
    base = {"a": {"b": 1, "c": 2}, "d": 3}
    assert merge(base, {"a": {"b": 5}, "e": {"f": 6}}) == {"a": {"b": 5, "c": 2}, "d": 3, "e": {"f": 6}}
    assert base == {"a": {"b": 1, "c": 2}, "d": 3}
    assert nest({"a.b": 1, "a.c.d": 2, "e": 3}) == {"a": {"b": 1, "c": {"d": 2}}, "e": 3}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return open_dataset("synthetic-nuclei?size=64&train=2&val=1&test=1")


def test_table4_expands_to_distinct_rows_with_shared_seeds(dataset: Dataset) -> None:
    plan = expand_table(load_table("table4"), JobContext.on(dataset, "smoke"), seeds=2)
    assert [(p.row, p.job.seed) for p in plan.jobs] == [(row, seed) for row in range(1, 9) for seed in (0, 1)]
    assert len({p.job.key for p in plan.jobs}) == 16
    first, last = plan.jobs[0].job.model, plan.jobs[-1].job.model
    assert first["mask_head"] == "inner_product" and not first["relative_coordinates"]
    assert first["loss_weights"]["semantic"] == first["loss_weights"]["mask_contrast"] == 0
    assert last["mask_head"] == "dynamic" and last["loss_weights"]["mask_contrast"] == 2
    keys = [p.job.key for p in plan.jobs[4:6]]
    assert RunFile.of(plan).rows[2] == RunRow(row=3, label="+ coordinates", method="pctrans", keys=keys)


def test_rows_can_be_chosen_and_must_exist(dataset: Dataset) -> None:
    plan = expand_table(load_table("table4"), JobContext.on(dataset, "smoke"), seeds=1, rows=[1, 8])
    assert [p.row for p in plan.chosen] == [1, 8] and len(plan.jobs) == 8
    with pytest.raises(UserError, match="no row 9"):
        expand_table(load_table("table4"), JobContext.on(dataset, "smoke"), seeds=1, rows=[9])


def test_an_override_of_what_tells_rows_apart_is_refused(dataset: Dataset) -> None:
    for table, path, value in (
        ("table4", "relative_coordinates", False),
        ("table4", "mask_head", "inner_product"),
        ("table5", "query_temperature", 1),
        ("table5", "query_temperature", None),
    ):
        with pytest.raises(UserError, match=f"model.{path} is what tells the rows of {table} apart"):
            expand_table(
                load_table(table), JobContext.on(dataset, "smoke"), seeds=1, overrides={"model": {path: value}}
            )


def test_another_weight_of_a_component_is_for_the_rows_that_have_it(dataset: Dataset) -> None:
    weights = {"semantic": 3.0, "query_contrast": 0.7}
    jobs = expand_table(
        load_table("table4"),
        JobContext.on(dataset, "smoke"),
        seeds=1,
        overrides={"model": {"loss_weights": weights}},
    ).jobs
    assert [planned.job.model["loss_weights"]["semantic"] for planned in jobs] == [0, 0, 0, 3, 3, 3, 3, 3]
    assert [planned.job.model["loss_weights"]["query_contrast"] for planned in jobs] == [0, 0, 0, 0, 0, 0.7, 0, 0.7]
    with pytest.raises(UserError, match=r"loss_weights\.semantic is what tells .* cannot be left out of all"):
        expand_table(
            load_table("table4"),
            JobContext.on(dataset, "smoke"),
            seeds=1,
            overrides={"model": {"loss_weights": {"semantic": 0}}},
        )


def test_what_a_table_fixes_for_all_rows_can_be_changed(dataset: Dataset) -> None:
    for overrides in (
        {"model": {"query_temperature": 2}},
        {"methods": {"pctrans": {"model": {"query_temperature": 2}}}},
    ):
        plan = expand_table(load_table("table4"), JobContext.on(dataset, "smoke"), seeds=1, overrides=overrides)
        assert {planned.job.model["query_temperature"] for planned in plan.jobs} == {2}
        assert {planned.job.model["mask_temperature"] for planned in plan.jobs} == {1}
        assert [planned.job.model["relative_coordinates"] for planned in plan.jobs[:3]] == [False, False, True]


def test_settings_by_method_are_for_one_job_too() -> None:
    overrides = {"training": {"iterations": 5}, "methods": {"pctrans": {"model": {"num_queries": 7}}, "osformer": {}}}
    assert for_method(overrides, "pctrans") == {"training": {"iterations": 5}, "model": {"num_queries": 7}}
    assert for_method(overrides, "osformer") == {"training": {"iterations": 5}}
    assert for_method({"training": {"iterations": 5}}, "pctrans") == {"training": {"iterations": 5}}
    with pytest.raises(UserError, match="settings of pctrans, osformer, and none of mask2former"):
        for_method(overrides, "mask2former")
    for damaged in ({"methods": 5}, {"methods": {"pctrans": 5}}):
        with pytest.raises(UserError, match="methods"):
            for_method(damaged, "pctrans")


def test_train_takes_a_file_with_settings_by_method(dataset: Dataset, tmp_path: Path) -> None:
    config = tmp_path / "best.yaml"
    config.write_text("methods: {pctrans: {model: {num_queries: 7}}}\ntraining: {iterations: 5}\n")

    def job(method: str, *assignments: str) -> Job:
        options = JobOptions(set_=list(assignments), config=config)
        return one_job(method, dataset, options, scale="smoke", device="cpu")

    assert (job("pctrans").model["num_queries"], job("pctrans").training.iterations) == (7, 5)
    assert job("pctrans", "model.num_queries=9").model["num_queries"] == 9, "what is typed wins over the file"
    assert job("pctrans", "methods.pctrans.model.num_queries=9", "model.num_queries=8").model["num_queries"] == 9
    with pytest.raises(UserError, match="none of osformer"):
        job("osformer")


def test_a_local_checkpoint_enters_the_key_by_content(tmp_path: Path) -> None:
    def key(folder: str, content: bytes) -> str:
        path = tmp_path / folder / "model.safetensors"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        overrides = {"model": {"checkpoint": str(path.parent)}}
        return make_job(
            "mask2former", JobContext(DATA, split="test", scale="quick", protocol="nuclei"), seed=0, overrides=overrides
        ).key

    assert key("a", b"1") == key("b", b"1") != key("a", b"2")
