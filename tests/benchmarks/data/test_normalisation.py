"""Ranges of images: the robust choice, what single pixels may not do, and that they are noticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from benchmarks.data import check_dataset, open_dataset, read_image
from benchmarks.data.normalisation import grey_if_equal, normalise, odd_range
from benchmarks.data.opening import range_of
from benchmarks.errors import UserError

RNG = np.random.default_rng(0)
TWELVE_BITS = RNG.integers(100, 4096, (64, 64)).astype(np.uint16)


def with_hot_pixel(image: np.ndarray) -> np.ndarray:
    hot = image.copy()
    hot[5, 7] = 65535
    return hot


def test_a_hot_pixel_takes_the_range_of_min_max_and_none_of_robust() -> None:
    plain, hot = (normalise(image, "x", "robust")[0] for image in (TWELVE_BITS, with_hot_pixel(TWELVE_BITS)))
    assert normalise(with_hot_pixel(TWELVE_BITS), "x")[0].mean() < 0.05
    others = np.ones((64, 64), bool)
    others[5, 7] = False
    np.testing.assert_allclose(hot[others], plain[others], atol=0.01)
    assert hot[5, 7] == 1
    low, high = np.sort(TWELVE_BITS.ravel())[[5, -6]].astype(float)  # 0.1 % of 4096 are 4.1
    np.testing.assert_allclose(plain, ((TWELVE_BITS - low) / (high - low)).clip(0, 1), atol=1e-6)


def test_robust_changes_deep_colour_and_leaves_bytes_alone() -> None:
    deep = RNG.integers(100, 4096, (40, 40, 3)).astype(np.uint16)
    deep[0, 0, 1] = 65535
    assert normalise(deep, "x", "robust").mean() > 0.4 > normalise(deep, "x").mean()
    colour = (deep % 256).astype(np.uint8)
    np.testing.assert_array_equal(normalise(colour, "x", "robust"), normalise(colour, "x"))


def test_robust_of_a_constant_but_for_one_pixel_is_min_max() -> None:
    image = np.full((64, 64), 7, np.uint8)
    image[0, 0] = 9
    np.testing.assert_array_equal(normalise(image, "x", "robust"), normalise(image, "x"))


def test_an_odd_range_is_noticed() -> None:
    assert odd_range(TWELVE_BITS) is None
    words = odd_range(with_hot_pixel(TWELVE_BITS))
    assert words and words.startswith("100 to 65535, but")
    assert odd_range(np.full((4, 4), 3, np.uint8)) is None
    assert odd_range(np.dstack([with_hot_pixel(TWELVE_BITS)] * 3).astype(np.uint8)) is None


@pytest.mark.parametrize("change", [1, 100])
def test_one_pixel_does_not_make_a_grey_image_a_colour_image(change: int) -> None:
    grey = RNG.integers(20, 120, (32, 40)).astype(np.uint8)
    colour = np.dstack([grey] * 3)
    np.testing.assert_array_equal(grey_if_equal(colour), grey)
    colour[3, 4, 2] += change
    np.testing.assert_array_equal(grey_if_equal(colour), grey)


def test_a_small_object_in_colour_stays_in_colour() -> None:
    colour = np.zeros((520, 696, 3), np.uint8)
    colour[10:16, 10:16, 0] = 200  # 36 of 361 920 pixels, and all that there is
    assert grey_if_equal(colour).ndim == 3
    grey = np.dstack([RNG.integers(0, 255, (520, 696)).astype(np.uint8)] * 3)
    grey[10:40, 10:40, 0] = 200
    assert grey_if_equal(grey).ndim == 3


def test_the_range_is_an_option_of_a_folder_and_part_of_its_fingerprint(folder: Path) -> None:
    tifffile.imwrite(folder / "images" / "a.tif", with_hot_pixel(TWELVE_BITS)[:20, :24])
    (folder / "images" / "a.png").unlink()
    plain, robust = open_dataset(f"folder:{folder}"), open_dataset(f"folder:{folder}?range=robust")
    assert robust.load("a").image.mean() > 5 * plain.load("a").image.mean()
    np.testing.assert_array_equal(robust.load("a").image, read_image(folder / "images" / "a.tif", "robust"))
    assert robust.normalisation == "percentiles 0.1 to 99.9 per image"
    assert robust.fingerprint != plain.fingerprint
    assert [range_of(dataset.spec) for dataset in (plain, robust)] == ["min-max", "robust"]
    assert range_of("synthetic-nuclei?seed=3") == "min-max"
    with pytest.raises(UserError, match="no range 'wide'; expected min-max or robust"):
        open_dataset(f"folder:{folder}?range=wide")


def test_data_check_names_odd_ranges_and_pixels(folder: Path) -> None:
    assert check_dataset(open_dataset(f"folder:{folder}")).notes == []
    tifffile.imwrite(folder / "images" / "a.tif", with_hot_pixel(TWELVE_BITS)[:20, :24])
    (folder / "images" / "a.png").unlink()
    grey = np.dstack([RNG.integers(20, 120, (20, 24)).astype(np.uint8)] * 3)
    grey[3, 4, 1] += 1
    Image.fromarray(grey).save(folder / "images" / "b.png")
    notes = check_dataset(open_dataset(f"folder:{folder}")).notes
    assert any("1 images were saved in colour" in note and "b.png, 1 pixels" in note for note in notes)
    least = with_hot_pixel(TWELVE_BITS)[:20, :24].min()
    assert any("range=robust" in note and f"a.tif, {least} to 65535, but" in note for note in notes), notes
    assert not any(
        "range=robust" in note for note in check_dataset(open_dataset(f"folder:{folder}?range=robust")).notes
    )
