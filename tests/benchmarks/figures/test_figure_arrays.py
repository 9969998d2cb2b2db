"""The arrays of figures: colours of an embedding, groups of queries."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.figures.activations import embedding_colours
from benchmarks.figures.similarity import (
    Grouping,
    binary_dices,
    group,
    group_order,
    shown_group,
    within_and_between,
)


def embedding(rng: np.random.Generator, channels: int = 6) -> np.ndarray:
    """Five rank-ordered directions of very different variance, mixed."""
    scores = rng.normal(size=(channels, 8 * 9)) * (10.0 ** -np.arange(channels))[:, None]
    rotation = np.linalg.qr(rng.normal(size=(channels, channels)))[0]
    return (rotation @ scores + rng.normal(size=(channels, 1))).reshape(channels, 8, 9)


def test_colours_against_the_singular_value_decomposition() -> None:
    values = embedding(np.random.default_rng(0))
    colours, explained = embedding_colours(values)
    pixels = values.reshape(6, -1).T
    centred = pixels - pixels.mean(axis=0)
    _, singular, vectors = np.linalg.svd(centred, full_matrices=False)
    assert explained == pytest.approx(singular[:3] ** 2 / (singular**2).sum())
    assert colours.shape == (8, 9, 3) and colours.min() == 0 and colours.max() == 1
    for component in range(3):
        vector = vectors[component]
        vector = vector * np.sign(vector[np.abs(vector).argmax()])
        scores = centred @ vector
        low, high = np.percentile(scores, 1), np.percentile(scores, 99)
        expected = np.clip((scores - low) / (high - low), 0, 1)
        assert colours[..., component].ravel() == pytest.approx(expected, abs=1e-5)


def test_colours_against_scikit_learn() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    values = embedding(np.random.default_rng(1))
    colours, explained = embedding_colours(values)
    pca = decomposition.PCA(3)
    scores = pca.fit_transform(values.reshape(6, -1).T)
    assert explained == pytest.approx(pca.explained_variance_ratio_)
    for component in range(3):
        correlation = np.corrcoef(colours[..., component].ravel(), scores[:, component])[0, 1]
        assert abs(correlation) > 0.99  # not 1: the ends are clipped


def test_a_constant_embedding_has_no_colour() -> None:
    colours, explained = embedding_colours(np.ones((4, 3, 3)))
    assert (colours == 0).all() and explained == [0, 0, 0]


def looked(queries: torch.Tensor, logits: torch.Tensor) -> Any:
    return SimpleNamespace(queries=queries, mask_logits=logits)


def test_groups_by_hand() -> None:
    """Two instances of 8 by 8 pixels; queries 1 and 3 have their masks, 0 and 4 point as 3 does, 2 as 1 does."""
    truth = np.zeros((8, 16), int)
    truth[:, :8], truth[:, 8:] = 40, 30
    logits = torch.full((5, 2, 4), -9.0)
    logits[1, :, :2], logits[3, :, 2:] = 9.0, 9.0
    queries = torch.tensor([[0.1, 1.0], [2.0, 0.0], [1.0, 0.5], [0.0, 3.0], [0.9, 1.0]])
    grouping = group(looked(queries, logits), truth)
    assert grouping is not None
    assert grouping.anchor.tolist() == [3, 1, 1, 3, 3]
    assert grouping.instance.tolist() == [30, 40, 40, 30, 30]
    assert grouping.cosine[1, 2] == pytest.approx(1 / 1.25**0.5)
    assert grouping.dice[1, 3] == pytest.approx(0, abs=1e-3) and grouping.dice[1, 1] == pytest.approx(1, abs=1e-3)
    order, sizes = group_order(grouping)
    assert order.tolist() == [3, 0, 4, 1, 2]  # the larger group first; the anchor, then 0.995, then 0.74
    assert sizes == [3, 2]


def test_no_groups_without_queries_or_instances() -> None:
    logits = torch.zeros(3, 2, 2)
    assert group(looked(torch.rand(3, 4), logits), np.zeros((8, 8), int)) is None
    assert group(SimpleNamespace(queries=None, mask_logits=logits), np.ones((8, 8), int)) is None


def test_more_instances_than_queries() -> None:
    truth = np.kron(np.arange(1, 5).reshape(2, 2), np.ones((4, 4), int))
    grouping = group(looked(torch.eye(3), torch.randn(3, 2, 2)), truth)
    assert grouping is not None and grouping.anchor.tolist() == [0, 1, 2]
    assert len(set(grouping.instance.tolist())) == 3


def test_groups_of_equal_size_are_in_the_order_of_their_instances() -> None:
    grouping = Grouping(np.array([0, 1, 0, 1]), np.array([9, 4, 9, 4]), np.ones((4, 4)), np.ones((4, 4)))
    order, sizes = group_order(grouping)
    assert order.tolist() == [1, 3, 0, 2] and sizes == [2, 2]


def test_the_group_that_is_shown_is_of_an_instance_that_the_window_holds_whole() -> None:
    truth = np.zeros((6, 6), int)
    truth[0, 0], truth[2:4, 2:4], truth[4, 4] = 8, 3, 5
    anchor, instance = np.array([0, 0, 0, 0, 4, 4, 4, 7]), np.array([8, 8, 8, 8, 3, 3, 3, 5])
    cosine = np.ones((8, 8))
    cosine[4, 5] = 0.2
    grouping = Grouping(anchor, instance, cosine, cosine)
    assert group_order(grouping)[0][0] == 0, "the largest group, which is cut"
    assert shown_group(grouping, truth).tolist() == [4, 6, 5], "the matched query, then the most similar"
    truth[2, 0], truth[5, 5] = 3, 5
    assert shown_group(grouping, truth).tolist() == [0, 1, 2, 3], "all are cut"


def test_within_and_between_against_loops() -> None:
    rng = np.random.default_rng(2)
    similarity, anchor = rng.random((7, 7)), np.array([0, 0, 2, 2, 2, 5, 0])
    similarity = (similarity + similarity.T) / 2
    pairs = [(i, j) for i in range(7) for j in range(i)]
    same = [similarity[i, j] for i, j in pairs if anchor[i] == anchor[j]]
    other = [similarity[i, j] for i, j in pairs if anchor[i] != anchor[j]]
    found = within_and_between(similarity, anchor)
    assert found == pytest.approx((np.mean(same), np.mean(other)))
    assert within_and_between(similarity, np.zeros(7)) is None  # no pair of two groups
    assert within_and_between(similarity, np.arange(7)) is None  # no pair of one group


def test_dice_of_masks_at_one_half() -> None:
    logits = torch.tensor([[[5.0, 0.1, -1.0]], [[1.0, -1.0, -1.0]], [[-1.0, -1.0, 2.0]]])
    assert binary_dices(logits) == pytest.approx([1, 2 / 3, 0])
    assert binary_dices(-logits.abs()) == [0, 0, 0]
