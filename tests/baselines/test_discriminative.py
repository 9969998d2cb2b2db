"""The clustering against literal loops and cases worked by hand; the losses against their definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from placement import discs, mean_offset
from pydantic import ValidationError
from torch import Tensor

from baselines.clustering import find_centres, local_deviation, nearest_centre
from baselines.discriminative import DiscriminativeConfig, DiscriminativeEmbedding
from pctrans.config import BackboneConfig
from pctrans.losses import discriminative_loss
from pctrans.targets import build_targets


def tiny(**changes: Any) -> DiscriminativeEmbedding:
    torch.manual_seed(0)
    fields = {"backbone": BackboneConfig(name="resnet18", width=8), "hidden_dim": 32} | changes
    return DiscriminativeEmbedding(DiscriminativeConfig.model_validate(fields))


def literal_centres(
    pixels: list[list[float]], deviation: list[float], bandwidth: float, steps: int, min_size: float
) -> list[list[float]]:
    left = [i for i in range(len(pixels)) if deviation[i] <= bandwidth]
    centres = []
    while len(left) > min_size:
        seed = min(left, key=lambda i: (deviation[i], i))
        centre = pixels[seed]
        for _ in range(steps):
            near = [pixels[i] for i in left if math.dist(pixels[i], centre) <= bandwidth]
            centre = [sum(values) / len(near) for values in zip(*near, strict=True)]
        members = [i for i in left if math.dist(pixels[i], centre) <= bandwidth]
        if len(members) > min_size:
            centres.append(centre)
        left = [i for i in left if i not in members and i != seed]
    return centres


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(0, 60), steps=st.integers(0, 4), min_size=st.integers(0, 3))
def test_centres_equal_a_literal_mean_shift(seed: int, count: int, steps: int, min_size: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    pixels = 2 * torch.rand(count, 2, generator=generator)
    deviation = torch.randint(0, 7, (count,), generator=generator) / 10  # with ties
    found = find_centres(pixels, deviation, 0.5, steps, min_size)
    expected = literal_centres(pixels.tolist(), deviation.tolist(), 0.5, steps, min_size)
    assert found.shape == (len(expected), 2)
    assert torch.allclose(found, torch.tensor(expected).reshape(-1, 2), atol=1e-4)


def test_centres_by_hand() -> None:
    """On a line, bandwidth 1. From 0.0 the mean shift sees 0, 0.6, 0.9 (mean 0.5), then 1.4 too (0.725), and stays."""
    pixels = torch.tensor([[5.0], [0.0], [0.6], [0.9], [1.4], [5.2], [9.0], [7.0]])
    deviation = torch.tensor([0.2, 0.1, 0.3, 0.3, 0.3, 0.4, 0.5, 1.1])  # 9.0 is alone, 7.0 where objects meet
    assert find_centres(pixels, deviation, 1.0, 5, 1).flatten().tolist() == pytest.approx([0.725, 5.1])
    assert find_centres(pixels, deviation, 1.0, 1, 1).flatten().tolist() == pytest.approx([0.5, 5.1])
    assert find_centres(pixels, deviation, 1.0, 0, 1).flatten().tolist() == pytest.approx([0.0, 5.0])
    assert find_centres(pixels, deviation, 1.0, 5, 0).flatten().tolist() == pytest.approx([0.725, 5.1, 9.0])


def test_a_pixel_goes_to_its_nearest_centre_within_the_radius() -> None:
    pixels = torch.tensor([[0.0, 0.0], [3.0, 0.0], [2.0, 0.0], [0.0, 9.0]])
    centres = torch.tensor([[4.0, 0.0], [0.0, 1.0]])
    assert nearest_centre(pixels, centres, 2.5).tolist() == [2, 1, 1, 0]
    assert nearest_centre(pixels, centres[:0], 2.5).tolist() == [0, 0, 0, 0]


def test_deviation_is_the_distance_to_the_mean_of_the_neighbours() -> None:
    embedding = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    deviation = local_deviation(embedding)
    for y in range(4):
        for x in range(5):
            near = embedding[:, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].flatten(1)
            assert deviation[y, x].item() == pytest.approx((embedding[:, y, x] - near.mean(1)).norm().item(), abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), stride=st.sampled_from([1, 2]), side=st.sampled_from([8, 16]))
def test_an_embedding_without_loss_is_recovered_exactly(seed: int, stride: int, side: int) -> None:
    """Each square within δ_v of a centre, centres 2 δ_d apart: any arrangement of squares, touching ones too."""
    generator = torch.Generator().manual_seed(seed)
    places = 32 // side
    grid = torch.arange(1, places**2 + 1)[torch.randperm(places**2, generator=generator)].view(places, places)
    grid = grid * (torch.rand(places, places, generator=generator) > 0.3)
    cells = grid.repeat_interleave(side, 0).repeat_interleave(side, 1)
    centres = 6 * torch.eye(places**2 + 1, 20)[:, torch.randperm(20, generator=generator)]  # 6 √2 apart
    noise = torch.nn.functional.normalize(torch.randn(20, 32, 32, generator=generator), dim=0)
    embedding = centres[cells].permute(2, 0, 1) + 0.24 * noise
    model = tiny(stride=stride, embedding_dim=20, inference={"min_area": 0, "foreground_threshold": 0.5})
    evidence = (embedding, torch.where(cells > 0, 50.0, -50.0))
    found, _ = model.objects(evidence, (32 * stride, 32 * stride), model.config.inference)
    truth = cells.repeat_interleave(stride, 0).repeat_interleave(stride, 1)
    pairs = {(a, b) for a, b in zip(truth.flatten().tolist(), found.flatten().tolist(), strict=True)}
    assert len(pairs) == len(truth.unique()) == len(found.unique())
    assert all((a == 0) == (b == 0) for a, b in pairs)


def test_segments_do_not_depend_on_batch_mates_or_random_numbers() -> None:
    model = tiny(inference={"min_area": 0, "foreground_threshold": 0.3}).eval()
    images = torch.rand(3, 3, 40, 50)
    together = model.segment(images)
    torch.manual_seed(5)
    assert together.max() > 0
    assert all(torch.equal(together[i], model.segment(images[i : i + 1])[0]) for i in range(3))


@pytest.mark.parametrize("stride", [1, 2])
def test_a_cell_learns_the_share_of_foreground_and_the_object_that_has_most(stride: int) -> None:
    model = tiny(stride=stride, gamma=0.1, delta_d=2.0, loss_weights={"discriminative": 2.0, "foreground": 3.0})
    images, labels = torch.rand(2, 3, 32, 32), torch.zeros(2, 32, 32, dtype=torch.long)
    labels[0, 3:17, 3:17], labels[0, 20:30, 5:30], labels[1, 1:9, 1:9] = 4, 9, 2
    model.eval()
    with torch.no_grad():
        losses = model.losses(images, labels)
        embedding, logits = model(images)
    dense = torch.where(labels == 9, 2, (labels > 0).long())
    cells, share = (
        torch.zeros(2, 32 // stride, 32 // stride, dtype=torch.long),
        torch.zeros(2, 32 // stride, 32 // stride),
    )
    for b, y, x in np.ndindex(*cells.shape):
        pixels = dense[b, y * stride : (y + 1) * stride, x * stride : (x + 1) * stride].flatten().tolist()
        cells[b, y, x] = max(pixels)  # no cell has two objects
        share[b, y, x] = sum(pixel > 0 for pixel in pixels) / stride**2
    assert embedding.shape[-2:] == logits.shape[-2:] == cells.shape[-2:]
    grouping = discriminative_loss(embedding, cells, 2, delta_v=0.5, delta_d=2.0, gamma=0.1)
    p = logits.double().sigmoid()
    entropy = -(share * p.log() + (1 - share) * (1 - p).log()).mean()
    assert set(losses) == {"discriminative", "foreground"}
    assert losses["discriminative"].item() == pytest.approx(2 * grouping.item(), rel=1e-5)
    assert losses["foreground"].item() == pytest.approx(3 * entropy.item(), rel=1e-5)


def test_objects_of_at_most_the_least_area_are_dropped() -> None:
    model = tiny(embedding_dim=2, inference={"min_area": 64})
    embedding, logits = torch.zeros(1, 2, 16, 16), torch.full((1, 16, 16), -50.0)
    logits[0, 1:5, 1:5], embedding[0, 0] = 50.0, 9.0  # 8×8 pixels of the image
    logits[0, 8:13, 8:12], embedding[0, :, 6:] = 50.0, 0.0  # 10×8
    model.forward = lambda images: (embedding, logits)  # type: ignore[method-assign]
    ids: Tensor = model.segment(torch.zeros(1, 3, 32, 32))[0]
    assert ids.max() == 1 and ids[4, 4] == 0 and (ids[16:26, 16:24] == 1).all()


def test_margins_that_let_objects_overlap_are_refused() -> None:
    with pytest.raises(ValidationError, match="delta_d"):
        DiscriminativeConfig(delta_v=1.5, delta_d=1.5)


@pytest.mark.parametrize("stride", [1, 2])
def test_what_is_learned_is_found_where_it_is(stride: int) -> None:
    """The best that a network can learn from discs anywhere, decoded: no shift, whatever the stride."""
    labels = discs(96)
    targets = build_targets(labels[None])
    share = torch.nn.functional.avg_pool2d((targets.labels > 0).float(), stride)[0]
    embedding = 6 * torch.eye(max(targets.counts) + 1)[targets.majority(stride)[0]].permute(2, 0, 1)
    model = tiny(stride=stride, embedding_dim=len(embedding), inference={"min_area": 0})
    found, _ = model.objects((embedding, share.logit(eps=1e-6)), (96, 96), model.config.inference)
    assert np.abs(mean_offset(labels, found)).max() < 0.1
