"""Formats of microscopes: how bioio is asked, and, where the optional readers are installed, what they read."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from lif_writer import write_lif

from benchmarks.data.planes import microscope
from benchmarks.data.planes.choice import PlaneChoice
from benchmarks.data.planes.pixel_size import PixelSize
from benchmarks.data.planes.reading import open_image
from benchmarks.errors import UserError

VALUES = np.random.default_rng(0).integers(0, 4000, (2, 3, 20, 30), np.uint16)  # C, Z, Y, X


class Dimensions:
    """Sizes as bioio gives them: by name, in tuples."""

    def __init__(self, order: str, sizes: dict[str, int]) -> None:
        self.order = order
        self._sizes = sizes

    def __getitem__(self, axis: str) -> tuple[int]:
        return (self._sizes[axis],)


class BioImage:
    """What of bioio's images is used, with pixels of two scenes."""

    scenes = ("first", "second")
    dims = Dimensions("TCZYX", {"T": 1, "C": 2, "Z": 3, "Y": 20, "X": 30})
    dtype = np.dtype(np.uint16)
    channel_names = ("DAPI", "GFP")
    micrometres = 0.25

    def __init__(self, path: Path, reader: Any) -> None:
        if path.read_bytes() == b"damaged":
            raise ValueError("no such chunk")
        self._scene = 0
        self.physical_pixel_sizes = SimpleNamespace(X=self.micrometres, Y=self.micrometres)
        self.dimension_properties = SimpleNamespace(X=SimpleNamespace(unit=None), Y=SimpleNamespace(unit=None))

    def set_scene(self, scene: int) -> None:
        self._scene = scene

    def get_image_dask_data(self, order: str, **at: int) -> Any:
        assert order == "YX" and at["T"] == 0
        return SimpleNamespace(compute=lambda: VALUES[at["C"], at["Z"]] + self._scene)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[BioImage]:
    for name, content in (("bioio", {"BioImage": BioImage}), ("bioio_nd2", {"Reader": None})):
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(microscope, "find_spec", lambda name: sys.modules.get(name))
    return BioImage


def read(path: Path, **choice: Any) -> np.ndarray:
    return open_image(path).read(PlaneChoice(**choice))


def test_planes_are_asked_for_by_scene_channel_and_depth(tmp_path: Path, stand_in: type[BioImage]) -> None:
    path = tmp_path / "a.nd2"
    path.write_bytes(b"pixels")
    with pytest.raises(UserError, match=r"holds 2 images \(1 first, 2 second\)\. Choose one with --scene"):
        read(path)
    with pytest.raises(UserError, match=r"holds 2 channels \(1 DAPI, 2 GFP\), 3 planes in depth\. Choose with"):
        read(path, scene="first")
    assert (read(path, scene="2", channel="GFP", z="3") == VALUES[1, 2] + 1).all()
    assert (read(path, scene="first", channel="1", z="max") == VALUES[0].max(axis=0)).all()
    path.write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"a\.nd2: cannot be read as ND2 \(no such chunk\): it is damaged"):
        read(path)


def test_sizes_without_a_unit_are_micrometres_but_not_the_one_of_no_calibration(
    tmp_path: Path, stand_in: type[BioImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.nd2"
    path.write_bytes(b"pixels")
    assert open_image(path).pixel_size(PlaneChoice(scene="1")) == PixelSize(0.25, 0.25)
    monkeypatch.setattr(stand_in, "micrometres", 1.0)
    assert open_image(path).pixel_size(PlaneChoice(scene="1")) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.nd2", "ND2 is read by bioio, which is not installed: pip install 'pctrans-bench.microscopes.'"),
        ("a.lif", "LIF is read by bioio"),
        ("a.CZI", "CZI is read by bioio.* `pip install bioio-czi`, which is no part of it as its licence is GPL-3.0"),
        ("a.zarr", "OME-Zarr is read by bioio"),
    ],
)
def test_where_the_reader_is_absent_the_error_says_what_to_install(
    tmp_path: Path, name: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(microscope, "find_spec", lambda _: None)
    path = tmp_path / name
    if name.endswith("zarr"):
        path.mkdir()
    else:
        path.write_bytes(b"x")
    with pytest.raises(UserError, match=words):
        read(path)


def test_the_digest_of_a_folder_follows_names_and_contents(tmp_path: Path) -> None:
    digests = []
    for name, content in (("0", b"a"), ("1", b"a"), ("0", b"b")):
        folder = tmp_path / f"{len(digests)}.zarr"
        (folder / "c").mkdir(parents=True)
        (folder / "c" / name).write_bytes(content)
        digests.append(open_image(folder).digest)
    assert len(set(digests)) == 3
    (tmp_path / "2.zarr" / "c" / "0").write_bytes(b"a")
    assert open_image(tmp_path / "2.zarr").digest == digests[0]


def test_lif_is_read(tmp_path: Path) -> None:
    pytest.importorskip("bioio_lif", reason="of the extra 'microscopes'")
    write_lif(tmp_path / "a.lif", {"A": VALUES, "B": VALUES[:1, :1] + 7}, ["DAPI", "GFP"], 0.25)
    assert (read(tmp_path / "a.lif", scene="A", channel="GFP", z="2") == VALUES[1, 1]).all()
    assert (read(tmp_path / "a.lif", scene="2") == VALUES[0, 0] + 7).all()
    size = open_image(tmp_path / "a.lif").pixel_size(PlaneChoice(scene="A"))
    assert size is not None and (size.x, size.y) == pytest.approx((0.25, 0.25))


@pytest.mark.parametrize("version", [2, 3])
def test_ome_zarr_is_read(tmp_path: Path, version: int) -> None:
    writers = pytest.importorskip("bioio_ome_zarr.writers", reason="of the extra 'microscopes'")
    path = tmp_path / "a.ome.zarr"
    for unit, expected in (
        ("micrometer", PixelSize(0.25, 0.25)),
        ("nanometer", PixelSize(0.25e-3, 0.25e-3)),
        (None, None),
    ):
        writer = writers.OMEZarrWriter(
            str(path), [(1, *VALUES.shape)], VALUES.dtype, zarr_format=version,
            physical_pixel_size=[1, 1, 1, 0.25, 0.25], axes_units=[None, None, unit, unit, unit],
        )  # fmt: skip
        writer.write_full_volume(VALUES[None])
        assert (read(path, channel="2", z="3") == VALUES[1, 2]).all()
        assert open_image(path).pixel_size(PlaneChoice()) == expected
