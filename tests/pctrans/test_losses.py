"""Each loss against a literal, slow transcription of its equation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from literal_losses import literal_bce, literal_dice, literal_discriminative, literal_focal
from literal_maps import sampled
from scipy.optimize import linear_sum_assignment

from pctrans import matcher
from pctrans.losses import dice_loss, discriminative_loss, mask_loss, point_loss, semantic_loss
from pctrans.matcher import Matching, matching_cost, start_matching
from pctrans.points import sample_labels, sample_logits, uncertain_points
from pctrans.targets import build_targets


def test_matching_cost_is_bce_plus_dice_of_every_pair() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = 2 * torch.randn(2, 4, 9, generator=generator)
    truth = torch.rand(2, 3, 9, generator=generator) > 0.5
    cost = matching_cost(logits, truth)
    assert cost.shape == (2, 4, 3)
    for b in range(2):
        for q in range(4):
            for k in range(3):
                expected = literal_bce(logits[b, q], truth[b, k]) + literal_dice(logits[b, q], truth[b, k])
                assert cost[b, q, k].item() == pytest.approx(expected.item(), abs=1e-5)


def test_matching_finds_the_masks_that_show_the_instances() -> None:
    labels = torch.zeros(2, 32, 32, dtype=torch.long)
    labels[0, :16, :16], labels[0, 16:, 16:] = 7, 9  # gaps in ids
    labels[1, :, 16:] = 3
    targets = build_targets(labels)
    assert targets.counts == [2, 1]
    logits = torch.full((2, 5, 8, 8), -8.0)
    logits[0, 4, :4, :4], logits[0, 1, 4:, 4:] = 8.0, 8.0
    logits[1, 2, :, 4:] = 8.0
    [matching] = start_matching([logits], [torch.rand(2, 5, 2)], targets, 256, 0.0)
    pairs = set(zip(matching.image.tolist(), matching.query.tolist(), matching.instance.tolist(), strict=True))
    assert pairs == {(0, 4, 0), (0, 1, 1), (1, 2, 0)}


def test_matching_with_more_instances_than_queries_uses_every_query_once() -> None:
    labels = torch.arange(1, 17).repeat_interleave(4).view(1, 8, 8)
    [matching] = start_matching([torch.randn(1, 3, 4, 4)], [torch.rand(1, 3, 2)], build_targets(labels), 64, 0.0)
    assert sorted(matching.query.tolist()) == [0, 1, 2]
    assert len(set(matching.instance.tolist())) == 3


def test_assignments_are_made_one_prediction_at_a_time_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that an accelerator works on the losses of one prediction while the host assigns the next."""
    made: list[tuple[int, ...]] = []

    def assign(cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        made.append(cost.shape)
        return linear_sum_assignment(cost)

    monkeypatch.setattr(matcher, "linear_sum_assignment", assign)
    targets = build_targets(torch.tensor([[[1, 1], [2, 0]], [[0, 3], [3, 3]]]))
    logits, centres = [torch.randn(2, 5, 4, 4) for _ in range(3)], [torch.rand(2, 5, 2) for _ in range(3)]
    matchings = start_matching(logits, centres, targets, 16, 0.0)
    assert not made
    assert next(matchings).counts == [2, 1]
    assert made == [(5, 2), (5, 1)]
    assert len(list(matchings)) == 2 and len(made) == 6


def test_predictions_that_are_not_finite_are_matched_so_that_the_loss_can_tell() -> None:
    targets = build_targets(torch.arange(4).view(1, 2, 2))
    logits = torch.full((1, 5, 2, 2), torch.nan)
    [matching] = start_matching([logits], [torch.rand(1, 5, 2)], targets, 16, 0.0)
    assert len(matching.query) == 3
    bce, _ = mask_loss(logits[matching.image, matching.query], targets, matching, 16, 3.0)
    assert torch.isnan(bce)


def test_mask_loss_is_eq_1_at_the_sampled_points() -> None:
    torch.manual_seed(3)
    labels = torch.zeros(2, 16, 16, dtype=torch.long)
    labels[0, 2:9, 3:12], labels[0, 10:, :5], labels[1, 4:, 4:] = 1, 2, 1
    targets = build_targets(labels)
    logits = torch.randn(2, 6, 8, 8)
    matching = Matching(torch.tensor([0, 0, 1]), torch.tensor([5, 1, 2]), torch.tensor([1, 0, 0]), [2, 1])
    torch.manual_seed(11)
    bce, dice = mask_loss(logits[matching.image, matching.query], targets, matching, 40, normaliser=3.0)
    torch.manual_seed(11)
    points = uncertain_points(logits[matching.image, matching.query], matching.counts, 40)
    expected_bce = expected_dice = 0.0
    for m, (b, q, k) in enumerate([(0, 5, 1), (0, 1, 0), (1, 2, 0)]):
        x = sampled(logits[b, q : q + 1], points[m])[0]
        t = torch.stack([labels[b, int(py * 16), int(px * 16)] == k + 1 for px, py in points[m]])
        expected_bce += literal_bce(x, t).item()
        expected_dice += literal_dice(x, t).item()
    assert bce.item() == pytest.approx(expected_bce / 3, abs=1e-4)
    assert dice.item() == pytest.approx(expected_dice / 3, abs=1e-4)


def test_dice_loss_is_one_of_the_last_dimension() -> None:
    generator = torch.Generator().manual_seed(2)
    logits = 2 * torch.randn(2, 3, 9, generator=generator)
    truth = (torch.rand(2, 3, 9, generator=generator) > 0.5).float()
    expected = [
        [literal_dice(x, t).item() for x, t in zip(*pair, strict=True)] for pair in zip(logits, truth, strict=True)
    ]
    assert dice_loss(logits, truth).tolist() == [pytest.approx(row, abs=1e-6) for row in expected]


def test_uncertain_points_prefer_the_undecided_border() -> None:
    torch.manual_seed(0)
    ramp = torch.linspace(-10, 10, 64).expand(1, 64, 64).contiguous()  # undecided in the middle column
    points = uncertain_points(ramp, [1], 200)
    assert points.shape == (1, 200, 2)
    important, uniform = points[0, :150, 0], points[0, 150:, 0]
    assert (important - 0.5).abs().max() < 0.25  # 150 of 600 uniform candidates: the nearest quarter
    assert (uniform - 0.5).abs().max() > 0.3


def test_masks_of_one_image_choose_among_the_same_points() -> None:
    torch.manual_seed(0)
    ramp = torch.linspace(-10, 10, 64).expand(3, 64, 64).contiguous()
    first, second, other = uncertain_points(ramp, [2, 1], 200)
    assert set(map(tuple, first.tolist())) == set(map(tuple, second.tolist()))
    assert set(map(tuple, first.tolist())).isdisjoint(map(tuple, other.tolist()))


def test_labels_and_logits_are_sampled_at_the_same_places() -> None:
    labels = torch.arange(12).view(1, 3, 4)
    points = torch.tensor([[[(c + 0.5) / 4, (r + 0.5) / 3] for r in range(3) for c in range(4)]])
    assert torch.equal(sample_labels(labels, points, torch.tensor([0]))[0], labels.flatten())
    torch.testing.assert_close(sample_logits(labels[None].float(), points)[0, 0], labels.flatten().float())


def test_points_on_the_border_are_in_the_outermost_cells() -> None:
    labels = torch.arange(24).view(2, 3, 4)
    corners = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]] * 2)
    assert sample_labels(labels, corners, torch.tensor([1, 0])).tolist() == [[12, 15, 20, 23], [0, 3, 8, 11]]


def test_point_loss_is_l1_to_the_centre_of_mass() -> None:
    labels = torch.zeros(1, 8, 16, dtype=torch.long)
    labels[0, 2:4, 4:12] = 5  # rows 2, 3; columns 4 to 11: centre y 3 / 8, x 8 / 16
    targets = build_targets(labels)
    torch.testing.assert_close(targets.centres, torch.tensor([[[0.5, 0.375]]]))
    centres = torch.tensor([[[0.1, 0.9], [0.7, 0.4]]])
    matching = Matching(torch.tensor([0]), torch.tensor([1]), torch.tensor([0]), [1])
    assert point_loss(centres, targets, matching, 2.0).item() == pytest.approx((0.2 + 0.025) / 2)


@pytest.mark.parametrize("seed", range(3))
def test_discriminative_loss(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    embedding = 3 * torch.randn(4, 5, 7, 6, generator=generator)
    labels = torch.randint(0, 5, (4, 7, 6), generator=generator)
    labels[1] = 0  # no instance
    labels[2] = (labels[2] == 1) * 3  # a single instance, ids 1 and 2 missing
    loss = discriminative_loss(embedding, labels, 4)
    assert loss.item() == pytest.approx(literal_discriminative(embedding, labels).item(), rel=1e-5)


def test_discriminative_loss_without_any_instance_is_zero_with_a_finite_gradient() -> None:
    embedding = torch.randn(2, 4, 3, 3, requires_grad=True)
    loss = discriminative_loss(embedding, torch.zeros(2, 3, 3, dtype=torch.long), 0)
    loss.backward()
    assert loss.item() == 0
    assert embedding.grad is not None and torch.isfinite(embedding.grad).all()


def test_discriminative_loss_has_a_finite_gradient_where_pixels_coincide() -> None:
    embedding = torch.zeros(1, 4, 2, 2, requires_grad=True)
    discriminative_loss(embedding, torch.tensor([[[1, 1], [2, 2]]]), 2).backward()
    assert embedding.grad is not None and torch.isfinite(embedding.grad).all()


def test_semantic_loss_is_focal_over_foreground_pixels() -> None:
    generator = torch.Generator().manual_seed(5)
    logits = 2 * torch.randn(2, 4, 5, generator=generator)
    truth = torch.rand(2, 4, 5, generator=generator) > 0.7
    assert semantic_loss(logits, truth).item() == pytest.approx(literal_focal(logits, truth).item(), rel=1e-5)
    other = semantic_loss(logits, truth, alpha=0.4, gamma=1.5).item()
    assert other == pytest.approx(literal_focal(logits, truth, alpha=0.4, gamma=1.5).item(), rel=1e-5)
    assert torch.isfinite(semantic_loss(logits, torch.zeros_like(truth)))
