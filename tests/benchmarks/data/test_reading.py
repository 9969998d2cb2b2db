"""Reading single files, checked against what Pillow, tifffile and the test's own PNG encoder wrote.

Kinds of files are in `test_formats`, hostile ones in `test_limits`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from encoders import encode_png16
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from benchmarks.data import read_image, read_labels
from benchmarks.data.decoding.files import decode
from benchmarks.data.reading import normalise, stem_of
from benchmarks.errors import UserError

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
RNG = np.random.default_rng(0)
GREY16 = RNG.integers(120, 4096, (30, 40)).astype(np.uint16)
COLOUR8 = RNG.integers(0, 256, (30, 40, 3)).astype(np.uint8)
COLOUR16 = RNG.integers(10, 4000, (30, 40, 3)).astype(np.uint16)


def stretched(array: np.ndarray) -> np.ndarray:
    wide = array.astype(np.float64)
    return (wide - wide.min()) / (wide.max() - wide.min())


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.uint16, array_shapes(min_dims=3, max_dims=3, max_side=6).map(lambda s: (*s[:2], 2 + s[2] % 3))),
    st.lists(st.integers(0, 4), min_size=6, max_size=6),
)
def test_deep_png_decodes_to_what_was_encoded(array: np.ndarray, filters: list[int]) -> None:
    np.testing.assert_array_equal(decode(encode_png16(array, filters), "x").pixels, array)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
def test_grey_tiff_is_stretched_per_image_and_repeated(tmp_path: Path, compression: str | None) -> None:
    Image.fromarray(GREY16).save(tmp_path / "a.tif", compression=compression)
    image = read_image(tmp_path / "a.tif")
    assert image.shape == (3, 30, 40)
    assert image.dtype == np.float32
    for channel in image:
        np.testing.assert_allclose(channel, stretched(GREY16), atol=1e-6)


def test_colour_8_bit_is_divided_by_255_and_alpha_dropped(tmp_path: Path) -> None:
    alpha = np.dstack([COLOUR8, np.full((30, 40), 9, np.uint8)])
    for array, name in ((COLOUR8, "rgb.png"), (alpha, "rgba.png"), (COLOUR8, "rgb.tif"), (alpha, "rgba.tif")):
        Image.fromarray(array).save(tmp_path / name)
        expected = np.moveaxis(COLOUR8, -1, 0) / 255
        np.testing.assert_allclose(read_image(tmp_path / name), expected, atol=1e-6)


def test_colour_16_bit_keeps_all_its_bits(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode_png16(COLOUR16, [y % 5 for y in range(30)]))
    tifffile.imwrite(tmp_path / "interleaved.tif", COLOUR16, photometric="rgb")
    planes = np.moveaxis(COLOUR16, -1, 0)
    tifffile.imwrite(tmp_path / "planar.tif", planes, photometric="rgb", planarconfig="separate")
    tifffile.imwrite(tmp_path / "imagej.tif", planes, imagej=True, metadata={"axes": "CYX"})
    for name in ("a.png", "interleaved.tif", "planar.tif", "imagej.tif"):
        np.testing.assert_allclose(read_image(tmp_path / name), stretched(planes), atol=1e-6)


def test_three_equal_channels_are_grey(tmp_path: Path) -> None:
    grey = RNG.integers(40, 90, (30, 40)).astype(np.uint8)
    Image.fromarray(np.dstack([grey] * 3)).save(tmp_path / "a.png")
    np.testing.assert_allclose(read_image(tmp_path / "a.png")[1], stretched(grey), atol=1e-6)


def test_palette_image_shows_its_colours(tmp_path: Path) -> None:
    image = Image.fromarray(COLOUR8).quantize(16)
    image.save(tmp_path / "a.png")
    expected = np.moveaxis(np.asarray(image.convert("RGB")), -1, 0) / 255
    np.testing.assert_allclose(read_image(tmp_path / "a.png"), expected, atol=1e-6)


@pytest.mark.parametrize("value", [0, 77])
def test_constant_image_becomes_zero(tmp_path: Path, value: int) -> None:
    Image.fromarray(np.full((8, 9), value, np.uint8)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.zeros((3, 8, 9)))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([np.uint8, np.uint16, np.uint32, np.int16, np.float32]).flatmap(
        lambda kind: arrays(
            kind,
            array_shapes(min_dims=2, max_dims=2, max_side=5) | st.just((3, 4, 3)),
            elements={"allow_nan": False, "allow_infinity": False} if kind is np.float32 else None,
        )
    )
)
def test_any_image_lands_in_the_unit_range(array: np.ndarray) -> None:
    image = normalise(array, "x")
    assert image.shape == (3, *array.shape[:2])
    assert image.dtype == np.float32
    assert 0 <= image.min() <= image.max() <= 1
    assert not image.flags.writeable


@pytest.mark.parametrize(
    ("array", "name"),
    [
        (np.array([[0, 255]], np.uint8), "a.png"),
        (np.array([[0, 65535]], np.uint16), "a.png"),
        (np.array([[0, 65536, 2**31 - 1]], np.uint32), "a.tif"),
        (np.array([[0, 5]], np.int64), "a.npy"),
    ],
)
def test_labels_of_every_width_keep_their_ids(tmp_path: Path, array: np.ndarray, name: str) -> None:
    path = tmp_path / name
    if name.endswith("tif"):
        tifffile.imwrite(path, array)
    elif name.endswith("npy"):
        np.save(path, array)
    else:
        Image.fromarray(array).save(path)
    labels = read_labels(path)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, array)


@pytest.mark.parametrize("bits", [2, 8])
def test_palette_label_gives_indices_not_colours(tmp_path: Path, bits: int) -> None:
    indices = np.array([[0, 1], [2, 3]], np.uint8)
    image = Image.fromarray(indices, mode="L")
    image.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0, 0, 0, 200])
    image.save(tmp_path / "a.png", bits=bits)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), indices)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.float32([[0, 0.5]]), "float32"),
        (np.float32([[0, np.nan]]), "not finite"),
        (np.float32([[0, -1]]), "-1"),
        (np.int16([[0, -3]]), "-3"),
        (np.uint32([[0, 2**31]]), "2147483648"),
        (np.dstack([np.uint8([[0, 1]])] * 3), "channels are equal"),
        (np.uint8([[[0, 0, 0], [255, 0, 0]]]), "palette indices"),
        (RNG.integers(0, 256, (40, 40, 3)).astype(np.uint8), "colour image"),
    ],
)
def test_what_is_no_label_map_is_refused(tmp_path: Path, array: np.ndarray, expected: str) -> None:
    tifffile.imwrite(tmp_path / "bad.tif", array, photometric="rgb" if array.ndim == 3 else "minisblack")
    with pytest.raises(UserError, match=r"bad\.tif") as error:
        read_labels(tmp_path / "bad.tif")
    assert expected in str(error.value)


def write_valid(path: Path) -> bytes:
    if path.suffix == ".tif":
        tifffile.imwrite(path, GREY16)
    elif path.suffix == ".npy":
        np.save(path, GREY16)
    elif path.name == "deep.png":
        path.write_bytes(encode_png16(COLOUR16, [0] * 30))
    else:
        Image.fromarray(GREY16).save(path)
    return path.read_bytes()


@pytest.mark.parametrize("name", ["a.png", "deep.png", "a.tif", "a.npy"])
@pytest.mark.parametrize("part", [0.0, 0.01, 0.1, 0.5, 0.95])
def test_truncated_files_are_named(tmp_path: Path, name: str, part: float) -> None:
    content = write_valid(tmp_path / name)
    (tmp_path / name).write_bytes(content[: int(part * len(content))])
    with pytest.raises(UserError, match=name):
        read_image(tmp_path / name)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_damaged_files_are_read_or_refused_but_never_crash(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / data.draw(st.sampled_from(["a.png", "deep.png", "a.tif"]))
        content = bytearray(write_valid(path))
        for _ in range(3):
            place = data.draw(st.integers(0, min(len(content), 300) - 1))
            content[place] = data.draw(st.integers(0, 255))
        path.write_bytes(content)
        try:
            assert read_image(path).shape[0] == 3
        except UserError as error:
            assert str(path) in str(error)


def test_stacks_and_other_formats_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((5, 8, 8), np.uint16), photometric="minisblack")
    (tmp_path / "photo.png").write_bytes(b"\xff\xd8\xff\xe0 a broken jpeg under another name")
    (tmp_path / "movie.png").write_bytes(b"GIF89a under another name")
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match=r"stack\.tif.*one plane"):
        read_image(tmp_path / "stack.tif")
    with pytest.raises(UserError, match=r"photo\.png.*JPEG.*damaged"):
        read_image(tmp_path / "photo.png")
    with pytest.raises(UserError, match=r"movie\.png.*not a PNG, TIFF or JPEG file"):
        read_image(tmp_path / "movie.png")
    with pytest.raises(UserError, match=r"objects\.npy"):
        read_labels(tmp_path / "objects.npy")
    with pytest.raises(UserError, match=r"absent\.png"):
        read_image(tmp_path / "absent.png")


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "nan.tif", np.float32([[0, np.nan]]))
    with pytest.raises(UserError, match=r"nan\.tif.*not finite"):
        read_image(tmp_path / "nan.tif")


def test_stem_keeps_dots_that_are_no_suffix() -> None:
    assert [stem_of(n) for n in ("x/a.b.TIF", "a.1", "IXMtest_A02_s1.png")] == [
        "a.b",
        "a.1",
        "IXMtest_A02_s1",
    ]


@pytest.mark.parametrize(
    ("folder", "pattern"),
    [
        ("bbbc039/images", "*.tif"),
        ("bbbc039/masks", "*.png"),
        ("nuclei-u2os/images", "*.png"),
        ("nuclei-u2os/labels", "*.png"),
        ("nuclei-histology/images", "*.png"),
    ],
)
def test_real_files_are_to_the_bit_what_pillow_reads(folder: str, pattern: str) -> None:
    files = sorted((SHARED / folder).glob(pattern))[:8]
    if not files:
        pytest.skip(f"{SHARED / folder} is not there")
    for path in files:
        expected = np.asarray(Image.open(path))
        pixels = decode(path.read_bytes(), str(path)).pixels
        assert pixels.dtype == expected.dtype
        np.testing.assert_array_equal(pixels, expected)
