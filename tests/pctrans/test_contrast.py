"""QEC and MCC against loops over anchors, positives and negatives (eq. 6 and 7)."""

from __future__ import annotations

import math

import pytest
import torch
from literal_contrast import literal_overlap
from references import literal_contrast

from pctrans.contrast import (
    Groups,
    _some_negatives,
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


def test_soft_dice_similarity_of_masks_of_almost_no_area() -> None:
    logits = torch.tensor([[[[-8.0, -7.0]], [[-7.0, -9.0]]]], dtype=torch.float64)
    similarity = soft_dice_similarity(logits)[0]
    for i in range(2):
        for j in range(2):
            expected = literal_overlap(logits[0, i], logits[0, j]).item()
            assert similarity[i, j].item() == pytest.approx(expected, rel=1e-4)


def test_loss_falls_when_positives_come_closer_and_negatives_go_away() -> None:
    """The sign of eq. 6 as printed would reward the opposite."""
    anchor, near, far = torch.eye(3)
    queries = torch.stack((anchor, anchor + near, -anchor + far))[None]
    groups = group_queries(queries, matching_of([(0, 0), (0, 2)]))
    better = torch.stack((anchor, anchor + 0.5 * near, -anchor + 0.5 * far))[None]
    before, after = (contrastive_loss(cosine_similarity(q), groups, 1.0) for q in (queries, better))
    assert after < before


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize("case", PAIRS)
def test_gradients_are_finite(case: str) -> None:
    """Everywhere on their way, so that one may search for a NaN with PyTorch's anomaly detection."""
    queries = torch.randn(3, 7, 8, requires_grad=True)
    groups = group_queries(queries, matching_of(PAIRS[case]))
    with torch.autograd.detect_anomaly():
        loss = contrastive_loss(cosine_similarity(queries), groups, 1.0) + released_query_contrast(queries, groups)
        loss.backward()
    assert queries.grad is not None and torch.isfinite(queries.grad).all()


@pytest.mark.parametrize("case", PAIRS)
def test_released_form_contrasts_with_all_negatives(case: str) -> None:
    """Eq. 6 on inner products at temperature 2; without sampled negatives the L2 term is that of the positives."""
    queries = torch.randn(3, 7, 8, generator=torch.Generator().manual_seed(0))
    groups = group_queries(queries, matching_of(PAIRS[case]))
    expected = literal_contrast(queries, queries @ queries.transpose(1, 2), PAIRS[case], 2.0)
    pulls = (cosine_similarity(queries)[groups.positives] - 1) ** 2
    expected += pulls.mean().item() if len(pulls) else 0.0
    assert released_query_contrast(queries, groups, negatives=0).item() == pytest.approx(expected, abs=1e-5)


def test_released_form_has_ten_negatives_a_positive_in_its_l2_term_only() -> None:
    """An anchor, a positive in its direction, 28 negatives at 60 degrees; the inner product of any two is 1."""
    others = torch.cat((torch.ones(28, 1), math.sqrt(3) * torch.eye(28)), 1)
    queries = torch.cat((torch.eye(29)[:1], torch.eye(29)[:1], others))[None]
    positives, negatives = torch.zeros(1, 30, 30), torch.zeros(1, 30, 30)
    positives[0, 0, 1] = negatives[0, 0, 2:] = 1
    groups = Groups(positives.bool(), negatives.bool())
    expected = math.log(1 + 28) + (0 + 10 * (1 / 2 - 0) ** 2) / 11
    assert released_query_contrast(queries, groups).item() == pytest.approx(expected, abs=1e-5)
    few = Groups(groups.positives, groups.negatives & (torch.arange(30) < 5))
    expected = math.log(1 + 3) + (0 + 3 * (1 / 2 - 0) ** 2) / 4
    assert released_query_contrast(queries, few).item() == pytest.approx(expected, abs=1e-5)


def test_negatives_are_drawn_for_each_anchor_as_many_as_its_positives_ask_for() -> None:
    """Any of an anchor's negatives as often as another."""
    torch.manual_seed(0)
    queries = torch.randn(2, 12, 4)
    groups = group_queries(queries, matching_of([(0, 1), (0, 5), (0, 8), (1, 0), (1, 7)]))
    wanted = torch.minimum(2 * groups.positives.sum(-1), groups.negatives.sum(-1))
    assert len(wanted.unique()) > 3 and (wanted < groups.negatives.sum(-1)).any()
    drawn = torch.stack([_some_negatives(groups, 2) for _ in range(400)])
    assert (drawn.sum(-1) == wanted).all()
    expected = groups.negatives * (wanted / groups.negatives.sum(-1).clamp(min=1))[..., None]
    assert (drawn.float().mean(0) - expected).abs().max() < 0.12  # 4 to 5 standard deviations


def test_sampled_negatives_differ_from_step_to_step() -> None:
    queries = torch.randn(1, 40, 4, generator=torch.Generator().manual_seed(0))
    groups = group_queries(queries, matching_of([(0, q) for q in range(20)]))
    torch.manual_seed(0)
    assert released_query_contrast(queries, groups) != released_query_contrast(queries, groups)
