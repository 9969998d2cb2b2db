"""`predict` with exports and with files of several planes, from the command line to what other libraries read."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import roifile
import tifffile
from pycocotools.coco import COCO
from test_user_images import saved_model, write_discs

from benchmarks.cli import main
from benchmarks.data import read_labels
from benchmarks.data.planes.choice import PlaneChoice
from benchmarks.errors import UserError
from benchmarks.exports.choice import EXPORTS, Export
from benchmarks.predicting.input_images import find_images
from benchmarks.predicting.options import PredictOptions
from benchmarks.predicting.user_images import Predicted, predict_images

PRESENT = {"labels", "overlays", "objects.csv", "predict.json"}


def discs(count: int) -> np.ndarray:
    rows, columns = np.indices((60, 160))
    image = np.full((60, 160), 100, np.uint16)
    for index in range(count):
        image[(rows - 30) ** 2 + (columns - 20 - 30 * index) ** 2 < 64] = 3000
    return image


def predicted(folder: Path, exports: Collection[Export] = EXPORTS, **options: bool) -> list[Predicted]:
    images = find_images([str(folder / "images")])
    return list(predict_images(folder, images, folder / "out", device="cpu", exports=exports, **options))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model and three images: one that knows its pixels' size, one that does not, one without objects."""
    saved_model(tmp_path)
    write_discs(tmp_path / "images" / "b.png", 3)
    calibrated = {"axes": "YX", "unit": "um"}
    tifffile.imwrite(tmp_path / "images" / "a.tif", discs(2), imagej=True, resolution=(4, 4), metadata=calibrated)
    tifffile.imwrite(tmp_path / "images" / "c.tif", np.full((60, 160), 7, np.uint16))
    return tmp_path


def test_every_export_is_there_and_says_the_same(folder: Path) -> None:
    found = predicted(folder)
    assert [one.objects for one in found] == [2, 3, 0]
    assert ["does not say how large a pixel is" in " ".join(one.notes) for one in found] == [False, True, True]
    out = folder / "out"
    assert {path.name for path in out.iterdir()} == PRESENT | {"imagej", "rois", "geojson", "coco.json"}
    coco = COCO(str(out / "coco.json"))
    assert [one["file_name"] for one in coco.loadImgs(coco.getImgIds())] == ["a.tif", "b.png", "c.tif"]
    for number, (name, count) in enumerate({"a": 2, "b": 3, "c": 0}.items(), start=1):
        labels = read_labels(out / "labels" / f"{name}.tif")
        assert (tifffile.imread(out / "imagej" / f"{name}.tif") == labels).all()
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=[number]))
        drawn = sum((one["label"] * coco.annToMask(one).astype(int) for one in annotations), np.zeros_like(labels))
        assert (drawn == labels).all()
        features = json.loads((out / "geojson" / f"{name}.geojson").read_text())["features"]
        assert [feature["properties"]["name"] for feature in features] == [str(id) for id in range(1, count + 1)]
        rois = roifile.roiread(out / "rois" / f"{name}.zip")
        assert [roi.name for roi in rois] == [f"{id:04d}" for id in range(1, count + 1)]
        if name == "a":
            assert [feature["properties"]["measurements"]["area"] for feature in features] == np.bincount(
                labels.ravel()
            )[1:].tolist()
    table = pd.read_csv(out / "objects.csv")
    assert table["area_um2"][:2].tolist() == (table["area"][:2] / 16).tolist()
    assert table["perimeter_um"][:2].tolist() == (table["perimeter"][:2] / 4).tolist()
    assert table["area_um2"][2:].isna().all()


def test_without_exports_all_is_as_before_and_exports_come_later_without_segmenting_again(folder: Path) -> None:
    predicted(folder, exports=())
    out = folder / "out"
    assert {path.name for path in out.iterdir()} == PRESENT
    assert not [name for name in pd.read_csv(out / "objects.csv").columns if "_um" in name]
    stamps = [path.stat().st_mtime_ns for path in sorted((out / "labels").iterdir())]
    predicted(folder)
    assert [path.stat().st_mtime_ns for path in sorted((out / "labels").iterdir())] == stamps
    once = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    predicted(folder)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == once


def test_no_export_outlives_the_labels_it_was_made_of(folder: Path) -> None:
    predicted(folder)
    out = folder / "out"
    write_discs(folder / "images" / "b.png", 4)
    (folder / "images" / "c.tif").write_bytes(b"damaged")
    found = predicted(folder, exports=())
    assert [one.objects for one in found] == [2, 4, 0] and found[2].problem
    left = {str(path.relative_to(out)) for kind in ("imagej", "rois", "geojson") for path in (out / kind).iterdir()}
    assert left == {"imagej/a.tif", "rois/a.zip", "geojson/a.geojson"}
    assert not (out / "coco.json").exists()


def test_what_a_format_cannot_hold_is_a_problem_and_the_rest_is_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.exports.imagej_rois._LARGEST", 50)
    found = predicted(folder)
    assert [one.objects for one in found] == [2, 3, 0]
    assert "hold positions up to 50" in (found[0].problem or "") and found[2].problem is None
    assert len(pd.read_csv(folder / "out" / "objects.csv")) == 5
    assert len(json.loads((folder / "out" / "coco.json").read_text())["annotations"]) == 5


def test_exports_of_others_stay_where_an_image_cannot_be_read(folder: Path) -> None:
    (folder / "images" / "d.png").write_bytes(b"damaged")
    for exports in (EXPORTS, ()):
        assert predicted(folder, exports)[3].problem
        assert (folder / "out" / "coco.json").exists()


def test_a_plane_is_chosen_and_other_results_are_not_mixed_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved_model(tmp_path)
    (tmp_path / "images").mkdir()
    planes = np.stack([discs(1), discs(2), discs(3)])
    tifffile.imwrite(tmp_path / "images" / "a.tif", planes, imagej=True, metadata={"axes": "ZYX"})
    monkeypatch.chdir(tmp_path)

    def run(*options: str) -> int:
        monkeypatch.setattr("sys.argv", ["pctrans-bench", "predict", ".", "images", "--out", "out", *options])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    assert run() == 1
    assert "holds 3 planes in depth. Choose with --z N|max." in capsys.readouterr().out
    assert run("--z", "2", "--export", "roi") == 0
    assert capsys.readouterr().out.split()[-4:] == ["out/labels", "out/overlays", "out/objects.csv", "out/rois"]
    assert len(roifile.roiread(tmp_path / "out" / "rois" / "a.zip")) == 2
    for others in ((), ("--z", "max"), ("--z", "2", "--export", "zip")):
        assert run(*others) == 2
    assert len(roifile.roiread(tmp_path / "out" / "rois" / "a.zip")) == 2
    assert run("--z", "max", "--overwrite", "--export", "roi") == 0
    assert len(roifile.roiread(tmp_path / "out" / "rois" / "a.zip")) == 3


def test_a_choice_that_results_were_made_without_is_refused(folder: Path) -> None:
    predicted(folder, exports=())
    images = find_images([str(folder / "images")])
    options = PredictOptions(plane=PlaneChoice(channel="1"))
    with pytest.raises(UserError, match="was not made with this model and these options"):
        list(predict_images(folder, images, folder / "out", device="cpu", options=options))


def test_folders_of_ome_zarr_and_files_of_microscopes_are_images(tmp_path: Path) -> None:
    for name in ("a.nd2", "b.czi", "d.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "c.ome.zarr" / "0").mkdir(parents=True)
    (tmp_path / "c.ome.zarr" / "thumbnail.png").write_bytes(b"x")
    names = ["a.nd2", "b.czi", "c.ome.zarr"]
    assert [path.name for path in find_images([str(tmp_path)])] == names
    assert [path.name for path in find_images([str(tmp_path / "c.ome.zarr")])] == ["c.ome.zarr"]
