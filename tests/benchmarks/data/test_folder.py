"""The folder layout: what is read, and that each kind of bad input names its file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from benchmarks.data import Dataset, check_dataset, open_dataset
from benchmarks.data.cache import SampleCache
from benchmarks.data.sample import Sample
from benchmarks.errors import UserError

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


def opened(root: Path) -> Dataset:
    return open_dataset(f"folder:{root}")


def test_samples_are_what_the_files_hold(folder: Path) -> None:
    dataset = opened(folder)
    assert (dataset.name, dataset.decoding, dataset.evaluation_split) == ("cells", "ids", "test")
    assert dataset.normalisation == "min-max per image"
    assert [dataset.ids(split) for split in ("train", "val", "test")] == [("a", "b"), ("c.1",), ("d",)]
    sample = dataset.load("c.1")
    stored = np.asarray(Image.open(folder / "images" / "c.1.png")).astype(float)
    np.testing.assert_allclose(sample.image[2], (stored - stored.min()) / np.ptp(stored), atol=1e-6)
    np.testing.assert_array_equal(sample.labels, np.asarray(Image.open(folder / "labels" / "c.1.png")))
    assert sample.labels is not None
    assert not sample.image.flags.writeable
    assert not sample.labels.flags.writeable
    assert dataset.load("c.1") is sample


def test_image_and_label_may_have_different_formats(folder: Path) -> None:
    labels = np.asarray(Image.open(folder / "labels" / "a.png"))
    (folder / "labels" / "a.png").unlink()
    tifffile.imwrite(folder / "labels" / "a.tiff", labels.astype(np.uint32))
    np.testing.assert_array_equal(opened(folder).load("a").labels, labels)


def test_split_files_may_hold_suffixes_blank_lines_and_a_byte_order_mark(folder: Path) -> None:
    (folder / "splits" / "train.txt").write_bytes("\ufeffb.png\r\n\r\na.tif\r\n".encode())
    assert opened(folder).ids("train") == ("a", "b")


def test_fingerprint_follows_content_and_splits_not_place_or_bystanders(folder: Path, tmp_path: Path) -> None:
    before = opened(folder).fingerprint
    copy = shutil.copytree(folder, tmp_path / "elsewhere")
    (copy / "images" / "unused.png").write_bytes(b"")
    (copy / "splits" / "train.txt").write_text("b\na\n")
    assert opened(copy).fingerprint == before
    assert opened(copy).notes == ["1 images are in no split and are not used (the first: unused.png)"]
    (copy / "splits" / "train.txt").write_text("a\n")
    without_b = opened(copy).fingerprint
    Image.fromarray(np.zeros((20, 24), np.uint16)).save(copy / "labels" / "d.png")
    assert len({before, without_b, opened(copy).fingerprint}) == 3


def rgb_label(root: Path) -> None:
    Image.fromarray(np.zeros((20, 24, 3), np.uint8)).save(root / "labels" / "a.png")


def palette_as_rgb(root: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (4, 3)).astype(np.uint8)
    Image.fromarray(colours[np.arange(480).reshape(20, 24) % 4]).save(root / "labels" / "a.png")


def unequal(root: Path) -> None:
    Image.fromarray(np.zeros((20, 23), np.uint8)).save(root / "labels" / "a.png")


def truncated(root: Path) -> None:
    path = root / "images" / "b.png"
    path.write_bytes(path.read_bytes()[:200])


@pytest.mark.parametrize(
    ("spoil", "named", "said"),
    [
        (rgb_label, "labels/a.png", "single channel"),
        (palette_as_rgb, "labels/a.png", "palette indices"),
        (unequal, "labels/a.png", r"20 x 23.*20 x 24"),
        (truncated, "images/b.png", "cut short"),
    ],
)
def test_bad_content_is_refused_by_validate_and_reported(
    folder: Path, spoil: Callable[[Path], None], named: str, said: str
) -> None:
    spoil(folder)
    dataset = opened(folder)
    with pytest.raises(UserError, match=said) as error:
        dataset.validate()
    assert named in str(error.value)
    report = check_dataset(dataset)
    assert report.problems == [str(error.value)]
    assert named in report.render()
    assert report.splits["train"].images == 2
    assert len(report.splits["train"].counts) == 1


def write(name: str, text: str) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        (root / name).write_text(text)

    return spoil


def remove(name: str) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return spoil


@pytest.mark.parametrize(
    ("spoil", "named", "said"),
    [
        (remove("labels/a.png"), "train.txt", "no label image of that stem"),
        (remove("images/d.png"), "test.txt", "no image of that stem"),
        (write("splits/val.txt", "c.1\nghost\n"), "val.txt", "'ghost'"),
        (write("splits/val.txt", "../images/a\nghost\n"), "val.txt", "also in"),
        (write("splits/val.txt", " \n"), "val.txt", "empty"),
        (write("splits/val.txt", "a\n"), "val.txt", "leaks"),
        (write("splits/test.txt", "d\nd\n"), "test.txt", "twice"),
        (remove("splits/val.txt"), "val.txt", "missing"),
        (remove("splits"), "cells", "no folder splits/"),
        (remove("labels"), "cells", "no folder labels/"),
        (write("images/a.tif", ""), "a.tif", "same stem"),
    ],
)
def test_bad_layout_is_refused_on_opening(folder: Path, spoil: Callable[[Path], None], named: str, said: str) -> None:
    spoil(folder)
    with pytest.raises(UserError, match=said) as error:
        opened(folder)
    assert named in str(error.value)


def test_report_counts_instances_and_finds_semantic_masks(folder: Path) -> None:
    Image.fromarray(np.zeros((20, 24), np.uint8)).save(folder / "labels" / "b.png")
    report = check_dataset(opened(folder))
    assert report.problems == []
    assert report.splits["train"].counts == [3, 0]
    assert report.sizes == {(20, 24): 4}
    assert report.types == {"uint16 grey": 4}
    assert "no problems found" in report.render()
    for path in (folder / "labels").iterdir():
        mask = np.zeros((20, 24), np.uint8)
        mask[2:5, 2:5] = mask[10:15, 10:15] = 255
        Image.fromarray(mask).save(path)
    (problem,) = check_dataset(opened(folder)).problems
    assert "foreground masks" in problem


def test_orientation_tags_turn_image_and_label_and_are_noted_where_they_differ(folder: Path) -> None:
    stored = np.asarray(Image.open(folder / "images" / "a.png"))
    exif = Image.Exif()
    exif[274] = 3
    Image.fromarray(stored).save(folder / "images" / "a.png", exif=exif)
    dataset = opened(folder)
    np.testing.assert_array_equal(dataset.read("a").image, np.rot90(stored, 2))
    (note,) = check_dataset(dataset).notes
    assert "1 images have another orientation tag" in note
    assert "images/a.png" in note
    labels = np.asarray(Image.open(folder / "labels" / "a.png"))
    Image.fromarray(labels).save(folder / "labels" / "a.png", exif=exif)
    np.testing.assert_array_equal(dataset.read("a").labels, np.rot90(labels, 2))
    assert check_dataset(opened(folder)).notes == []


def test_jpeg_serves_as_image_and_never_as_label(folder: Path) -> None:
    for stem in ("images", "labels"):
        Image.fromarray(np.full((20, 24), 90, np.uint8)).save(folder / stem / "a.jpg")
    (folder / "images" / "a.png").unlink()
    assert opened(folder).read("a").image.max() == 90
    np.testing.assert_array_equal(opened(folder).read("a").labels, np.asarray(Image.open(folder / "labels" / "a.png")))
    (folder / "labels" / "a.jpg").rename(folder / "labels" / "a.png")
    with pytest.raises(UserError, match=r"labels/a\.png: a label image compressed with JPEG, which may change ids"):
        opened(folder).read("a")


def test_what_lies_beside_the_split_is_noted(folder: Path) -> None:
    Image.fromarray(np.full((20, 24), 90, np.uint8)).save(folder / "images" / "more.jpg")
    for name in ("images/b.bmp", "images/Thumbs.db", "labels/a.jpg"):
        (folder / name).write_bytes(b"x")
    assert opened(folder).notes == [
        "1 images are in no split and are not used (the first: more.jpg)",
        f"{folder}/images: 2 files are of no format that is read there (the first: Thumbs.db)",
        f"{folder}/labels: 1 files are of no format that is read there (the first: a.jpg)",
    ]


def test_names_in_either_normal_form_of_unicode_are_one_name(folder: Path) -> None:
    decomposed, composed = "Zelle-a\u0308", "Zelle-\u00e4"
    (folder / "images" / "d.png").rename(folder / "images" / f"{decomposed}.png")
    (folder / "labels" / "d.png").rename(folder / "labels" / f"{composed}.png")
    for listed in (decomposed, composed):
        (folder / "splits" / "test.txt").write_text(listed, encoding="utf-8")
        assert opened(folder).ids("test") == (composed,)
        assert opened(folder).load(composed).labels is not None
    (folder / "splits" / "test.txt").write_text(f"{composed}\n{decomposed}\n", encoding="utf-8")
    with pytest.raises(UserError, match="is listed twice"):
        opened(folder)


def test_cache_holds_no_more_than_its_capacity_and_drops_the_oldest() -> None:
    def read(id: str) -> Sample:
        reads.append(id)
        return Sample(id, np.zeros((3, 2, 2), np.float32), np.zeros((2, 2), np.int32))  # 64 bytes

    reads: list[str] = []
    cache = SampleCache(capacity=128)
    for id in ("a", "b", "a", "c", "a", "b"):
        assert cache.get(id, read).id == id
        assert len(cache) <= 2
    assert reads == ["a", "b", "c", "b"]


@pytest.mark.parametrize(
    ("name", "instances", "normalisation"),
    [
        ("nuclei-u2os", (4742, 1193, 1446), "min-max per image"),
        ("nuclei-histology", (2223, 685, 599), "divide by 255"),
    ],
)
def test_real_sets_hold_what_their_readme_says(name: str, instances: tuple[int, int, int], normalisation: str) -> None:
    if not (SHARED / name).is_dir():
        pytest.skip(f"{SHARED / name} is not there")
    report = check_dataset(opened(SHARED / name))
    assert report.problems == []
    assert tuple(sum(split.counts) for split in report.splits.values()) == instances
    assert report.dataset.normalisation == normalisation
