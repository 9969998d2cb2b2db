"""The whole objective (eq. 1 to 8), term by term and gradient by gradient, against its transcription."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from literal_objective import literal_objective
from scenes import squares
from torch import Tensor

from pctrans import PCTransConfig
from pctrans.config import LossWeights
from pctrans.criterion import weighted_losses
from pctrans.decoder import Prediction
from pctrans.targets import build_targets

# Every weight and temperature its own number, so that none can stand in for another.
WEIGHTS = LossWeights(mask=1.1, point=2.3, discriminative=3.7, semantic=5.9, query_contrast=7.3, mask_contrast=12.1)
SMALL = PCTransConfig(
    num_queries=9,
    num_points=60,
    loss_weights=WEIGHTS,
    query_temperature=0.7,
    mask_temperature=0.3,
)
VARIANTS = {
    "as published": {},
    "centres in the matching": {"matching_centre_weight": 4.0},
    "masks at 1/4": {"mask_stride": 4},
    "released contrast": {"query_contrast_form": "released"},
}

Problem = tuple[list[Prediction], Tensor, Tensor, Tensor]


def problem(config: PCTransConfig, labels: Tensor, depths: int, dim: int, seed: int) -> Problem:
    """Random predictions, pixel embedding and semantic logits for label maps (B, H, W), and the labels."""
    generator = torch.Generator().manual_seed(seed)
    batch, height, width = labels.shape

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    n, s = config.num_queries, config.mask_stride
    predictions = [
        Prediction(
            queries=normal(batch, n, dim),
            centres=normal(batch, n, 2).sigmoid(),
            mask_logits=2 * normal(batch, n, height // s, width // s),
        )
        for _ in range(depths)
    ]
    return predictions, normal(batch, dim, height // 8, width // 8), normal(batch, height // 8, width // 8), labels


def inputs_of(problem: Problem) -> list[Tensor]:
    """Everything that has a gradient."""
    predictions, embedding, semantic, _ = problem
    return [t for p in predictions for t in (p.queries, p.centres, p.mask_logits)] + [embedding, semantic]


def to_float32(problem: Problem) -> Problem:
    predictions, embedding, semantic, labels = problem
    single = [
        replace(p, queries=p.queries.float(), centres=p.centres.float(), mask_logits=p.mask_logits.float())
        for p in predictions
    ]
    return single, embedding.float(), semantic.float(), labels


def compare(config: PCTransConfig, problem: Problem, zero: tuple[str, ...] = ()) -> None:
    """Terms and their sum's gradients; the terms have to be told apart, so none but `zero` may be zero."""
    single = to_float32(problem)
    for tensor in inputs_of(problem) + inputs_of(single):
        tensor.requires_grad_()
    torch.manual_seed(5)
    expected = literal_objective(*problem, config)
    torch.manual_seed(5)
    actual = weighted_losses(*single[:3], build_targets(single[3]), config)
    assert set(actual) == set(expected)
    for name, value in expected.items():
        assert value.item() == 0 if name in zero else value.item() > 0.01, name
        assert actual[name].item() == pytest.approx(value.item(), rel=1e-4), name
    torch.stack(list(expected.values())).sum().backward()
    torch.stack(list(actual.values())).sum().backward()
    for ours, theirs in zip(inputs_of(single), inputs_of(problem), strict=True):
        wanted = torch.zeros_like(theirs) if theirs.grad is None else theirs.grad
        got = torch.zeros_like(ours) if ours.grad is None else ours.grad
        torch.testing.assert_close(got.double(), wanted, rtol=2e-3, atol=1e-4 * (wanted.abs().max().item() + 1e-3))


@pytest.mark.parametrize("name", VARIANTS)
def test_every_term_and_gradient(name: str) -> None:
    """Images with three instances, one and none; four predictions; a map that is no square."""
    config = SMALL.model_copy(update=VARIANTS[name])
    labels = torch.stack(
        [squares(64, [(2, 2), (30, 30), (4, 40)], 16), squares(64, [(20, 20)], 24), squares(64, [], 1)]
    )
    compare(config, problem(config, labels[:, :, :56], depths=4, dim=6, seed=0))


def test_one_instance_in_the_batch() -> None:
    """Its query has nobody to be unlike."""
    labels = torch.stack([squares(64, [(20, 20)], 24), squares(64, [], 1)])
    compare(SMALL, problem(SMALL, labels, depths=2, dim=6, seed=2), zero=("query_contrast", "mask_contrast"))


@pytest.mark.parametrize("term", ["point", "discriminative", "semantic", "query_contrast", "mask_contrast"])
def test_a_weight_of_zero_leaves_out_its_term_and_no_other(term: str) -> None:
    labels = squares(64, [(2, 2), (30, 30), (4, 40)], 16)[None]
    predictions, embedding, semantic, _ = to_float32(problem(SMALL, labels, depths=2, dim=6, seed=0))
    found = []
    for weights in (WEIGHTS, WEIGHTS.model_copy(update={term: 0.0})):
        config = SMALL.model_copy(update={"loss_weights": weights})
        logits = semantic if weights.semantic else None  # a model without the loss has no head for it
        torch.manual_seed(5)
        found.append(weighted_losses(predictions, embedding, logits, build_targets(labels), config))
    everything, others = found
    assert others == {name: value for name, value in everything.items() if name != term}


def test_the_centre_term_changes_who_is_matched() -> None:
    """Else the comparison above says nothing about it."""
    labels = squares(64, [(2, 2), (30, 30), (4, 40)], 16)[None]
    values = []
    for weight in (0.0, 4.0):
        config = SMALL.model_copy(update={"matching_centre_weight": weight})
        torch.manual_seed(5)
        single = to_float32(problem(config, labels, depths=2, dim=6, seed=0))
        values.append(weighted_losses(*single[:3], build_targets(labels), config)["point"].item())
    assert values[1] < values[0] - 0.1


@pytest.mark.slow
def test_the_paper_s_sizes() -> None:
    """300 queries, ten predictions, D = 128, 12544 points, a crop of 512 pixels with 24 instances."""
    config = PCTransConfig(loss_weights=WEIGHTS, query_temperature=2.0, mask_temperature=0.5)
    corners = [(20 + 100 * row, 10 + 84 * column) for row in range(4) for column in range(6)]
    labels = squares(512, corners, 48)[None]
    compare(config, problem(config, labels, depths=10, dim=config.hidden_dim, seed=1))
