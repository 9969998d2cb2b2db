"""QEC and MCC against loops over anchors, positives and negatives (eq. 6 and 7)."""

from __future__ import annotations

import pytest
import torch
from references import literal_contrast

from pctrans.contrast import (
    contrastive_loss,
    cosine_similarity,
    group_queries,
    released_query_contrast,
    soft_dice_similarity,
)
from pctrans.matcher import Matching


def matching_of(pairs: list[tuple[int, int]]) -> Matching:
    image, query = (torch.tensor([p[i] for p in pairs], dtype=torch.long) for i in (0, 1))
    counts = [sum(b == image for b, _ in pairs) for image in range(1 + max((b for b, _ in pairs), default=0))]
    return Matching(image, query, torch.arange(len(pairs)), counts)


PAIRS = {
    "several images": [(0, 1), (0, 4), (0, 5), (1, 2), (2, 0), (2, 6)],
    "single instance": [(1, 3)],
    "no instance": [],
    "every query matched": [(0, q) for q in range(7)],
}


@pytest.mark.parametrize("case", PAIRS)
@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
def test_qec(case: str, tau: float) -> None:
    queries = torch.randn(3, 7, 8, generator=torch.Generator().manual_seed(0))
    groups = group_queries(queries, matching_of(PAIRS[case]))
    similarity = cosine_similarity(queries)
    expected = literal_contrast(queries, similarity, PAIRS[case], tau)
    assert contrastive_loss(similarity, groups, tau).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("case", PAIRS)
def test_mcc(case: str) -> None:
    generator = torch.Generator().manual_seed(2)
    queries = torch.randn(3, 7, 8, generator=generator)
    logits = 3 * torch.randn(3, 7, 5, 4, generator=generator)
    groups = group_queries(queries, matching_of(PAIRS[case]))
    similarity = soft_dice_similarity(logits)
    expected = literal_contrast(queries, similarity, PAIRS[case], 0.5)
    assert contrastive_loss(similarity, groups, 0.5).item() == pytest.approx(expected, abs=1e-5)


def test_soft_dice_similarity_of_every_pair() -> None:
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    soft = logits.sigmoid()
    for b in range(2):
        for i in range(3):
            for j in range(3):
                overlap = 2 * (soft[b, i] * soft[b, j]).sum() / (soft[b, i].sum() + soft[b, j].sum())
                torch.testing.assert_close(soft_dice_similarity(logits)[b, i, j], overlap)


def test_loss_falls_when_positives_come_closer_and_negatives_go_away() -> None:
    """The sign of eq. 6 as printed would reward the opposite."""
    anchor, near, far = torch.eye(3)
    queries = torch.stack((anchor, anchor + near, -anchor + far))[None]
    groups = group_queries(queries, matching_of([(0, 0), (0, 2)]))
    better = torch.stack((anchor, anchor + 0.5 * near, -anchor + 0.5 * far))[None]
    before, after = (contrastive_loss(cosine_similarity(q), groups, 1.0) for q in (queries, better))
    assert after < before


@pytest.mark.parametrize("case", PAIRS)
def test_gradients_are_finite(case: str) -> None:
    queries = torch.randn(3, 7, 8, requires_grad=True)
    groups = group_queries(queries, matching_of(PAIRS[case]))
    loss = contrastive_loss(cosine_similarity(queries), groups, 1.0) + released_query_contrast(queries, groups)
    loss.backward()
    assert queries.grad is not None and torch.isfinite(queries.grad).all()


def test_released_form_samples_ten_negatives_a_positive() -> None:
    """With one positive and ten negatives at most, the value is the paper's form on inner products + L2."""
    torch.manual_seed(0)
    queries = torch.randn(1, 6, 4)
    groups = group_queries(queries, matching_of([(0, 0), (0, 3)]))
    product = queries @ queries.transpose(1, 2)
    cosine = cosine_similarity(queries)
    pairs = groups.positives | (groups.negatives & groups.positives.any(-1, keepdim=True))
    l2 = ((cosine - groups.positives.float()) ** 2)[pairs].mean()
    expected = contrastive_loss(product, groups, 2.0) + l2
    torch.testing.assert_close(released_query_contrast(queries, groups), expected)
