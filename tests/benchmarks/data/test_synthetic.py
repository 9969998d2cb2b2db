"""The generated sets: repeatable, independent of order, and with the traits they stand for."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from skimage.measure import label
from skimage.segmentation import expand_labels

from benchmarks.data import check_dataset, open_dataset
from benchmarks.errors import UserError

BOTH = pytest.mark.parametrize("kind", ["synthetic-nuclei", "synthetic-rosettes"])


@BOTH
def test_another_process_draws_the_same_bytes(kind: str) -> None:
    spec = f"{kind}?size=96&train=2&val=1&test=1&seed=5"
    code = f"from benchmarks.data import open_dataset; print(open_dataset({spec!r}).fingerprint)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert other.strip() == open_dataset(spec).fingerprint


@BOTH
def test_images_depend_on_seed_split_and_number_only(kind: str) -> None:
    few, many = open_dataset(f"{kind}?size=96&train=2"), open_dataset(f"{kind}?size=96&train=5")
    many.load("train-0004")
    np.testing.assert_array_equal(few.load("train-0001").image, many.load("train-0001").image)
    images = [many.load(id).image for id in ("train-0000", "train-0001", "val-0000", "test-0000")]
    images.append(open_dataset(f"{kind}?size=96&seed=1").load("train-0000").image)
    assert len({image.tobytes() for image in images}) == len(images)
    assert few.fingerprint != many.fingerprint


@pytest.mark.parametrize(
    ("kind", "images", "fewest", "most"),
    [("synthetic-nuclei", (24, 8, 8), 20, 65), ("synthetic-rosettes", (16, 6, 6), 5, 19)],
)
def test_defaults(kind: str, images: tuple[int, ...], fewest: int, most: int) -> None:
    dataset = open_dataset(kind)
    report = check_dataset(dataset)
    assert report.problems == []
    assert report.sizes == {(256, 256): sum(images)}
    assert tuple(split.images for split in report.splits.values()) == images
    for split in report.splits.values():
        counts = [count for count in split.counts if count]
        assert fewest <= min(counts) <= max(counts) <= most
        assert max(counts) - min(counts) >= 5
    assert dataset.name == kind
    empty = sum(split.counts.count(0) for split in report.splits.values())
    assert empty == (1 if kind == "synthetic-nuclei" else 0)


@BOTH
def test_ids_are_contiguous_and_objects_differ_from_background(kind: str) -> None:
    dataset = open_dataset(f"{kind}?train=3")
    for id in dataset.ids("train"):
        sample = dataset.load(id)
        assert sample.labels is not None
        np.testing.assert_array_equal(np.unique(sample.labels), np.arange(sample.labels.max() + 1))
        assert np.bincount(sample.labels.ravel()).min() >= 20
        green = sample.image[1] - (sample.image[0] if kind == "synthetic-rosettes" else 0)
        inside, outside = green[sample.labels > 0], green[expand_labels(sample.labels, 6) == 0]
        assert np.median(inside) > np.quantile(outside, 0.9)


def test_many_nuclei_touch_and_each_is_in_one_piece() -> None:
    dataset = open_dataset("synthetic-nuclei?train=6")
    nuclei = clumps = 0
    for id in dataset.ids("train"):
        labels = dataset.load(id).labels
        assert labels is not None
        assert label(labels, connectivity=1).max() == labels.max()
        nuclei, clumps = nuclei + labels.max(), clumps + label(labels > 0, connectivity=2).max()
    assert clumps < 0.75 * nuclei


def test_leaves_hide_parts_of_others() -> None:
    dataset = open_dataset("synthetic-rosettes")
    pieces = leaves = 0
    for id in dataset.ids("train"):
        labels = dataset.load(id).labels
        assert labels is not None
        leaves, pieces = leaves + labels.max(), pieces + label(labels, connectivity=2).max()
    assert pieces > 1.05 * leaves


def test_images_are_stored_as_a_camera_stores_them() -> None:
    nuclei = open_dataset("synthetic-nuclei?size=128").read("val-0000").image
    assert (nuclei.dtype, nuclei.shape) == (np.uint16, (128, 128))
    assert nuclei.max() <= 4095
    rosette = open_dataset("synthetic-rosettes?size=100").read("val-0000").image
    assert (rosette.dtype, rosette.shape) == (np.uint8, (100, 100, 3))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("size=63", "from 64 to 2048"),
        ("size=1e9", "whole number"),
        ("train=0", "from 1"),
        ("seed=-1", "from 0"),
        ("colour=red", "no option 'colour'"),
        ("seed", "name=value"),
        ("seed=1&seed=2", "twice"),
    ],
)
def test_bad_options_are_refused(options: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        open_dataset(f"synthetic-nuclei?{options}")
