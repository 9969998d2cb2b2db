"""The column `score` of objects.csv, and what becomes of it when the command is given again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch

from benchmarks.data import read_labels
from benchmarks.data.normalisation import normalise
from benchmarks.data.reading import decode_image
from benchmarks.plan.job import DataReference, JobContext
from benchmarks.plan.methods import get_method
from benchmarks.plan.resolving import make_job
from benchmarks.predicting.measurements import measurement_columns
from benchmarks.predicting.options import PredictOptions
from benchmarks.predicting.user_images import predict_images
from benchmarks.run.prediction import segment_with_scores
from benchmarks.store.models.saved_model import load_model, save_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model: what it finds does not matter, that it finds something does."""
    folder = tmp_path_factory.mktemp("model") / "model"
    data = DataReference(spec="folder:nowhere", name="none", fingerprint="0", decoding="ids")
    context = JobContext(data, split="test", scale="smoke", protocol="nuclei")
    job = make_job("discriminative", context, seed=0)
    torch.manual_seed(0)
    save_model(get_method("discriminative").build(job.model), job, folder)
    return folder


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    (tmp_path / "images").mkdir()
    random = np.random.default_rng(0)
    paths = [tmp_path / "images" / f"{name}.tif" for name in "ab"]
    for path in paths:
        tifffile.imwrite(path, random.integers(0, 4000, (90, 150), np.uint16))
    return paths


def predict(model: Path, images: list[Path], **options: int) -> pd.DataFrame:
    out = images[0].parents[1] / "out"
    found = list(predict_images(model, images, out, device="cpu", options=PredictOptions(tile=64, **options)))
    assert not any(one.problem for one in found)
    return pd.read_csv(out / "objects.csv")


def test_scores_are_the_last_column_and_those_of_the_model(model: Path, images: list[Path]) -> None:
    table = predict(model, images)
    assert table.columns.tolist() == ["image", *measurement_columns(intensity=True), "score"]
    saved = load_model(model, "cpu")
    assert saved.range is not None
    for path in images:
        image = normalise(decode_image(path.read_bytes(), str(path)), str(path), saved.range)
        testing = saved.testing.model_copy(update={"overlap": min(saved.testing.overlap, 32)})
        labels, scores = segment_with_scores(saved.segmenter, image, 64, testing, "cpu", "float32", chains=True)
        assert scores is not None and len(scores) > 1
        own = table[table["image"] == path.name]
        assert own["label"].tolist() == list(range(1, int(labels.max()) + 1))
        assert own["score"].tolist() == pytest.approx(scores.tolist(), abs=1e-6)


def test_the_same_command_has_the_same_scores_and_makes_lost_ones_again(model: Path, images: list[Path]) -> None:
    """Those of versions that stored none are lost ones, too; label maps stay what they are."""
    first = predict(model, images)
    labels = images[0].parents[1] / "out" / "labels"
    stamp = (labels / "b.tif").stat().st_mtime_ns
    before = read_labels(labels / "a.tif")
    scores = labels.parent / "scores" / "a.csv"
    for damage in (scores.unlink, lambda: scores.write_text("label,score\n1,2\n")):
        damage()
        pd.testing.assert_frame_equal(predict(model, images), first)
        assert np.array_equal(read_labels(labels / "a.tif"), before)
        assert (labels / "b.tif").stat().st_mtime_ns == stamp


def test_small_objects_go_with_their_scores(model: Path, images: list[Path]) -> None:
    every = predict(model, images)
    limit = int(every["area"].median()) + 1
    for path in (images[0].parents[1] / "out" / "labels").iterdir():
        path.unlink()
    large = predict(model, images, min_size=limit)
    expected = every[every["area"] >= limit]
    assert 0 < len(large) < len(every)
    assert large[["image", "area", "score"]].values.tolist() == expected[["image", "area", "score"]].values.tolist()


def test_an_interrupt_between_labels_and_scores_leaves_none_of_before(
    model: Path, images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = predict(model, images)
    out = images[0].parents[1] / "out"
    scores = (out / "scores" / "a.csv").read_text()
    tifffile.imwrite(images[0], tifffile.imread(images[1]))

    def killed(path: Path, found: np.ndarray | None) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr("benchmarks.predicting.user_images.write_scores_of", killed)
        predict(model, images)
    assert not (out / "scores" / "a.csv").exists()
    again = predict(model, images)
    own, other = (again[again["image"] == f"{name}.tif"] for name in "ab")
    assert own["score"].tolist() == other["score"].tolist() == first[first["image"] == "b.tif"]["score"].tolist()
    assert (out / "scores" / "a.csv").read_text() != scores
