"""Scores of a finished job: what is stored, what was found of it, and what older folders can still give."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.calibration import measure_calibration
from benchmarks.data import open_dataset, read_labels
from benchmarks.data.label_files import write_labels
from benchmarks.errors import UserError
from benchmarks.merging.contradictions import contradiction
from benchmarks.merging.sources import Ended
from benchmarks.plan.job import JobContext
from benchmarks.plan.resolving import make_job
from benchmarks.run.execution import run_job
from benchmarks.run.prediction import segment_sample, segment_with_scores
from benchmarks.run.verification import verify_job
from benchmarks.store.calibration import (
    JobCalibration,
    read_calibration,
    read_scores_of,
    write_calibration,
    write_scores_of,
)
from benchmarks.store.documents import UnreadableError
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.models.saved_model import load_model
from benchmarks.store.result import Result

DATASET = open_dataset("synthetic-nuclei?size=96&train=2&val=1&test=2")
# One threshold trial: what PCTrans finds after six iterations does not matter, that it finds something does.
OVERRIDES = {
    "training": {"iterations": 6},
    "testing": {"threshold_trials": 0, "overlap": 16},
    "model": {"inference": {"binarise_threshold": 0.2, "mask_threshold": 0.0, "min_area": 0}},
}
JOB = make_job("pctrans", JobContext.on(DATASET, "smoke"), overrides=OVERRIDES, seed=0)


@pytest.fixture(scope="module")
def _done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scored")
    outcome = run_job(JOB, DATASET, out, "cpu")
    assert outcome.status == "done", outcome.error
    return out


@pytest.fixture
def folder(_done: Path, tmp_path: Path) -> JobFolder:
    return JobFolder.of(JOB, Path(shutil.copytree(_done, tmp_path / "out")))


def result_of(folder: JobFolder) -> Result:
    result = folder.read_result()
    assert result is not None
    return result


def measure(folder: JobFolder) -> JobCalibration:
    return measure_calibration(JOB, result_of(folder), DATASET, folder, "cpu")


def test_label_maps_are_those_of_before_there_were_scores(folder: JobFolder) -> None:
    """And the scores beside them are those of the saved model."""
    segmenter, objects = load_model(folder.model, "cpu").segmenter, 0
    for id in DATASET.ids("test"):
        labels, image = read_labels(folder.prediction(id)), DATASET.load(id).image
        how = (image, JOB.tile, JOB.testing, "cpu", JOB.training.precision)
        assert np.array_equal(labels, segment_sample(segmenter, *how))
        _, scores = segment_with_scores(segmenter, *how)
        stored = read_scores_of(folder.prediction_scores(id), int(labels.max()))
        assert scores is not None and stored is not None
        assert stored == pytest.approx(scores, abs=1e-6)
        objects += len(stored)
    assert objects > 0


def test_each_object_is_compared_with_the_truth(folder: JobFolder) -> None:
    found = measure(folder)
    assert [one.id for one in found.images] == [image["id"] for image in result_of(folder).images]
    assert found.scored_again == 0
    for one in found.images:
        truth, labels = DATASET.load(one.id).labels, read_labels(folder.prediction(one.id))
        assert truth is not None
        rows = list(csv.DictReader(folder.prediction_scores(one.id).open()))
        assert one.truth == len(np.unique(truth)) - 1
        assert one.scores == [float(row["score"]) for row in rows]
        for row, iou in zip(rows, one.ious, strict=True):
            own = labels == int(row["label"])
            ious = [(own & (truth == t)).sum() / (own | (truth == t)).sum() for t in np.unique(truth[truth > 0])]
            assert iou == pytest.approx(max(ious) if max(ious) > 0.5 else 0)


def test_what_is_kept_needs_no_label_maps(folder: JobFolder) -> None:
    found = measure(folder)
    shutil.rmtree(folder.predictions)
    assert measure(folder).images == found.images
    assert read_calibration(folder, result_of(folder)) == measure(folder)
    folder.calibration.unlink()
    with pytest.raises(UserError, match=r"is not there, and its scores were not measured"):
        measure(folder)


def test_label_maps_of_before_get_scores_from_the_saved_model(folder: JobFolder) -> None:
    """Such a folder verifies, too: its result states no checksum of scores."""
    expected = measure(folder)
    folder.calibration.unlink()
    _make_old(folder)
    found = measure(folder)
    assert found.images == expected.images
    assert found.scored_again == len(found.images)
    assert verify_job(folder).state == "sound"
    assert not list(folder.predictions.glob("*.csv"))


def _make_old(folder: JobFolder) -> None:
    for id in DATASET.ids("test"):
        folder.prediction_scores(id).unlink()
    result = result_of(folder)
    kept = {name: digest for name, digest in (result.checksums or {}).items() if not name.endswith(".csv")}
    folder.write_result(result.model_copy(update={"checksums": kept}))


def test_without_a_model_the_reason_is_said(folder: JobFolder) -> None:
    _make_old(folder)
    shutil.rmtree(folder.model)
    with pytest.raises(UserError, match=r"stored without scores, and there is no .*model"):
        measure(folder)
    assert not folder.calibration.exists()


def test_a_model_that_finds_other_objects_gives_no_scores(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    _make_old(folder)
    other = np.zeros((96, 96), np.int32)
    monkeypatch.setattr("benchmarks.calibration.measuring.segment_with_scores", lambda *_: (other, np.zeros(0)))
    with pytest.raises(UserError, match=r"does not find \d+ of its objects again"):
        measure(folder)


def test_a_map_that_was_changed_is_not_compared(folder: JobFolder) -> None:
    id = DATASET.ids("test")[0]
    truth = DATASET.load(id).labels
    assert truth is not None
    write_labels(folder.prediction(id), truth)
    with pytest.raises(UserError, match="has changed since it was scored"):
        measure(folder)


def test_scores_of_other_objects_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_scores_of(path, np.array([0.25, 1.0]))
    assert path.read_text() == "label,score\n1,0.250000\n2,1.000000\n"
    found = read_scores_of(path, 2)
    assert found is not None and found.tolist() == [0.25, 1.0]
    for count, text in ((3, path.read_text()), (1, "label,score\n1,1.5\n"), (1, "label,score\n1\n"), (1, "a,b\n1,1\n"),
                        (1, "label,score\n1,nan\n"), (0, "")):  # fmt: skip
        path.write_text(text)
        with pytest.raises(UserError, match="expected a line with label and score"):
            read_scores_of(path, count)
    write_scores_of(path, None)
    assert read_scores_of(path, 2) is None
    write_scores_of(path, np.zeros(0))
    assert read_scores_of(path, 0) is not None


def test_a_damaged_document_is_noticed(folder: JobFolder) -> None:
    measure(folder)
    assert verify_job(folder).state == "sound"
    content = json.loads(folder.calibration.read_text())
    content["images"][0]["truth"] += 1
    folder.calibration.write_text(json.dumps(content))
    with pytest.raises(UnreadableError, match=r"calibration.json is damaged.*delete it"):
        measure(folder)
    verdict = verify_job(folder)
    assert verdict.state == "damaged" and "calibration.json" in verdict.problems[0]


def test_folders_that_differ_in_it_are_not_merged(folder: JobFolder, tmp_path: Path) -> None:
    measure(folder)
    other = JobFolder.of(JOB, Path(shutil.copytree(folder.out, tmp_path / "other")))
    ended = [Ended(one, result_of(one), 0) for one in (folder, other)]
    assert contradiction(*ended) is None
    found = measure(other)
    images = [one.model_copy(update={"scores": [0.5] * len(one.scores)}) for one in found.images]
    write_calibration(other, result_of(other), images, 0)
    assert "calibration.json differs" in (contradiction(*ended) or "")
    other.calibration.unlink()
    assert contradiction(*ended) is None


def test_a_training_from_the_start_forgets_it(folder: JobFolder) -> None:
    measure(folder)
    folder.forget_what_a_model_made()
    assert not folder.calibration.exists() and not folder.predictions.exists()


def test_a_method_without_scores_stores_none_and_says_so(tmp_path: Path) -> None:
    job = make_job("watershed", JobContext.on(DATASET, "smoke"), seed=0)
    assert run_job(job, DATASET, tmp_path, "cpu").status == "done"
    folder = JobFolder.of(job, tmp_path)
    assert not list(folder.predictions.glob("*.csv"))
    with pytest.raises(UserError, match="watershed gives its objects no scores"):
        measure_calibration(job, result_of(folder), DATASET, folder, "cpu")
