"""Cross-attention of table 3, head by head."""

from __future__ import annotations

import math

import pytest
import torch

from pctrans.attention import CrossAttention, PositionGuidedCrossAttention, StandardCrossAttention


def test_position_guided_logit_is_the_sum_of_a_content_and_a_position_similarity() -> None:
    torch.manual_seed(0)
    dim, heads = 12, 3
    attention = PositionGuidedCrossAttention(dim, heads)
    queries, learned, position = torch.randn(1, 4, dim), torch.randn(1, 4, dim), torch.randn(1, 4, dim)
    memory, memory_position = torch.randn(1, 6, dim), torch.randn(6, dim)
    allowed = torch.rand(1, 4, 6) > 0.4
    allowed[..., 0] = True
    out = torch.zeros(1, 4, dim)
    d = dim // heads
    for head in range(heads):
        part = slice(head * d, (head + 1) * d)
        content = attention.query_content(queries)[..., part] @ attention.key_content(memory)[..., part].mT
        where = attention.query_position(position)[..., part] @ attention.key_position(memory_position)[:, part].T
        logits = (content + where) / math.sqrt(2 * d)
        weights = logits.masked_fill(~allowed, -math.inf).softmax(-1)
        out[..., part] = weights @ attention.value(memory)[..., part]
    expected = attention.output(out)
    actual = attention(queries, learned, position, memory, memory_position, allowed)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


def test_standard_attention_adds_positions() -> None:
    torch.manual_seed(0)
    attention = StandardCrossAttention(8, 2)
    queries, memory, zero = torch.randn(1, 3, 8), torch.randn(1, 5, 8), torch.zeros(5, 8)
    learned, guide, nowhere = torch.randn(1, 3, 8), torch.randn(1, 3, 8), torch.zeros(1, 3, 8)
    allowed = torch.ones(1, 3, 5, dtype=torch.bool)
    torch.testing.assert_close(
        attention(queries, learned, guide, memory, zero, allowed),
        attention(queries + learned, nowhere, nowhere, memory, zero, allowed),
    )


def test_no_matrix_of_queries_and_pixels_is_kept_for_the_backward_pass() -> None:
    """Of each head it would have N × S numbers; keys are twice as wide as values, which fused kernels do not take."""
    dim, heads, n, s = 16, 8, 64, 512
    attention = PositionGuidedCrossAttention(dim, heads)
    kept: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        attention(
            *(torch.randn(1, n, dim) for _ in range(3)),
            torch.randn(1, s, dim),
            torch.randn(s, dim),
            torch.ones(1, n, s, dtype=torch.bool),
        )
    assert max(kept) <= n * s  # who may attend where, for all heads


@pytest.mark.parametrize("kind", [StandardCrossAttention, PositionGuidedCrossAttention])
def test_weights_reproduce_the_output(kind: type[CrossAttention]) -> None:
    torch.manual_seed(0)
    attention = kind(12, 3)
    queries, learned, guide = torch.randn(2, 4, 12), torch.randn(2, 4, 12), torch.randn(2, 4, 12)
    memory, memory_position = torch.randn(2, 6, 12), torch.randn(6, 12)
    allowed = torch.rand(2, 4, 6) > 0.6
    allowed[..., 0] = True
    inputs = (queries, learned, guide, memory, memory_position, allowed)
    weights = attention.weights(*inputs)
    assert (weights[~allowed[:, None].expand_as(weights)] == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 4))
    values = attention.value(memory)
    merged = torch.cat([weights[:, head] @ values[..., 4 * head : 4 * head + 4] for head in range(3)], dim=-1)
    torch.testing.assert_close(attention.output(merged), attention(*inputs), rtol=1e-4, atol=1e-5)
