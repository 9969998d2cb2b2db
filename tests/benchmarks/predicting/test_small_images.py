"""Images that fit a tile are continued at their border before a network sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from benchmarks.data import read_labels
from benchmarks.predicting.small_images import segment_continued
from benchmarks.predicting.user_images import predict_images
from benchmarks.run.prediction import Labelled
from benchmarks.store.models.saved_model import find_model

Seen = list[np.ndarray]


def noting(seen: Seen, labels: np.ndarray | None = None, scores: np.ndarray | None = None):  # type: ignore[no-untyped-def]
    def segment(image: np.ndarray) -> Labelled:
        seen.append(image)
        return (np.ones(image.shape[1:], np.int32) if labels is None else labels), scores

    return segment


def test_the_last_row_and_column_go_on_to_the_next_multiple_of_32() -> None:
    image, seen = np.random.default_rng(0).random((3, 33, 95), np.float32), Seen()
    labels, scores = segment_continued(noting(seen), image, tile=96)
    (shown,) = seen
    assert shown.shape == (3, 64, 96) and labels.shape == (33, 95) and scores is None
    np.testing.assert_array_equal(shown[:, :33, :95], image)
    np.testing.assert_array_equal(shown[:, 33:, :95], np.repeat(image[:, 32:33], 31, axis=1))
    np.testing.assert_array_equal(shown[:, :33, 95], image[:, :, 94])


def test_what_lies_beyond_the_image_alone_goes_with_its_score() -> None:
    labels = np.zeros((32, 32), np.int32)
    labels[:4, :4], labels[:, 31], labels[28:, 8:12] = 1, 2, 3  # the second lies beyond
    found, scores = segment_continued(noting(Seen(), labels, np.array([0.9, 0.8, 0.7])), np.zeros((3, 30, 30)), tile=32)
    expected = np.where(labels == 3, 2, labels)[:30, :30]
    expected[:, 30:] = 0
    np.testing.assert_array_equal(found, expected)
    assert scores is not None and scores.tolist() == [0.9, 0.7]


@pytest.mark.parametrize(("shape", "tile"), [((64, 96), 96), ((33, 97), 96)])
def test_whole_multiples_and_images_in_tiles_are_shown_as_they_are(shape: tuple[int, int], tile: int) -> None:
    image, seen = np.zeros((3, *shape), np.float32), Seen()
    segment_continued(noting(seen), image, tile)
    assert seen[0] is image


def test_predict_shows_networks_no_black_and_measures_the_image(tmp_path: Path) -> None:
    """The built-in model on a window of 100 x 130 pixels: what it marks is what it marks on the continued window."""
    rows, columns = np.indices((100, 130))
    image = np.full((100, 130), 200.0)
    for row, column in ((20, 30), (92, 60), (50, 124), (60, 20)):
        image += 2000 * np.exp(-(((rows - row) ** 2 + (columns - column) ** 2) / 90.0))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image.astype(np.uint16))
    (found,) = predict_images(find_model(Path("nuclei")), [path], tmp_path / "out", device="cpu")
    labels = read_labels(tmp_path / "out" / "labels" / "a.tif")
    assert labels.shape == (100, 130) and found.objects == labels.max() >= 4
    assert labels[92, 60] and labels[50, 124], "objects at the lower and the right border"
    assert pd.read_csv(tmp_path / "out" / "objects.csv")["max_intensity"].max() >= 2200
