"""Thresholds on stored evidence."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from tiny_study import DATA, TINY

import pctrans.model
from benchmarks.cli.commands.study import default_data
from benchmarks.data import Dataset
from benchmarks.errors import UserError
from benchmarks.plan.job import Job, JobContext
from benchmarks.plan.overrides import for_method
from benchmarks.plan.resolving import make_job
from benchmarks.run.execution import run_job
from benchmarks.run.prediction import segment_sample
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.models.packing import pack_model
from benchmarks.store.models.saved_model import load_model
from pctrans.config import InferenceConfig
from pctrans.inference import cluster_with_confidence
from studies.inference.final_look import look_at_test, read_look
from studies.inference.plan import InferencePlan, data_of, plan_inference
from studies.page import facts
from studies.plan import StudySettings, study_folder
from studies.records import read_trials
from studies.slots import create_or_join
from studies.specification import parse_study
from studies.storage import open_storage, suggest

SEARCH = {
    "model.inference.binarise_threshold": {"low": 0.3, "high": 0.7},
    "model.inference.group_threshold": {"low": 0.1, "high": 0.9},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> Path:
    """The folder of a job, trained for two iterations, with tiles smaller than its images."""
    out = tmp_path_factory.mktemp("out")
    overrides: dict[str, Any] = {
        "model": {"inference": {"binarise_threshold": 0.5, "min_area": 2}},
        "training": {"iterations": 2},
        "testing": {"tile": 32, "overlap": 8, "flips": True},
    }
    job = make_job(
        "pctrans",
        JobContext.on(dataset, "smoke"),
        seed=0,
        overrides=overrides,
    )
    outcome = run_job(job, dataset, out, "cpu")
    assert outcome.status == "done", outcome.error
    return JobFolder.of(job, out).path


def planned(dataset: Dataset, model: Path, **changes: Any) -> InferencePlan:
    spec = parse_study(TINY | {"kind": "inference", "search": SEARCH} | changes, "tiny.yaml")
    return plan_inference(
        spec, StudySettings(spec.model_dump(mode="json"), DATA, None, None, {}, "cpu", str(model)), dataset
    )


class Spied:
    """A dataset that knows which images were asked for."""

    def __init__(self, dataset: Dataset):
        self.dataset, self.loaded = dataset, set()  # type: ignore[var-annotated]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dataset, name)

    def load(self, id: str) -> Any:
        self.loaded.add(id)
        return self.dataset.load(id)


def run_all(plan: InferencePlan, out: Path) -> optuna.Study:
    folder = study_folder(out, plan.spec.name)
    plan.fill(folder, "val")
    study = create_or_join(plan, open_storage(None, folder))
    while waiting := study.get_trials(states=(optuna.trial.TrialState.WAITING,)):
        trial = study.ask()
        study.tell(trial, plan.values(suggest(trial, plan.spec), out))
        assert trial.number == waiting[0].number
    return study


def test_label_maps_are_those_of_the_network(
    tmp_path: Path, dataset: Dataset, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tiles, flips and thresholds as the job has them, but for logits in half precision, which the network gets too."""
    plan = planned(dataset, finished)
    plan.fill(tmp_path, "val")
    store = plan.store(tmp_path)
    logits = np.load(store.path("val", dataset.ids("val")[0]))["arr_0"].astype(float)
    middle = float(1 / (1 + np.exp(-np.quantile(logits, 0.7))))  # an untrained network's masks hardly differ
    config = InferenceConfig(binarise_threshold=middle, group_threshold=0.6, mask_threshold=middle, min_area=2)
    model = load_model(finished / "model", "cpu").segmenter
    model.config = model.config.model_copy(update={"inference": config})  # type: ignore[attr-defined]
    monkeypatch.setattr(
        pctrans.model, "cluster_with_confidence", lambda m, size, c: cluster_with_confidence(m.half(), size, c)
    )
    for id in dataset.ids("val"):
        expected = segment_sample(model, dataset.load(id).image, plan.job.tile, plan.job.testing, "cpu", "float32")
        found = store.label_map(dataset, "val", id, config)
        assert found.max() > 0
        np.testing.assert_array_equal(found, expected)


def test_the_network_sees_each_image_once(tmp_path: Path, dataset: Dataset, finished: Path) -> None:
    plan = planned(dataset, finished)
    plan.fill(tmp_path, "val")
    assert plan.store(tmp_path).missing(dataset, "val") == []
    shutil.rmtree(plan.store(tmp_path).folder / "val")
    seen: list[int] = []
    plan.fill(tmp_path, "val", lambda done, of: seen.append(done))
    plan.fill(tmp_path, "val", lambda done, of: seen.append(done))
    assert seen == [1, 2]


def test_the_choice_never_sees_the_test_split_which_is_looked_at_once(
    tmp_path: Path, dataset: Dataset, finished: Path
) -> None:
    spied = Spied(dataset)
    plan = planned(spied, finished)  # type: ignore[arg-type]
    study = run_all(plan, tmp_path)
    assert spied.loaded == set(dataset.ids("val"))
    assert read_trials(study)[0].params == plan.defaults
    folder, trials = study_folder(tmp_path, "tiny"), read_trials(study)
    look = look_at_test(plan, trials, folder)
    assert look is not None and look.looks == 1
    assert set(dataset.ids("test")) <= spied.loaded
    assert [row["id"] for row in look.best] == list(dataset.ids("test"))
    spied.loaded.clear()
    assert look_at_test(plan, trials, folder) == look
    assert spied.loaded == set()
    expected = np.mean([b["pq"] - d["pq"] for b, d in zip(look.best, look.default, strict=True)])
    assert look.difference("pq").effect == pytest.approx(expected)


def test_commands_that_share_a_study_take_turns_at_the_test_split(
    tmp_path: Path, dataset: Dataset, finished: Path
) -> None:
    plan = planned(dataset, finished)
    trials = read_trials(run_all(plan, tmp_path))
    with ThreadPoolExecutor(3) as pool:
        looks = [pool.submit(look_at_test, plan, trials, study_folder(tmp_path, "tiny")) for _ in range(3)]
    found = [look.result() for look in looks]
    assert found[0] is not None and found[0].looks == 1 and found[0] == found[1] == found[2]


def test_where_the_split_that_is_tested_has_chosen_there_is_no_look(
    tmp_path: Path, dataset: Dataset, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of CVPPP A1, whose test images have no public truth."""
    monkeypatch.setattr(type(dataset), "evaluation_split", "val")
    plan = planned(dataset, finished)
    trials = read_trials(run_all(plan, tmp_path))
    folder = study_folder(tmp_path, "tiny")
    assert look_at_test(plan, trials, folder) is None and not (folder / "test.json").exists()
    assert plan.store(folder).missing(dataset, "val") == []
    said = " ".join(facts(plan, trials))
    assert "no part in it" not in said and "on the images that chose them" in said


def test_a_second_look_says_so(tmp_path: Path, dataset: Dataset, finished: Path) -> None:
    plan = planned(dataset, finished)
    trials = read_trials(run_all(plan, tmp_path))
    folder = study_folder(tmp_path, "tiny")
    look_at_test(plan, trials, folder)
    content = json.loads((folder / "test.json").read_text())
    content["params"]["model.inference.group_threshold"] = 0.123
    (folder / "test.json").write_text(json.dumps(content))
    again = look_at_test(plan, trials, folder)
    assert again is not None and again.looks == 2
    (folder / "test.json").write_text("{")
    with pytest.raises(UserError, match=r"test\.json is damaged"):
        read_look(folder / "test.json")


def test_own_thresholds_give_the_jobs_own_figures(tmp_path: Path, dataset: Dataset, finished: Path) -> None:
    """Up to half precision."""
    plan = planned(dataset, finished)
    look = look_at_test(plan, read_trials(run_all(plan, tmp_path)), study_folder(tmp_path, "tiny"))
    assert look is not None
    images = json.loads((finished / "result.json").read_text())["images"]
    assert [row["dice"] for row in look.default] == pytest.approx([row["dice"] for row in images], abs=0.02)


def test_a_study_starts_at_what_the_job_chose(dataset: Dataset, finished: Path) -> None:
    chosen = json.loads((finished / "result.json").read_text())["thresholds"]["chosen"]["values"]
    plan = planned(dataset, finished)
    config = plan.config.model_dump()
    assert chosen and {name: config[name] for name in chosen} == chosen
    assert plan.defaults == {path: config[path.removeprefix("model.inference.")] for path in SEARCH}


@pytest.mark.parametrize(("method", "field"), [("osformer", "keep_threshold"), ("discriminative", "bandwidth")])
def test_thresholds_of_other_methods_are_searched_too(
    method: str, field: str, tmp_path: Path, dataset: Dataset
) -> None:
    job = make_job(
        method,
        JobContext.on(dataset, "smoke"),
        seed=0,
        overrides={"training": {"iterations": 1}, "testing": {"threshold_trials": 0, "tile": 32, "overlap": 8}},
    )
    assert run_job(job, dataset, tmp_path, "cpu").status == "done"
    search = {f"model.inference.{field}": {"values": [0.1, 0.5]}}
    plan = planned(dataset, JobFolder.of(job, tmp_path).path, method=method, search=search, sampler="grid", trials=None)
    trials = read_trials(run_all(plan, tmp_path))
    assert [trial.params[f"model.inference.{field}"] for trial in trials] == [0.1, 0.5]
    assert all(trial.values is not None for trial in trials)


def test_a_method_without_thresholds_is_refused(tmp_path: Path, dataset: Dataset) -> None:
    job = make_job("watershed", JobContext.on(dataset, "smoke"), seed=0)
    assert run_job(job, dataset, tmp_path, "cpu").status == "done"
    with pytest.raises(UserError, match="whose thresholds cannot be searched"):
        planned(dataset, JobFolder.of(job, tmp_path).path, method="watershed")


def test_what_cannot_be_searched(tmp_path: Path, dataset: Dataset, finished: Path) -> None:
    with pytest.raises(UserError, match=r"did you mean 'model\.inference\.group_threshold'"):
        planned(dataset, finished, search={"model.inference.groop_threshold": {"low": 0.1, "high": 0.9}})
    with pytest.raises(UserError, match=r"model\.inference\.group_threshold cannot be 2\.0"):
        planned(dataset, finished, search={"model.inference.group_threshold": {"low": 0.1, "high": 2}})
    with pytest.raises(UserError, match="holds no model"):
        planned(dataset, tmp_path)


def test_another_methods_model_is_refused(tmp_path: Path, dataset: Dataset, finished: Path) -> None:
    shutil.copytree(finished / "model", tmp_path / "model")
    path = tmp_path / "model" / "harness.json"
    content = json.loads(path.read_text())
    content["job"]["method"] = "osformer"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="is a model of osformer"):
        planned(dataset, tmp_path / "model")


def test_the_digest_follows_the_weights(tmp_path: Path, dataset: Dataset, finished: Path) -> None:
    shutil.copytree(finished / "model", tmp_path / "model")
    assert planned(dataset, tmp_path).digest == planned(dataset, finished).digest
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    assert planned(dataset, tmp_path).digest != planned(dataset, finished).digest
    assert data_of(finished) == DATA


def test_a_packed_model_does_not_say_where_its_data_lie(
    tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack_model(finished, tmp_path / "generated")
    assert data_of(tmp_path / "generated") == DATA, "which lie nowhere"
    (tmp_path / "nuclei").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"nuclei is a packed model, .* give --data"):
        data_of(Path("nuclei"))
    with pytest.raises(UserError, match="give --data"):
        default_data(parse_study(TINY | {"kind": "inference", "search": SEARCH}, "tiny.yaml"), Path("nuclei"))


def test_a_best_point_is_what_train_accepts(dataset: Dataset, finished: Path) -> None:
    plan = planned(dataset, finished)
    point = {"model.inference.binarise_threshold": 0.4, "model.inference.group_threshold": 0.2}
    job: Job = make_job(
        "pctrans", JobContext.on(dataset, "smoke"), seed=0, overrides=for_method(plan.config_of(point), "pctrans")
    )
    assert job.model["inference"]["group_threshold"] == 0.2
