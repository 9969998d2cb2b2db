"""Thresholds are chosen after training: the rule, what is never looked at, and what a kill leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
import torch
from bright import METHOD, Bright

import benchmarks.run.thresholds as module
from benchmarks.data import Dataset, open_dataset
from benchmarks.errors import UserError
from benchmarks.measure.estimate import estimate
from benchmarks.metrics import image_metrics
from benchmarks.plan.expansion import PlannedJob
from benchmarks.plan.job import Job, JobContext, reference
from benchmarks.plan.methods import METHODS, get_method
from benchmarks.plan.resolving import make_job
from benchmarks.plan.scales import SCALES
from benchmarks.run.execution import run_job
from benchmarks.run.prediction import segment_sample
from benchmarks.run.thresholds import read_choice, trial_values, try_thresholds
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.models.saved_model import load_model
from benchmarks.store.result import ThresholdChoice, ThresholdTrial
from benchmarks.training.watcher import Watcher
from pctrans.config import InferenceConfig

SPEC = "synthetic-nuclei?size=96&train=3&val=3&test=2"
RANGES = {"binarise_threshold": (0.2, 0.8), "group_threshold": (0.1, 0.7), "mask_threshold": (0.3, 0.7)}


@pytest.fixture(scope="module", autouse=True)
def bright() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(METHODS, "bright", METHOD)
        yield


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return open_dataset(SPEC)


def make(dataset: Dataset, *, method: str = "bright", split: str = "test", **overrides: Any) -> Job:
    overrides = {
        "training": {"iterations": 2},
        "testing": {"threshold_trials": 8, "threshold_images": 2},
    } | overrides
    return make_job(
        method,
        JobContext(reference(dataset), split=split, scale="smoke", protocol="nuclei"),
        seed=0,
        overrides=overrides,
    )


class Killed(BaseException):
    pass


def kill(*_: object) -> None:
    raise Killed


@pytest.fixture(scope="module")
def finished(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, Path]:
    job, out = make(dataset), tmp_path_factory.mktemp("out")
    outcome = run_job(job, dataset, out, "cpu")
    assert outcome.status == "done", outcome.error
    return job, JobFolder.of(job, out).path


def section(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "result.json").read_text())["thresholds"]


def without_time(choice: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in choice.items() if name != "seconds"}


EVERY = ["bright", "pctrans", "mask2former", "osformer", "discriminative", "stardist", "cellpose"]


@pytest.mark.parametrize("method", EVERY)
def test_the_rule_is_a_loop_over_settings_and_images(method: str, dataset: Dataset) -> None:
    """With the network run anew for every setting, tiles and flips as the job tests."""
    testing = {"threshold_trials": 6, "tile": 64, "overlap": 16, "flips": True, "batch_size": 3}
    job = make(dataset, method=method, testing=testing)
    torch.manual_seed(0)
    model: Any = get_method(method).build(job.model)
    model.eval()
    ids = dataset.ids("val")[:2]
    found = try_thresholds(model, job, dataset, ids, "cpu")
    expected = []
    for values in trial_values(job.model["inference"], job.searched or {}, 6):
        inference = type(model.config.inference).model_validate(job.model["inference"] | values)
        model.config = model.config.model_copy(update={"inference": inference})
        scores = []
        for id in ids:
            sample = dataset.load(id)
            labels = segment_sample(model, sample.image, job.tile, job.testing, "cpu", "float32")
            scores.append(image_metrics(sample.labels, labels)["pq"])
        expected.append(ThresholdTrial(values=values, pq=fmean(scores)))
    assert list(found) == expected
    assert method != "bright" or len({trial.pq for trial in found}) > 2, "what is tried has to matter"


def test_the_network_sees_each_tile_once(dataset: Dataset) -> None:
    job = make(dataset, testing={"threshold_trials": 8, "tile": 64, "overlap": 16})
    model: Any = get_method("bright").build(job.model)
    told: list[tuple[int, int]] = []
    try_thresholds(model, job, dataset, dataset.ids("val"), "cpu", lambda *progress: told.append(progress))
    assert model.images == 3 * 4 and told == [(1, 3), (2, 3), (3, 3)]


def test_the_first_trial_is_the_configured_one_and_the_rest_fill_the_ranges() -> None:
    configured = InferenceConfig(group_threshold=0.25).model_dump()
    trials = trial_values(configured, RANGES, 33)
    assert len(trials) == 33 and trials[0] == {name: configured[name] for name in RANGES}
    for name, (low, high) in RANGES.items():
        drawn = np.array([trial[name] for trial in trials[1:]])
        assert low <= drawn.min() and drawn.max() <= high
        # 32 points of a Sobol sequence: one in each thirty-second of each range, to the rounding of a value.
        cells = ((drawn - low) / (high - low) * 32).round(1)
        assert np.abs(np.sort(cells) - (np.arange(32) + 0.5)).max() <= 0.6
    assert trial_values(configured, RANGES, 12) == trials[:12], "more trials add to fewer of the same power of two"
    assert trial_values(configured, RANGES, 1) == trials[:1]
    assert trial_values({"bandwidth": None}, {"bandwidth": (0.3, 2.0)}, 2)[0] == {"bandwidth": None}


def test_of_equals_the_earliest_is_chosen() -> None:
    trials = [ThresholdTrial(values={"a": float(number)}, pq=pq) for number, pq in enumerate([0.1, 0.5, 0.3, 0.5])]
    choice = ThresholdChoice.among(trials, split="val", images=1, searched={"a": (0, 3)}, seconds=0)
    assert choice.chosen.values == {"a": 1.0}
    assert choice.configured.model_dump() == {"values": {"a": 0.0}, "pq": 0.1}


def test_result_and_model_have_what_was_chosen(finished: tuple[Job, Path], dataset: Dataset) -> None:
    job, folder = finished
    found = section(folder)
    assert (found["split"], found["images"], len(found["trials"])) == ("val", 2, 8)
    assert found["chosen"] == max(found["trials"], key=lambda trial: trial["pq"])
    assert found["configured"] == found["trials"][0] != found["chosen"]
    assert found == json.loads((folder / "thresholds.json").read_text())
    config = json.loads((folder / "model" / "config.json").read_text())["inference"]
    assert config == job.model["inference"] | found["chosen"]["values"]
    model: Any = load_model(folder, "cpu").segmenter
    assert model.config.inference.model_dump() == config
    assert json.loads((folder / "job.json").read_text())["model"] == job.model, "the key is of what was configured"
    scores = []
    for id in dataset.ids("val")[:2]:
        labels = segment_sample(model, dataset.load(id).image, job.tile, job.testing, "cpu", "float32")
        scores.append(image_metrics(dataset.load(id).labels, labels)["pq"])
    assert fmean(scores) == found["chosen"]["pq"]


@pytest.mark.parametrize("moment", ["choosing", "chosen", "written"])
def test_a_job_that_was_killed_while_it_chose_ends_the_same(
    moment: str, finished: tuple[Job, Path], dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, before = finished
    with monkeypatch.context() as patch:
        watcher = Watcher(choosing=kill) if moment == "choosing" else Watcher(prediction=kill)
        if moment == "chosen":
            patch.setattr(module, "set_thresholds", kill)
        with pytest.raises(Killed):
            run_job(job, dataset, tmp_path, "cpu", watcher)
    folder = JobFolder.of(job, tmp_path).path
    assert (folder / "thresholds.json").exists() == (moment != "choosing")
    if moment != "choosing":
        monkeypatch.setattr(module, "try_thresholds", kill)  # what was chosen is not chosen again
    assert run_job(job, dataset, tmp_path, "cpu").status == "done"
    assert without_time(section(folder)) == without_time(section(before))
    results = [json.loads((path / "result.json").read_text()) for path in (folder, before)]
    assert results[0]["images"] == results[1]["images"]
    configs = [(path / "model" / "config.json").read_text() for path in (folder, before)]
    assert json.loads(configs[0]) == json.loads(configs[1])


def test_a_damaged_choice_is_made_again(finished: tuple[Job, Path], tmp_path: Path) -> None:
    content = (finished[1] / "thresholds.json").read_text()
    (tmp_path / "thresholds.json").write_text(content)
    assert read_choice(JobFolder(tmp_path)) is not None
    for damaged in (content[:-20], "[]", "{}", content.replace('"pq"', '"qp"')):
        (tmp_path / "thresholds.json").write_text(damaged)
        assert read_choice(JobFolder(tmp_path)) is None


@pytest.mark.parametrize(("split", "choosing"), [("test", "val"), ("val", "train")])
def test_images_that_are_scored_have_no_part_in_the_choice(
    split: str, choosing: str, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of CVPPP A1, whose tables are of the validation split."""
    seen: list[str] = []
    actual = module.try_thresholds

    def spy(segmenter: Any, job: Job, data: Dataset, ids: list[str], *rest: Any) -> tuple[ThresholdTrial, ...]:
        seen.extend(ids)
        return actual(segmenter, job, data, ids, *rest)

    monkeypatch.setattr(module, "try_thresholds", spy)
    job = make(dataset, split=split, testing={"threshold_trials": 2, "threshold_images": None})
    assert run_job(job, dataset, tmp_path, "cpu").status == "done"
    assert tuple(seen) == dataset.ids(choosing)
    assert section(JobFolder.of(job, tmp_path).path)["split"] == choosing


def test_what_the_user_fixes_is_not_searched(dataset: Dataset, tmp_path: Path) -> None:
    fixed = {"inference": {"brightness": 0.9}}  # the default: what counts is that it was given
    job, free = make(dataset, model=fixed), make(dataset)
    assert job.model == free.model and job.key != free.key
    assert job.searched is not None and list(job.searched) == ["edge"]
    assert run_job(job, dataset, tmp_path, "cpu").status == "done"
    assert all(
        set(trial["values"]) == set(job.searched) for trial in section(JobFolder.of(job, tmp_path).path)["trials"]
    )
    config = json.loads((JobFolder.of(job, tmp_path).path / "model" / "config.json").read_text())["inference"]
    assert config["brightness"] == 0.9
    everything = make(dataset, method="pctrans", model={"inference": dict.fromkeys(RANGES, 0.4)})
    assert everything.searched == {} and everything.testing.threshold_trials == 8


def test_without_trials_the_configured_thresholds_are_tested(dataset: Dataset, tmp_path: Path) -> None:
    job = make(dataset, testing={"threshold_trials": 0})
    assert job.searched == {}
    assert run_job(job, dataset, tmp_path, "cpu").status == "done"
    assert (
        section(JobFolder.of(job, tmp_path).path) is None
        and not (JobFolder.of(job, tmp_path).path / "thresholds.json").exists()
    )
    config = json.loads((JobFolder.of(job, tmp_path).path / "model" / "config.json").read_text())["inference"]
    assert config == job.model["inference"]


def test_the_key_follows_the_choice(dataset: Dataset) -> None:
    testings = [
        {"threshold_trials": trials, "threshold_images": images} for trials, images in [(5, 2), (6, 2), (5, 1), (0, 2)]
    ]
    assert len({make(dataset, testing=testing).key for testing in testings}) == len(testings)
    untrained = [make(dataset, method="watershed", testing=testing, model={}) for testing in testings]
    assert len({job.key for job in untrained}) == 1 and untrained[0].searched is None


def test_scales_choose(dataset: Dataset) -> None:
    def testing(scale: str) -> tuple[int, int | None]:
        job = make_job("osformer", JobContext.on(dataset, scale), seed=0)
        assert job.searched is not None and "mask_threshold" in job.searched
        return job.testing.threshold_trials, job.testing.threshold_images

    assert [testing(scale) for scale in SCALES] == [(3, 1), (24, 16), (24, 16), (48, None)]


def test_an_estimate_counts_the_choice(finished: tuple[Job, Path], dataset: Dataset) -> None:
    job, folder = finished
    out, result = folder.parents[1], json.loads((folder / "result.json").read_text())
    cost, images = result["cost"], result["dataset"]["images"]
    expected = cost["train_seconds"] + result["thresholds"]["seconds"] + cost["seconds_per_image"] * images
    other = PlannedJob(1, "other seed", job.model_copy(update={"seed": 1}))
    assert estimate([other], dataset, out, "cpu").seconds == pytest.approx(expected)
    fewer = PlannedJob(1, "fewer trials", make(dataset, testing={"threshold_trials": 2}))
    found = estimate([fewer], dataset, out, "cpu")
    assert found.sources == ("a few timed steps",) and found.seconds > 0


def test_a_method_that_cannot_decide_alone_says_so(
    finished: tuple[Job, Path], dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Bright, "decide")
    with pytest.raises(UserError, match="no `evidence` and `decide` to choose them by"):
        (tmp_path / "model").symlink_to(finished[1] / "model")
        module.settle_thresholds(finished[0], dataset, JobFolder(tmp_path), "cpu")
