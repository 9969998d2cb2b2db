"""Scores of objects: of a whole image the method's own, of stitched objects the mean of their parts by area."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label
from torch import Tensor

from benchmarks.tiling import mean_by_object, segment_image, segment_image_with_scores
from benchmarks.tiling.flips import vote, vote_with_confidence
from benchmarks.tiling.grid import tile_grid
from benchmarks.tiling.stitch import Stitcher


def threshold(images: Tensor) -> Tensor:
    """Connected parts of what is above 0.3 in the first channel, per image."""
    return torch.stack([torch.from_numpy(label(image.numpy() > 0.3)[0]).long() for image in images[:, 0]])


def with_second_channel(images: Tensor) -> tuple[Tensor, Tensor]:
    """The second channel says how sure each pixel is."""
    return threshold(images), images[:, 1]


def scene(height: int, width: int, seed: int) -> np.ndarray:
    """Random rectangles in the first channel, random confidence in the second: (3, H, W)."""
    random = np.random.default_rng(seed)
    image = np.zeros((3, height, width), np.float32)
    for _ in range(1 + height * width // 120):
        top, left = random.integers(height), random.integers(width)
        image[0, top : top + random.integers(2, 14), left : left + random.integers(2, 14)] = 0.8
    image[1] = random.random((height, width), np.float32)
    return image


def literal_means(labels: np.ndarray, confidence: np.ndarray) -> list[float]:
    sums: dict[int, list[float]] = {}
    for row, column in zip(*labels.nonzero(), strict=True):
        sums.setdefault(int(labels[row, column]), []).append(float(confidence[row, column]))
    return [sum(sums[id]) / len(sums[id]) for id in sorted(sums)]


def test_means_by_object_are_those_of_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    image = scene(40, 30, 0)
    labels = threshold(torch.from_numpy(image[None]))[0].numpy()
    expected = literal_means(labels, image[1])
    assert mean_by_object(labels, image[1]).tolist() == pytest.approx(expected)
    monkeypatch.setattr("benchmarks.tiling.scores._BLOCK", 7)
    assert mean_by_object(labels, image[1]).tolist() == pytest.approx(expected)
    assert mean_by_object(np.zeros((4, 5), np.int32), np.ones((4, 5))).shape == (0,)


def test_equal_confidence_gives_no_score_above_one() -> None:
    labels = np.ones((7, 11), np.int32)
    assert mean_by_object(labels, np.full((7, 11), 1.0, np.float32)).tolist() == [1.0]


@pytest.mark.parametrize("wrong", [1.5, -0.5, np.nan])
def test_confidence_that_is_no_probability_is_refused(wrong: float) -> None:
    labels = np.arange(6, dtype=np.int32).reshape(2, 3)
    assert len(mean_by_object(labels, np.where(labels == 0, wrong, 0.5))) == 5  # on the background it may be anything
    with pytest.raises(ValueError, match=r"expected \[0, 1\]"):
        mean_by_object(labels, np.where(labels == 3, wrong, 0.5))


def test_an_image_that_fits_one_tile_has_the_scores_of_the_method() -> None:
    image = scene(30, 40, 1)
    labels, scores = segment_image_with_scores(with_second_channel, image, tile=64, overlap=8)
    maps, confidence = with_second_channel(torch.from_numpy(image[None]))
    assert np.array_equal(labels, maps[0].numpy())
    assert scores.tolist() == pytest.approx(literal_means(maps[0].numpy(), confidence[0].numpy()))


@given(
    st.integers(20, 70), st.integers(20, 70), st.integers(0, 10**6), st.integers(1, 12), st.booleans(), st.booleans()
)
@settings(max_examples=40, deadline=None)
def test_scores_change_no_label_map_and_are_means_over_pixels(
    height: int, width: int, seed: int, overlap: int, flips: bool, chains: bool
) -> None:
    """Tiles and views agree on the confidence of a pixel here, so a score is the mean of the image's own values.

    Without flips: views vote, so a pixel of an object that some views do not have counts less, never more.
    """
    image = scene(height, width, seed)
    how = {"tile": 24, "overlap": overlap, "batch_size": 3, "flips": flips, "chains": chains}
    labels, scores = segment_image_with_scores(with_second_channel, image, **how)
    assert np.array_equal(labels, segment_image(threshold, image, **how))
    assert len(scores) == labels.max(initial=0)
    means = np.array(literal_means(labels, image[1]))
    if flips:
        assert ((scores <= means + 1e-6) & (scores > 0)).all()
    else:
        assert scores == pytest.approx(means, abs=1e-6)


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_stitched_object_has_the_mean_of_its_parts_by_area(seed: int, chains: bool) -> None:
    """Every tile has one confidence; by a second map, in which every tile paints its number, parts are counted."""
    image, random = scene(60, 60, seed), np.random.default_rng(seed)
    tiles = tile_grid(60, 60, 28, 10)
    sure = random.random(len(tiles))
    stitcher, numbers = Stitcher(60, 60, chains=chains), Stitcher(60, 60, chains=chains)
    for number, (tile, score) in enumerate(zip(tiles, sure, strict=True)):
        labels = label(image[0, tile.top : tile.bottom, tile.left : tile.right] > 0.3)[0]
        stitcher.add(labels, tile, np.full(labels.shape, score, np.float32))
        numbers.add(labels, tile, np.full(labels.shape, number, np.float32))
    found = stitcher.finish()
    assert stitcher.confidence is not None and numbers.confidence is not None
    scores = mean_by_object(found, stitcher.confidence)
    for id, score in enumerate(scores, 1):
        parts = np.bincount(numbers.confidence[found == id].astype(int), minlength=len(tiles))
        assert score == pytest.approx((parts * sure).sum() / parts.sum(), abs=1e-6)


def test_two_parts_by_hand() -> None:
    """100 × 10 pixels in tiles of 64 that share 28: the first paints columns 0 to 63, the second 64 to 99."""
    stitcher = Stitcher(10, 100)
    first, second = tile_grid(10, 100, 64, 28)
    assert (first.left, first.right, second.left, second.right) == (0, 64, 36, 100)
    for tile, score in ((first, 0.25), (second, 0.75)):
        stitcher.add(np.ones((10, 64), np.int64), tile, np.full((10, 64), score, np.float32))
    assert stitcher.confidence is not None
    (score,) = mean_by_object(stitcher.finish(), stitcher.confidence)
    assert score == pytest.approx(0.64 * 0.25 + 0.36 * 0.75)


def test_votes_by_hand() -> None:
    """One object that all views have, one that two of four have; ids differ between the views."""
    views = np.zeros((4, 4, 12), np.int64)
    views[:, :, 1:4], views[:2, :, 7:10] = 1, 2
    views[3] *= 7
    confidence = np.ones((4, 4, 12), np.float32) * np.array([0.4, 0.6, 0.8, 1.0], np.float32)[:, None, None]
    labels, sure = vote_with_confidence(list(views), list(confidence))
    assert np.array_equal(labels, vote(list(views)))
    assert sure[labels == labels[0, 2]] == pytest.approx(0.7)
    assert sure[labels == labels[0, 8]] == pytest.approx((0.4 + 0.6) / 4)


def test_votes_follow_their_views_when_the_reference_is_not_the_first() -> None:
    views = np.zeros((3, 4, 12), np.int64)
    views[1:, :, 2:8] = 1
    views[0, :, 10:] = 1
    confidence = [np.full((4, 12), value, np.float32) for value in (0.9, 0.3, 0.6)]
    labels, sure = vote_with_confidence(list(views), confidence)
    assert np.array_equal(labels > 0, views[1] > 0)
    assert sure[labels > 0] == pytest.approx((0.3 + 0.6) / 3)


def test_confidence_of_another_shape_is_refused() -> None:
    def wrong(images: Tensor) -> tuple[Tensor, Tensor]:
        return threshold(images), images[:, 1, :-1]

    with pytest.raises(ValueError, match="confidence of shape"):
        segment_image_with_scores(wrong, scene(30, 30, 0), tile=32, overlap=8)
