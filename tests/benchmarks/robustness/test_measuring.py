"""A finished job under corruptions: what is kept, resumed, and noticed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.data import open_dataset
from benchmarks.errors import UserError
from benchmarks.merging import merge_folders
from benchmarks.metrics.scoring import score_image
from benchmarks.plan.job import JobContext
from benchmarks.plan.resolving import make_job
from benchmarks.robustness import CONDITIONS, corrupt, measure_robustness, measuring, restore
from benchmarks.run.execution import run_job
from benchmarks.run.verification import verify_job
from benchmarks.store.documents import UnreadableError
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.models.saved_model import load_model
from benchmarks.store.result import Result
from benchmarks.store.robustness import JobRobustness

DATASET = open_dataset("synthetic-nuclei?size=96&train=1&val=1&test=2")
JOB = make_job("watershed", JobContext.on(DATASET, "smoke"), seed=0)


@pytest.fixture(scope="module")
def _measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished")
    assert run_job(JOB, DATASET, out, "cpu").status == "done"
    measure(JobFolder.of(JOB, out))
    return out


@pytest.fixture
def folder(_measured: Path, tmp_path: Path) -> JobFolder:
    return JobFolder.of(JOB, Path(shutil.copytree(_measured, tmp_path / "out")))


def result_of(folder: JobFolder) -> Result:
    result = folder.read_result()
    assert result is not None
    return result


def measure(folder: JobFolder) -> JobRobustness:
    return measure_robustness(JOB, result_of(folder), DATASET, folder, "cpu")


def test_scores_are_those_of_the_saved_model_on_the_worse_image(folder: JobFolder) -> None:
    segmenter = load_model(folder.model, "cpu").segmenter
    measured = measure(folder)
    assert [one.place for one in measured.conditions] == list(CONDITIONS)
    import torch

    for place in (("noise", 1), ("small", 3)):
        found = measured.find(*place)
        assert found is not None
        for row in found.images:
            sample = DATASET.load(row["id"])
            with torch.no_grad():
                labels = segmenter.segment(torch.from_numpy(corrupt(sample.image, *place, row["id"]))[None])[0].numpy()
            expected = score_image(sample.labels, restore(labels, sample.labels.shape))
            assert row == {"id": row["id"], **expected}


def test_strong_corruption_costs(folder: JobFolder) -> None:
    clean = result_of(folder).metrics["pq"]
    worst = measure(folder).find("noise", 5)
    assert worst is not None
    assert clean is not None
    assert worst.metrics["pq"] < clean


def test_nothing_is_measured_twice_and_what_is_missing_is(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    before = folder.robustness.read_bytes()
    measured: list[tuple[str, int]] = []
    real = measuring._condition
    monkeypatch.setattr(measuring, "_condition", lambda place, *rest: (measured.append(place), real(place, *rest))[1])
    measure(folder)
    assert measured == []
    kept = measure(folder)
    measuring.write_robustness(folder, result_of(folder), kept.conditions[:17])
    measure(folder)
    assert measured == list(CONDITIONS[17:])
    assert folder.robustness.read_bytes() == before


def test_an_edited_score_is_noticed(folder: JobFolder) -> None:
    content = json.loads(folder.robustness.read_text())
    content["conditions"][0]["images"][0]["pq"] = 0.99
    folder.robustness.write_text(json.dumps(content))
    with pytest.raises(UnreadableError, match="seal"):
        measure(folder)
    assert verify_job(folder).state == "damaged"


def test_scores_of_another_result_do_not_count(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    result = result_of(folder)
    other = result.model_copy(update={"images": [{**image, "pq": image["pq"] / 3} for image in result.images]})
    measured: list[tuple[str, int]] = []
    real = measuring._condition
    monkeypatch.setattr(measuring, "_condition", lambda place, *rest: (measured.append(place), real(place, *rest))[1])
    measure_robustness(JOB, other, DATASET, folder, "cpu")
    assert measured == list(CONDITIONS)


def test_without_a_model_it_says_so(folder: JobFolder) -> None:
    shutil.rmtree(folder.model)
    folder.robustness.unlink()
    with pytest.raises(UserError, match="holds no model"):
        measure(folder)


def test_a_job_that_is_trained_anew_forgets(folder: JobFolder) -> None:
    folder.forget_what_a_model_made()
    assert not folder.robustness.exists()


def test_merging_refuses_other_scores_and_keeps_those_of_either(folder: JobFolder, tmp_path: Path) -> None:
    other = JobFolder.of(JOB, Path(shutil.copytree(folder.out, tmp_path / "b")))
    other.robustness.unlink()
    merge_folders([other.out, folder.out], tmp_path / "c")
    assert JobFolder.of(JOB, tmp_path / "c").robustness.read_bytes() == folder.robustness.read_bytes()
    conditions = measure(folder).conditions
    worse = conditions[0].model_copy(update={"metrics": {}})
    measuring.write_robustness(other, result_of(folder), [worse])
    with pytest.raises(UserError, match="differs under noise of strength 1"):
        merge_folders([other.out, folder.out], tmp_path / "d")


def test_restored_labels_have_the_size_of_the_truth() -> None:
    assert restore(np.ones((3, 7), int), (96, 96)).shape == (96, 96)
