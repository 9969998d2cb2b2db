"""The factorised mask head against what it replaces: a grouped convolution over replicated features."""

from __future__ import annotations

import pytest
import torch
from references import grouped_convolution

from pctrans import PCTransConfig, dynamic_convolution
from pctrans.mask_head import DynamicMaskHead, InnerProductMaskHead

STRIDE = 8


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("unit", [1.0, 64.0])
def test_factorised_head_equals_grouped_convolution(tiny: PCTransConfig, relative: bool, unit: float) -> None:
    torch.manual_seed(0)
    config = tiny.model_copy(update={"relative_coordinates": relative, "coordinate_unit": unit})
    head = DynamicMaskHead(config)
    queries, centres = torch.randn(2, 5, 32, requires_grad=True), torch.rand(2, 5, 2)
    embedding = torch.randn(2, 32, 6, 9, requires_grad=True)
    expected = grouped_convolution(head, queries, centres, head.mask_features(embedding), STRIDE)
    masks = head(queries, centres, head.shared_features(embedding, STRIDE), STRIDE)
    torch.testing.assert_close(masks, expected, rtol=1e-4, atol=1e-4)
    weight = torch.randn_like(masks)
    gradients = torch.autograd.grad((masks * weight).sum(), (queries, embedding))
    references = torch.autograd.grad((expected * weight).sum(), (queries, embedding))
    for gradient, reference in zip(gradients, references, strict=True):
        torch.testing.assert_close(gradient, reference, rtol=1e-3, atol=1e-3)


def test_the_paper_s_head_has_233_parameters_a_query() -> None:
    head = DynamicMaskHead(PCTransConfig())
    assert sum(head.parameter_sizes) == 233
    assert head.controller.layers[-1].out_features == 233


def test_coordinates_survive_bfloat16() -> None:
    """Far from the origin, a small difference of coordinates must not drown in rounding."""
    torch.manual_seed(0)
    head = DynamicMaskHead(PCTransConfig())
    queries, embedding = torch.randn(1, 4, 128), torch.randn(1, 128, 64, 64)
    centres = torch.full((1, 4, 2), 0.97)
    expected = head(queries, centres, head.shared_features(embedding, STRIDE), STRIDE)
    with torch.autocast("cpu", torch.bfloat16):
        masks = head(queries, centres, head.shared_features(embedding, STRIDE), STRIDE)
    assert (masks.float() - expected).abs().max() < 0.05 * expected.abs().max()


def test_inner_product_head(tiny: PCTransConfig) -> None:
    head = InnerProductMaskHead(tiny)
    queries, embedding = torch.randn(2, 3, 32), torch.randn(2, 32, 4, 4)
    features = head.shared_features(embedding, STRIDE)
    masks = head(queries, torch.rand(2, 3, 2), features, STRIDE)
    embedded = head.mask_embedding(queries)
    assert len(head.mask_embedding.layers) == 3  # as in Mask2Former
    for b, q, y, x in [(0, 0, 0, 0), (1, 2, 3, 1)]:
        torch.testing.assert_close(masks[b, q, y, x], embedded[b, q] @ features[b, :, y, x])


@pytest.mark.parametrize("cached", [1, 2 * 3 * 20, 10**6])
def test_recomputed_blocks_have_the_gradient_of_the_whole(cached: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One query at a time, two at a time with one left over, all at once: against finite differences."""
    monkeypatch.setattr(dynamic_convolution, "CACHED", cached)
    torch.manual_seed(0)
    batch, queries, c, channels, places = 2, 5, 3, 4, 20
    shapes = [
        (batch, channels, places), (batch, queries, c, channels), (batch, queries, c), (batch, queries, c, c),
        (batch, queries, c), (batch, queries, 1, c), (batch, queries, 1),
    ]  # fmt: skip
    arguments = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(dynamic_convolution.dynamic_convolution, arguments)


@pytest.mark.parametrize(("cached", "together"), [(1, 1), (119, 1), (120, 2), (299, 4), (10**6, 5)])
def test_a_block_on_a_cpu_is_as_large_as_its_cache_allows(
    cached: int, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five queries of three channels on 20 places: 60 values each. Every query of every image is in one block."""
    monkeypatch.setattr(dynamic_convolution, "CACHED", cached)
    features, w1 = torch.empty(2, 4, 20), torch.empty(2, 5, 3, 4)
    handled, sizes = torch.zeros(2, 5), []
    for block in dynamic_convolution._blocks(features, w1):
        handled[block] += 1
        sizes.append(handled[block].numel())
    assert (handled == 1).all() and max(sizes) == together
    assert len(list(dynamic_convolution._blocks(features.to("meta"), w1))) == 1  # an accelerator handles all at once
