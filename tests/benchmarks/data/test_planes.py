"""Planes of TIFF stacks as microscopes and Fiji write them, against the arrays that were written."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from benchmarks.data.planes import reading
from benchmarks.data.planes.choice import PlaneChoice
from benchmarks.data.planes.reading import image_stem, open_image
from benchmarks.data.reading import decode_image
from benchmarks.errors import UserError

VALUES = np.random.default_rng(0).integers(0, 4000, (2, 4, 3, 10, 12), np.uint16)  # T, Z, C, Y, X
NAMES = ["DAPI", "GFP", "RFP"]


def write(path: Path, kind: str, values: np.ndarray, axes: str, **options: Any) -> Path:
    if kind == "ome":
        names = {"Channel": {"Name": NAMES[: values.shape[axes.index("C")]]}} if "C" in axes else {}
        tifffile.imwrite(path, values, ome=True, metadata={"axes": axes, **names}, **options)
    elif kind == "imagej":
        tifffile.imwrite(path, values, imagej=True, metadata={"axes": axes}, **options)
    else:
        tifffile.imwrite(path, values, metadata=None, photometric="minisblack", **options)
    return path


def read(path: Path, **choice: Any) -> np.ndarray:
    return open_image(path).read(PlaneChoice(**choice))


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize(("kind", "axes"), [("ome", "TZCYX"), ("ome", "CZTYX"), ("ome", "ZCTYX"), ("imagej", "TZCYX")])
def test_the_plane_that_was_chosen_is_read(
    tmp_path: Path, kind: str, axes: str, compression: str | None, byteorder: Any
) -> None:
    values = VALUES.transpose(["TZCYX".index(axis) for axis in axes])
    path = tmp_path / "a.tif"
    write(path, kind, np.ascontiguousarray(values), axes, compression=compression, byteorder=byteorder)
    assert (read(path, channel="2", z="4", t=2) == VALUES[1, 3, 1]).all()
    assert (read(path, channel="1", z="max", t=1) == VALUES[0, :, 0].max(axis=0)).all()
    colours = read(path, channel="rgb", z="2", t=1)
    assert (colours == VALUES[0, 1].transpose(1, 2, 0)).all() and colours.dtype == np.uint16
    if kind == "ome":
        assert (read(path, channel="RFP", z="1", t=1) == VALUES[0, 0, 2]).all()


def test_nothing_is_chosen_silently(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ome.tif", "ome", VALUES, "TZCYX")
    listed = (
        r"a\.ome\.tif: holds 2 times, 4 planes in depth, 3 channels \(1 DAPI, 2 GFP, 3 RFP\)\. Choose with --t N and "
        r"--z N\|max and --channel NAME\|N; --channel rgb takes the three as red, green and blue\."
    )
    with pytest.raises(UserError, match=listed):
        read(path)
    for left in ({"channel": "1", "z": "1"}, {"channel": "1", "t": 1}, {"z": "max", "t": 1}):
        with pytest.raises(UserError, match="Choose with --"):
            read(path, **left)
    whole = {"channel": "1", "z": "1", "t": 1}
    for wrong, words in (
        (
            {"channel": "Cy5"},
            "--channel Cy5 is not there, or not alone; expected one of 3 channels: 1 DAPI, 2 GFP, 3 RFP",
        ),
        ({"channel": "0"}, "--channel 0 is not there"),
        ({"z": "5"}, "--z 5 is not there; expected 1 to 4"),
        ({"t": 3}, "--t 3 is not there; expected 1 to 2"),
        ({"scene": "2"}, "--scene 2 is not there"),
    ):
        with pytest.raises(UserError, match=words):
            read(path, **(whole | wrong))
    with pytest.raises(UserError, match="--z 'min': expected the number of a plane, from 1 on, or max"):
        PlaneChoice(z="min")


def test_three_channels_with_names_are_no_colours(tmp_path: Path) -> None:
    """Without names they are, as everywhere: ImageJ writes RGB so."""
    named = write(tmp_path / "named.ome.tif", "ome", VALUES[0, 0], "CYX")
    with pytest.raises(UserError, match=r"holds 3 channels \(1 DAPI"):
        read(named)
    assert (read(named, channel="GFP") == VALUES[0, 0, 1]).all()
    unnamed = write(tmp_path / "unnamed.tif", "imagej", VALUES[0, 0], "CYX")
    assert (read(unnamed) == decode_image(unnamed.read_bytes(), "x")).all()
    assert read(unnamed).shape == (10, 12, 3)
    assert (read(unnamed, channel="3") == VALUES[0, 0, 2]).all()


def test_pages_without_meaning_are_depth_or_time_as_the_user_says(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", "plain", VALUES[0, :, 0], "")
    with pytest.raises(UserError, match=r"holds 4 pages, of which it does not say .* Choose with --z N\|max or --t N"):
        read(path)
    assert (read(path, z="3") == VALUES[0, 2, 0]).all()
    assert (read(path, t=3) == VALUES[0, 2, 0]).all()
    assert (read(path, z="max") == VALUES[0, :, 0].max(axis=0)).all()
    with pytest.raises(UserError, match="Give one of --z and --t"):
        read(path, z="1", t=1)


def test_a_stack_of_colours_keeps_its_colours(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 255, (4, 10, 12, 3), np.uint8)
    path = tmp_path / "a.tif"
    for planar in ("contig", "separate"):
        stored = values if planar == "contig" else np.ascontiguousarray(values.transpose(0, 3, 1, 2))
        tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planar, metadata=None)
        assert (read(path, z="2") == values[1]).all()
        assert (read(path, z="2", channel="blue") == values[1, :, :, 2]).all()


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
def test_samples_beyond_colours_are_channels(tmp_path: Path, planar: str, photometric: Any) -> None:
    values = np.random.default_rng(2).integers(0, 4000, (10, 12, 5), np.uint16)
    stored = values if planar == "contig" else np.ascontiguousarray(values.transpose(2, 0, 1))
    options: Any = {"photometric": photometric, "planarconfig": planar, "metadata": None}
    tifffile.imwrite(
        tmp_path / "a.tif", stored, extrasamples=["unspecified"] * (2 if photometric == "rgb" else 4), **options
    )
    with pytest.raises(UserError, match=r"holds 5 channels \(1 to 5\)\. Choose with --channel"):
        read(tmp_path / "a.tif")
    assert (read(tmp_path / "a.tif", channel="4") == values[..., 3]).all()


def test_channels_that_are_called_as_colours_are_colours(tmp_path: Path) -> None:
    """Fiji labels the planes of a photograph that was made a composite so."""
    metadata = {"axes": "CYX", "Labels": ["Red", "Green", "Blue"]}
    tifffile.imwrite(tmp_path / "a.tif", VALUES[0, 0], imagej=True, metadata=metadata)
    assert (read(tmp_path / "a.tif") == VALUES[0, 0].transpose(1, 2, 0)).all()
    tifffile.imwrite(tmp_path / "b.tif", VALUES[0, 0], imagej=True, metadata=metadata | {"Labels": NAMES})
    with pytest.raises(UserError, match="1 DAPI, 2 GFP, 3 RFP"):
        read(tmp_path / "b.tif")


def test_one_plane_is_what_it_was_with_or_without_a_choice_of_it(tmp_path: Path) -> None:
    grey = write(tmp_path / "a.tif", "imagej", VALUES[0, 0, 0], "YX")
    for choice in ({}, {"channel": "1"}, {"z": "1"}, {"z": "max", "t": 1}, {"scene": "1"}):
        assert (read(grey, **choice) == VALUES[0, 0, 0]).all()
    for choice, words in (
        ({"channel": "2"}, "--channel 2 is not there"),
        ({"channel": "rgb"}, "--channel rgb is not there"),
        ({"z": "2"}, "--z 2 is not there; expected 1, as there is no more"),
    ):
        with pytest.raises(UserError, match=words):
            read(grey, **choice)
    one = write(tmp_path / "one.ome.tif", "ome", VALUES[0, 0, :1], "CYX")
    assert (read(one) == read(one, channel="DAPI")).all()
    assert (
        read(write(tmp_path / "named.ome.tif", "ome", VALUES[0, 0, 0], "YX"), scene="Image0") == VALUES[0, 0, 0]
    ).all()
    with pytest.raises(UserError, match="expected one of 1 channels: 1 DAPI"):
        read(one, channel="GFP")


def test_an_axis_of_one_beside_pages_is_none_to_choose_from(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", VALUES[0, :, None, 0], photometric="minisblack", metadata={"axes": "QRYX"})
    assert (read(tmp_path / "a.tif", z="3") == VALUES[0, 2, 0]).all()


def test_a_picture_has_one_image(tmp_path: Path) -> None:
    Image.fromarray(VALUES[0, 0, 0]).save(tmp_path / "a.png")
    assert (read(tmp_path / "a.png", scene="1", z="max", t=1, channel="1") == VALUES[0, 0, 0]).all()
    for choice in ({"scene": "2"}, {"z": "2"}, {"t": 2}, {"channel": "2"}):
        with pytest.raises(UserError, match=r"a\.png: --\w+ 2 is not there"):
            read(tmp_path / "a.png", **choice)


def test_images_of_one_file_are_chosen_by_name_or_number(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        for name, values in (("left", VALUES[0, 0]), ("right", VALUES[1, 0])):
            file.write(
                values, metadata={"axes": "CYX", "Name": name, "Channel": {"Name": [f"{name} {c}" for c in NAMES]}}
            )
    with pytest.raises(UserError, match=r"holds 2 images \(1 left, 2 right\)\. Choose one with --scene NAME\|N"):
        read(path)
    assert (read(path, scene="right", channel="right GFP") == VALUES[1, 0, 1]).all()
    assert (read(path, scene="1", channel="left GFP") == VALUES[0, 0, 1]).all()


def test_a_plane_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", "imagej", VALUES[0], "ZCYX")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - VALUES[0, 0].nbytes])
    for z in ("1", "4"):
        with pytest.raises(UserError, match="damaged or was cut short"):
            read(path, z=z, channel="1")


def test_large_stacks_are_mapped_and_read_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [
        write(tmp_path / "a.tif", "imagej", VALUES[0], "ZCYX"),
        write(tmp_path / "b.ome.tif", "ome", VALUES[0], "ZCYX", compression="zlib"),
    ]
    whole = [open_image(path) for path in paths]
    monkeypatch.setattr(reading, "MAX_FILE_BYTES", 1000)
    for path, before in zip(paths, whole, strict=True):
        mapped = open_image(path)
        assert isinstance(mapped.content, mmap.mmap) and isinstance(before.content, bytes)
        assert mapped.digest == before.digest
        choice = PlaneChoice(channel="2", z="3")
        assert (mapped.read(choice) == VALUES[0, 2, 1]).all() and (before.read(choice) == VALUES[0, 2, 1]).all()


def test_results_are_named_without_suffix() -> None:
    assert [image_stem(name) for name in ("a.ND2", "b.ome.zarr", "c.ome.tif", "d.e")] == ["a", "b.ome", "c.ome", "d.e"]
