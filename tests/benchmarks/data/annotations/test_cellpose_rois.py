"""Cellpose's `_rois.zip`, whose points are border pixels of masks, against the masks that OpenCV traced."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from golden.make_cellpose_outlines import label_map
from roifile import ImagejRoi

from benchmarks.data.annotations.cellpose import read_border_rois
from benchmarks.data.annotations.finding import labels_at
from benchmarks.data.annotations.imagej import read_rois

GOLDEN = json.loads((Path(__file__).parents[3] / "golden" / "cellpose_outlines.json").read_text(encoding="utf-8"))


def zipped(outlines: list[list[list[int]]]) -> bytes:
    """As `cellpose.io.save_rois` does."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number, outline in enumerate(outlines):
            archive.writestr(f"{number}.roi", ImagejRoi.frompoints(np.array(outline)).tobytes())
    return stream.getvalue()


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"seed {case['seed']}")
def test_the_masks_come_back_to_the_pixel(case: dict, tmp_path: Path) -> None:
    labels, outlines = label_map(case["seed"]), case["outlines"]
    expected = np.zeros(labels.shape, np.int32)
    for number, id in enumerate(outlines, 1):
        expected[labels == int(id)] = number
    assert len(outlines) > 5
    content = zipped(list(outlines.values()))
    found = read_border_rois(content, "a_rois.zip", labels.shape, False)
    np.testing.assert_array_equal(found.labels, expected)
    assert not found.losses.overlapping and not found.losses.clipped
    (tmp_path / "a_rois.zip").write_bytes(content)
    record = labels_at(tmp_path).records["a"]
    np.testing.assert_array_equal(record.read(labels.shape, ignore=False).labels, expected)


def test_a_square_by_hand() -> None:
    ring = [(3, 2), (3, 3), (3, 4), (4, 4), (5, 4), (5, 3), (5, 2), (4, 2)]
    expected = np.zeros((6, 7), np.int32)
    expected[2:5, 3:6] = 1
    content = zipped([[list(point) for point in ring]])
    np.testing.assert_array_equal(read_border_rois(content, "a_rois.zip", (6, 7), False).labels, expected)
    cut = read_border_rois(content, "a_rois.zip", (6, 5), False)
    np.testing.assert_array_equal(cut.labels, expected[:, :5])
    assert cut.losses.clipped == 1
    assert np.count_nonzero(read_rois(content, "a.zip", (6, 7), False).labels) == 4, "ImageJ's corners hold 2 x 2"


def test_outlines_of_imagej_of_that_name_stay_corners_of_pixels() -> None:
    content = zipped([[[1, 1], [5, 1], [5, 4], [1, 4]], [[6, 0], [6, 1], [7, 1], [7, 0]]])
    expected = read_rois(content, "a.zip", (6, 9), False).labels
    assert np.count_nonzero(expected == 1) == 12 and np.count_nonzero(expected == 2) == 1
    np.testing.assert_array_equal(read_border_rois(content, "a_rois.zip", (6, 9), False).labels, expected)
