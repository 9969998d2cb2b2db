"""`folder:` whose labels/ hold what other tools write, and JPEG images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from conftest import small_labels
from PIL import Image

from benchmarks.data import check_dataset, open_dataset


def write_geojson(path: Path, *boxes: tuple[int, int, int, int]) -> None:
    rings = [[[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]] for x0, y0, x1, y1 in boxes]
    features = [{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}} for ring in rings]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def test_labels_may_be_of_several_tools(folder: Path) -> None:
    expected = {id: small_labels(i) for i, id in enumerate("ab")}
    (folder / "labels" / "a.png").unlink()
    np.save(folder / "labels" / "a_seg.npy", {"masks": expected["a"]}, allow_pickle=True)  # type: ignore[arg-type]
    (folder / "labels" / "b.png").unlink()
    write_geojson(folder / "labels" / "b.png.geojson", (3, 2, 9, 8), (5, 10, 12, 18), (14, 4, 20, 9))
    dataset = open_dataset(f"folder:{folder}")
    np.testing.assert_array_equal(dataset.load("a").labels, expected["a"])
    np.testing.assert_array_equal(dataset.load("b").labels, _numbered(expected["b"]))
    assert dataset.notes == []


def _numbered(labels: np.ndarray) -> np.ndarray:
    """Ids in the order in which `write_geojson` was given the boxes."""
    numbered = np.zeros(labels.shape, np.int32)
    for number, id in enumerate((1, 301, 7), 1):
        numbered[labels == id] = number
    return numbered


def test_what_a_label_map_cannot_hold_is_told_by_the_check(folder: Path) -> None:
    (folder / "labels" / "a.png").unlink()
    write_geojson(folder / "labels" / "a.geojson", (0, 0, 10, 10), (2, 2, 5, 5), (20, 15, 40, 40))
    (note,) = [note for note in check_dataset(open_dataset(f"folder:{folder}")).notes if "several objects" in note]
    assert "9 pixels that several objects claim" in note and "1 objects that reach beyond the image" in note
    assert "in 1 images" in note and "a.geojson" in note


def test_components_are_made_of_outlines_too(folder: Path) -> None:
    (folder / "labels" / "a.png").unlink()
    boxes = [[[[x, 1], [x + 3, 1], [x + 3, 4], [x, 4]]] for x in (1, 10)]
    feature = {"type": "Feature", "geometry": {"type": "MultiPolygon", "coordinates": boxes}}
    (folder / "labels" / "a.geojson").write_text(json.dumps([feature]))
    assert open_dataset(f"folder:{folder}").load("a").labels.max() == 1  # type: ignore[union-attr]
    assert open_dataset(f"folder:{folder}?decoding=components").load("a").labels.max() == 2  # type: ignore[union-attr]


def test_jpeg_images_are_read_and_noted(folder: Path) -> None:
    picture = (np.arange(480).reshape(20, 24) // 2).astype(np.uint8)
    for stem in ("a", "d"):
        (folder / "images" / f"{stem}.png").unlink()
        Image.fromarray(picture).save(folder / "images" / f"{stem}.JPG", "JPEG", quality=95)
    shutil.copy(folder / "images" / "a.JPG", folder / "images" / "unused.jpeg")
    dataset = open_dataset(f"folder:{folder}")
    decoded = np.asarray(Image.open(folder / "images" / "a.JPG")).astype(float)
    np.testing.assert_allclose(dataset.load("a").image[0], (decoded - decoded.min()) / np.ptp(decoded), atol=1e-6)
    (note,) = [note for note in dataset.notes if "JPEG" in note]
    assert note.startswith("2 images are JPEG, which changes pixels to save room (the first: a.JPG)")
