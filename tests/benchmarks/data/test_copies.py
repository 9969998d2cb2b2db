"""The same picture under several names, against pictures that were changed as people change them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.transform import resize

from benchmarks.data import check_dataset, open_dataset
from benchmarks.data.checking import leaks, shared_pictures
from benchmarks.data.checking.copies import find_copies, picture_of
from benchmarks.data.normalisation import normalise

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


def cells(seed: int, shape: tuple[int, int] = (200, 240)) -> np.ndarray:
    """Blobs with a camera's noise, 12 bits."""
    rng = np.random.default_rng(seed)
    blobs = gaussian_filter((rng.random(shape) < 0.002).astype(float), 6) * 300
    return (300 + 3000 * blobs.clip(0, 1) + rng.normal(0, 40, shape)).clip(0, 4095).astype(np.uint16)


def jpeg(image: np.ndarray) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray((image // 16).astype(np.uint8)).save(stream, "JPEG", quality=40)
    return np.asarray(Image.open(stream))


def hot(image: np.ndarray) -> np.ndarray:
    changed = image.copy()
    changed[0, 0] = 65535
    return changed


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "8 bit": lambda image: (image >> 4).astype(np.uint8),
    "JPEG": jpeg,
    "half the size": lambda image: resize(image.astype(np.float32), (100, 120), anti_aliasing=True),
    "twice the size": lambda image: resize(image.astype(np.float32), (400, 480)),
    "a hot pixel": hot,
    "a gamma": lambda image: np.sqrt(image.astype(np.float32)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_nothing_else(change: str) -> None:
    originals = [picture_of(normalise(cells(seed), "x"), f"a{seed}", "a") for seed in range(6)]
    copies = [picture_of(normalise(CHANGES[change](cells(seed)), "x"), f"b{seed}", "b") for seed in range(3, 9)]
    found = find_copies([*originals, *copies])
    assert [(copy.first.name, copy.second.name) for copy in found] == [("a3", "b3"), ("a4", "b4"), ("a5", "b5")]
    assert not any(copy.exact for copy in found)


def test_scaled_values_are_an_exact_copy() -> None:
    image = cells(0)
    pictures = [picture_of(normalise(image * factor, "x"), str(factor), str(factor)) for factor in (1, 16)]
    (copy,) = find_copies(pictures)
    assert copy.exact
    assert copy.describe() == "1 = 16 (the same pixels)"


def test_blank_fields_share_shading_but_no_picture() -> None:
    rows, columns = np.indices((200, 240))
    shading = 500 - 300 * ((rows / 200 - 0.5) ** 2 + (columns / 240 - 0.5) ** 2)
    noise = np.random.default_rng(0)
    blank = [(shading + noise.normal(0, 5, shading.shape)).astype(np.float32) for _ in range(2)]
    pictures = [picture_of(normalise(image, "x"), name, name) for image, name in zip(blank, "ab", strict=True)]
    assert find_copies(pictures) == []
    constant = picture_of(normalise(np.zeros((9, 9), np.uint8), "x"), "c", "c")
    assert find_copies([constant, constant], within=True) == []


def test_a_leak_between_splits_is_a_problem_and_between_sets_as_well(folder: Path) -> None:
    for stem in ("a", "c.1", "d"):
        for part, array in (("images", cells(0)), ("labels", (cells(0) > 2000).astype(np.uint8))):
            (folder / part / f"{stem}.png").unlink()
            tifffile.imwrite(folder / part / f"{stem}.tif", array)
    tifffile.imwrite(folder / "images" / "d.tif", (cells(0) >> 4).astype(np.uint8))
    report = check_dataset(open_dataset(f"folder:{folder}"))
    named = [problem for problem in report.problems if "in two splits" in problem]
    assert [problem.partition(" (")[0] for problem in named] == [
        "in two splits: test/d = train/a",
        "in two splits: test/d = val/c.1",
        "in two splits: train/a = val/c.1",
    ] or len(named) == 3
    assert len(leaks(open_dataset(f"folder:{folder}"))) == 3
    assert len(shared_pictures([report, report])) > 3


def test_the_two_real_sets_share_what_is_known() -> None:
    if not (SHARED / "bbbc039").is_dir():
        pytest.skip(f"{SHARED} is not there")
    with (SHARED / "bbbc039" / "also-in-nuclei-u2os.tsv").open(newline="", encoding="utf-8") as file:
        known = {(row[1], Path(row[0]).stem) for row in csv.reader(file, delimiter="\t")}
    pictures = []
    for name in ("bbbc039", "nuclei-u2os"):
        kind = "bbbc039" if name == "bbbc039" else "folder"
        dataset = open_dataset(f"{kind}:{SHARED / name}")
        wanted = {pair[name != "bbbc039"] for pair in known}
        ids = [id for split in ("train", "val", "test") for id in dataset.ids(split)]
        # All that are shared, and of the others so many that the test takes seconds.
        chosen = [id for id in ids if id in wanted] + [id for id in ids if id not in wanted][:15]
        pictures += [picture_of(dataset.load(id).image, id, name) for id in chosen]
    assert {(copy.first.name, copy.second.name) for copy in find_copies(pictures)} == known
