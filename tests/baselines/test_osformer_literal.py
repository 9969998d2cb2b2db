"""OSFormer's encoder, decoder, fusion and masks against their transcriptions: outputs, and gradients of parameters."""

from __future__ import annotations

from copy import deepcopy

import torch
from literal_osformer import (
    literal_dynamic_masks,
    literal_encoder,
    literal_fusion,
    literal_location_decoder,
    maps_of,
)
from torch import Tensor, nn

from baselines.osformer import OSFormerConfig
from baselines.osformer.encoder import Encoder, Memory
from baselines.osformer.fusion import CoarseToFineFusion
from baselines.osformer.head import DynamicInstanceNormalisation
from baselines.osformer.queries import LocationDecoder

CHANNELS, SHAPES = [5, 6, 7, 8], [(8, 12), (4, 6), (2, 3)]
CONFIG = OSFormerConfig(
    hidden_dim=16, num_heads=2, dropout=0.3, feedforward_channels=16, encoder_layers=2, encoder_points=2,
    decoder_layers=2, decoder_points=2, grids=(4, 3, 2), fusion_channels=12, mask_channels=8,
)  # fmt: skip


def randomised(module: nn.Module) -> nn.Module:
    """Random parameters, no dropout."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.4)
    return module.eval()


def compare(module: nn.Module, exact: nn.Module, actual: list[Tensor], expected: list[Tensor]) -> None:
    """Outputs, and the gradients of a random linear function of them."""
    for found, wanted in zip(actual, expected, strict=True):
        torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=1e-5 * max(wanted.abs().max().item(), 1.0))
    weights = [torch.randn_like(wanted) for wanted in expected]
    gradients, references = (
        torch.autograd.grad(sum((w * x).sum() for w, x in zip(weights, outputs, strict=True)), list(of.parameters()))
        for outputs, of in ((actual, module), (expected, exact))
    )
    names = [name for name, _ in module.named_parameters()]
    for name, gradient, reference in zip(names, gradients, references, strict=True):
        scale = reference.abs().max().item()
        assert scale > 0, name
        torch.testing.assert_close(gradient.double(), reference, rtol=2e-3, atol=2e-4 * scale + 1e-5, msg=name)


def test_encoder() -> None:
    torch.manual_seed(0)
    encoder = randomised(Encoder(CHANNELS, CONFIG))
    exact = deepcopy(encoder).double()
    features = [torch.randn(2, c, 64 // s, 96 // s) for c, s in zip(CHANNELS, (4, 8, 16, 32), strict=True)]
    detail, memory = encoder(features)
    *expected, shapes = literal_encoder(exact, [f.double() for f in features], CONFIG, groups=8)
    assert memory.shapes == shapes == SHAPES
    compare(encoder, exact, [detail, memory.tokens, memory.position], expected)


def test_location_guided_queries_and_their_decoder() -> None:
    torch.manual_seed(0)
    decoder = randomised(LocationDecoder(CONFIG))
    exact = deepcopy(decoder).double()
    tokens, position = torch.randn(2, 126, 16), torch.randn(126, 16)
    actual = decoder(Memory(tokens, position, SHAPES))
    expected = literal_location_decoder(exact, tokens.double(), position.double(), SHAPES, CONFIG)
    assert actual[0].shape == (2, 16 + 9 + 4)
    compare(decoder, exact, list(actual), list(expected))


def test_coarse_to_fine_fusion_with_reverse_edge_attention() -> None:
    torch.manual_seed(0)
    fusion = randomised(CoarseToFineFusion(CONFIG))
    exact = deepcopy(fusion).double()
    maps = [torch.randn(2, 16, 64 // s, 96 // s) for s in (32, 16, 8, 4)]
    features, edges = fusion(maps)
    wanted, wanted_edges = literal_fusion(exact, [m.double() for m in maps], groups=(2, 4))
    compare(fusion, exact, [features, *edges], [wanted, *wanted_edges])


def test_dynamic_instance_normalisation() -> None:
    torch.manual_seed(0)
    head = randomised(DynamicInstanceNormalisation(8))
    exact = deepcopy(head).double()
    kernels, features = torch.randn(5, 8), torch.randn(8, 6, 7)
    expected = literal_dynamic_masks(exact.weight, exact.bias, kernels.double(), features.double())
    compare(head, exact, [head(kernels, features)], [expected])


def test_maps_go_row_by_row_and_fine_to_coarse() -> None:
    tokens = torch.arange(126.0).view(1, 126, 1)
    maps = Memory(tokens, tokens[0], SHAPES).maps
    for found, wanted in zip(maps, maps_of(tokens, SHAPES), strict=True):
        assert torch.equal(found, wanted)
    assert maps[0][0, 0, 1, 0] == 12 and maps[1][0, 0, 0, 0] == 96
