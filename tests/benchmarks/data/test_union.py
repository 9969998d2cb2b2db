"""Several data sets as one: splits joined, copies left out, each part read by its own rules."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.data import open_dataset
from benchmarks.data.checking.dataset import check_dataset, leaks
from benchmarks.data.opening import range_of
from benchmarks.errors import UserError
from benchmarks.plan.job import JobContext
from benchmarks.plan.resolving import make_job
from benchmarks.predicting.options import PredictOptions, Settings
from benchmarks.run.execution import run_job
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.models.saved_model import load_model

SPLITS = {"train": ("a", "b"), "val": ("c",), "test": ("d",)}


def texture(seed: int, shape: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Blobs of several sizes that no other seed has."""
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).random(shape)
    blobs = gaussian_filter(noise, 3) * 8 + gaussian_filter(noise, 1) + noise * 0.1
    return (255 * (blobs - blobs.min()) / np.ptp(blobs)).astype(np.uint8)


def make_folder(root: Path, first: int, **replaced: np.ndarray) -> Path:
    for name in ("images", "labels", "splits"):
        (root / name).mkdir(parents=True)
    for number, stem in enumerate("abcd"):
        image = replaced.get(stem, texture(first + number))
        Image.fromarray(image).save(root / "images" / f"{stem}.png")
        labels = np.zeros(image.shape, np.uint8)
        labels[4:12, 4 : 10 + number], labels[20:30, 30:40] = 1, 2
        Image.fromarray(labels).save(root / "labels" / f"{stem}.png")
    for split, stems in SPLITS.items():
        (root / "splits" / f"{split}.txt").write_text("\n".join(stems), encoding="utf-8")
    return root


def listing(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines), encoding="utf-8")
    return f"union:{path}"


@pytest.fixture
def spec(tmp_path: Path) -> str:
    make_folder(tmp_path / "one", 0)
    make_folder(tmp_path / "two", 10)
    return listing(tmp_path / "both.txt", "# two microscopes", "folder:one", "", "folder:two?range=robust")


def test_splits_are_joined_and_samples_are_those_of_the_parts(spec: str, tmp_path: Path) -> None:
    union = open_dataset(spec)
    assert union.name == "both"
    assert union.ids("train") == ("1-a", "1-b", "2-a", "2-b")
    assert union.ids("val") == ("1-c", "2-c") and union.ids("test") == ("1-d", "2-d")
    for number, part in ((1, f"folder:{tmp_path}/one"), (2, f"folder:{tmp_path}/two?range=robust")):
        own = open_dataset(part)
        for id in "abcd":
            ours, theirs = union.load(f"{number}-{id}"), own.load(id)
            assert ours.id == f"{number}-{id}"
            np.testing.assert_array_equal(ours.image, theirs.image)
            np.testing.assert_array_equal(ours.labels, theirs.labels)
    assert "0.1" in union.normalisation or "percentile" in union.normalisation
    union.validate()


def test_the_fingerprint_follows_content_and_range_not_the_place(spec: str, tmp_path: Path) -> None:
    before = open_dataset(spec).fingerprint
    shutil.copytree(tmp_path / "one", tmp_path / "elsewhere" / "one")
    shutil.copytree(tmp_path / "two", tmp_path / "elsewhere" / "two")
    moved = listing(tmp_path / "elsewhere" / "both.txt", "folder:one", "folder:two?range=robust")
    assert open_dataset(moved).fingerprint == before
    other_range = listing(tmp_path / "plain.txt", "folder:one", "folder:two")
    assert open_dataset(other_range).fingerprint != before
    make_folder(tmp_path / "three", 20)
    other_images = listing(tmp_path / "other.txt", "folder:one", "folder:three?range=robust")
    assert open_dataset(other_images).fingerprint != before


def robust(tmp_path: Path) -> str:
    """Spec of a union of parts that all have the robust range, with a hot pixel in each image of the second."""
    hot = {stem: np.pad(texture(seed).astype(np.uint16), 1) for seed, stem in enumerate("abcd", 10)}
    for image in hot.values():
        image[0, 0] = 65535
    make_folder(tmp_path / "one", 0)
    make_folder(tmp_path / "hot", 10, **hot)
    return listing(tmp_path / "robust.txt", "folder:one?range=robust", "folder:hot?range=robust")


def test_the_range_is_that_of_all_parts_or_none(spec: str, tmp_path: Path) -> None:
    mixed = open_dataset(spec)
    assert mixed.range is None
    assert (mixed.range_for("1-a"), mixed.range_for("2-a")) == ("min-max", "robust")
    assert range_of(spec, mixed.decoding) is None
    (tmp_path / "others").mkdir()
    union = open_dataset(robust(tmp_path / "others"))
    assert union.range == "robust" == range_of(union.spec, union.decoding)
    plain = open_dataset(listing(tmp_path / "plain.txt", "folder:one", "folder:two"))
    assert plain.range == "min-max" == range_of(plain.spec, plain.decoding)


def test_the_range_is_in_the_fingerprint_once(tmp_path: Path) -> None:
    union = open_dataset(robust(tmp_path))
    digest = hashlib.sha256(b"ids, robust + ids, robust")
    for split in SPLITS:
        for id in union.ids(split):
            digest.update(f"\n{split}/{id} {union.content_digest(id)}".encode())
    assert union.fingerprint == digest.hexdigest()


def test_the_check_normalises_each_part_by_its_range(tmp_path: Path) -> None:
    def odd(union: str) -> list[str]:
        return [note for note in check_dataset(open_dataset(union)).notes if "range=robust" in note]

    assert odd(robust(tmp_path)) == []
    assert odd(listing(tmp_path / "mixed.txt", "folder:one", "folder:hot?range=robust")) == []
    (note,) = odd(listing(tmp_path / "plain.txt", "folder:one?range=robust", "folder:hot"))
    assert note.startswith("4 images have a few pixels")


@pytest.mark.parametrize("method", ["watershed", "discriminative"])
def test_a_model_of_it_predicts_with_the_range_of_its_parts(tmp_path: Path, method: str) -> None:
    union = open_dataset(robust(tmp_path))
    brief = {"training": {"iterations": 1, "validation_images": 1}, "testing": {"threshold_trials": 0}}
    job = make_job(method, JobContext.on(union, "smoke"), seed=0, overrides=brief if method != "watershed" else {})
    outcome = run_job(job, union, tmp_path / "out", "cpu")
    assert outcome.status == "done", outcome.error
    saved = load_model(JobFolder.of(job, tmp_path / "out").model, "cpu")
    assert saved.range == "robust" == Settings.of(saved, PredictOptions()).range


def test_a_copy_of_a_test_image_is_not_trained_on_and_one_of_a_training_image_is_there_once(tmp_path: Path) -> None:
    make_folder(tmp_path / "one", 0)
    bright = (texture(3).astype(np.uint16) * 200 + 17).astype(np.uint16)  # d of one, its test image, in 16 bit
    make_folder(tmp_path / "two", 10, a=bright, b=texture(1))  # and b of one, a training image
    union = open_dataset(listing(tmp_path / "both.txt", "folder:two", "folder:one"))
    assert union.ids("train") == ("1-b", "2-a"), "the first part's copy stays, the test image's goes"
    assert union.ids("test") == ("1-d", "2-d")
    assert leaks(union) == []
    (note,) = [note for note in union.notes if "left out" in note]
    assert "2 images" in note and "train/1-a, of test/2-d" in note


def test_it_is_opened_again_by_the_decoding_that_a_job_keeps(spec: str) -> None:
    union = open_dataset(spec)
    assert union.decoding == "ids + ids, robust"
    assert open_dataset(spec, decoding=union.decoding).fingerprint == union.fingerprint
    with pytest.raises(UserError, match="has no decoding 'ids'"):
        open_dataset(spec, decoding="ids")


def test_it_is_trained_on_as_any_data_and_parts_of_it_too(spec: str) -> None:
    whole, half = open_dataset(spec), open_dataset(f"{spec}?train-share=1/2")
    assert len(half.ids("train")) == 2 and half.ids("test") == whole.ids("test")
    keys = {make_job("pctrans", JobContext.on(one, "smoke"), seed=0).key for one in (whole, half)}
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["folder:one"], "names 1 data sets"),
        (["folder:one", "folder:one"], "twice"),
        (["folder:one", "union:both.txt"], "is a union itself"),
        (["folder:one", "synthetic-rosettes?size=64&train=1&val=1&test=1"], "different protocols"),
        (["folder:one", "folder:nowhere"], "nowhere"),
        (["folder:one", "nothing"], "no dataset 'nothing'"),
    ],
)
def test_what_cannot_be_joined_is_refused(tmp_path: Path, lines: list[str], said: str) -> None:
    make_folder(tmp_path / "one", 0)
    with pytest.raises(UserError, match=said):
        open_dataset(listing(tmp_path / "both.txt", *lines))


def test_a_union_of_a_set_and_its_copy_has_nothing_twice(tmp_path: Path) -> None:
    make_folder(tmp_path / "one", 0)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    union = open_dataset(listing(tmp_path / "both.txt", "folder:one", "folder:two"))
    assert [union.ids(split) for split in SPLITS] == [("1-a", "1-b"), ("1-c",), ("1-d",)]


def test_a_file_that_is_no_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "both.txt").write_bytes(b"\xff\xfe\x00folder")
    with pytest.raises(UserError, match="cannot be read as a list"):
        open_dataset(f"union:{tmp_path}/both.txt")
    with pytest.raises(UserError, match="option"):
        open_dataset(f"union:{tmp_path}/both.txt?range=robust")
