"""The small parts that several modules are made of."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from pctrans.layers import conv_norm, group_count, inverse_sigmoid, run_layer, xavier


@given(st.integers(1, 600), st.sampled_from([32, 8]))
def test_groups_are_as_many_as_possible_and_have_two_channels_at_least(channels: int, most: int) -> None:
    allowed = [g for g in (1, 2, 4, 8, 16, 32) if g <= most and channels % g == 0 and channels // g % 2 == 0]
    if allowed:
        assert group_count(channels, most) == max(allowed)


def test_inverse_sigmoid_is_finite_everywhere() -> None:
    x = torch.tensor([0.0, 1e-6, 0.1, 0.5, 0.9, 1.0], dtype=torch.float64)
    logit = [math.log(p / (1 - p)) for p in (1e-5, 1e-5, 0.1, 0.5, 0.9, 1 - 1e-5)]
    assert inverse_sigmoid(x).tolist() == pytest.approx(logit)


def test_xavier_s_rule_for_every_kind_of_layer() -> None:
    """Glorot and Bengio 2010: uniform up to sqrt(6 / (fan in + fan out)); biases are zero, norms are left alone."""
    torch.manual_seed(0)
    parts = nn.ModuleDict(
        {
            "linear": nn.Linear(60, 40),
            "convolution": nn.Conv2d(30, 50, 3),
            "without bias": nn.Conv2d(70, 30, 1, bias=False),
            "attention": nn.MultiheadAttention(48, 4),
            "norm": nn.LayerNorm(5),
        }
    )
    for parameter in parts.parameters():
        nn.init.constant_(parameter, 7.0)
    xavier(parts)
    weights = {
        "linear": (parts["linear"].weight, 60 + 40),
        "convolution": (parts["convolution"].weight, 9 * (30 + 50)),
        "without bias": (parts["without bias"].weight, 70 + 30),
        "attention": (parts["attention"].in_proj_weight, 48 + 3 * 48),
        "output of attention": (parts["attention"].out_proj.weight, 48 + 48),
    }
    for name, (weight, fans) in weights.items():
        bound = math.sqrt(6 / fans)
        assert 0.95 * bound < weight.abs().max() <= bound, name
        assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05), name
    attention = parts["attention"]
    for bias in (parts["linear"].bias, parts["convolution"].bias, attention.in_proj_bias, attention.out_proj.bias):
        assert not bias.any()
    assert (parts["norm"].weight == 7).all() and (parts["norm"].bias == 7).all()


@pytest.mark.parametrize("size", [1, 3, 5])
def test_a_convolution_with_norm_keeps_the_size(size: int) -> None:
    x = torch.randn(2, 6, 7, 9)
    layer = conv_norm(6, 8, size)
    assert layer(x).shape == (2, 8, 7, 9) and (layer(x) < 0).any()
    assert (conv_norm(6, 8, size, relu=True)(x) >= 0).all()
    assert layer[0].bias is None  # the norm would take it away


class Counting(nn.Module):
    """How often it is run."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.runs = nn.Parameter(torch.tensor([2.0])), 0

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        self.runs += 1
        return torch.exp(self.weight * x) + y


@pytest.mark.parametrize(
    ("recompute", "training", "gradients", "runs"),
    [(True, True, True, 2), (False, True, True, 1), (True, False, True, 1), (True, True, False, 1)],
)
def test_a_layer_is_run_again_only_where_that_saves_memory(
    recompute: bool, training: bool, gradients: bool, runs: int
) -> None:
    layer = Counting().train(training)
    x, y = torch.tensor([0.5], requires_grad=True), torch.tensor([1.0])
    with torch.set_grad_enabled(gradients):
        out = run_layer(layer, x, y, recompute=recompute)
    assert out.item() == pytest.approx(math.e + 1)
    if gradients:  # by the way that older checkpointing refuses
        [gradient] = torch.autograd.grad(out, x)
        assert gradient.item() == pytest.approx(2 * math.e)
    assert layer.runs == runs
