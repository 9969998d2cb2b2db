"""`data check` tells of a problem whatever the rest of the data is like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from benchmarks.data import check_dataset, open_dataset


def test_a_split_without_a_readable_label_is_reported(folder: Path) -> None:
    (folder / "labels" / "d.png").write_bytes(b"not an image")
    report = check_dataset(open_dataset(f"folder:{folder}"))
    (problem,) = report.problems
    assert "labels/d.png" in problem
    (line,) = [line for line in report.render().splitlines() if line.startswith("test")]
    assert line.split() == ["test", "1", "0", "-", "-", "-", "-", "-"]
    assert f"problem: {problem}" in report.render()


def test_ignored_pixels_are_told_of_and_are_no_object(folder: Path) -> None:
    labels = np.zeros((20, 24), np.int16)
    labels[2:6, 2:6], labels[:, 12:] = 5, -1
    (folder / "labels" / "d.png").unlink()
    tifffile.imwrite(folder / "labels" / "d.tif", labels)
    dataset = open_dataset(f"folder:{folder}")
    report = check_dataset(dataset)
    assert report.problems == [] and report.splits["test"].counts == [1]
    (note,) = report.notes
    assert "labels/d.tif, 50.0% of its pixels" in note
    sample = dataset.load("d")
    assert sample.labels is not None and sample.labels.min() == -1
    np.testing.assert_array_equal(sample.objects, np.where(labels == -1, 0, labels))
    assert dataset.load("a").objects is dataset.load("a").labels
