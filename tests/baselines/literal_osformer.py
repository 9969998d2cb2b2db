"""OSFormer's parts (Pei et al. 2022), step by step, with the weights of the modules they check."""

from __future__ import annotations

import torch
from literal_convolutions import convolved, group_norm
from literal_deformable import deformable_attention
from literal_layers import encoding, layer_norm, linear, relu
from literal_maps import bilinear, cell_places
from torch import Tensor, nn

from baselines.osformer import OSFormerConfig
from baselines.osformer.encoder import DeformableLayer, Encoder
from baselines.osformer.fusion import CoarseToFineFusion, ReverseEdgeAttention
from baselines.osformer.queries import LocationDecoder

Shapes = list[tuple[int, int]]


def tokens_of(maps: list[Tensor]) -> Tensor:
    """Maps (B, D, h, w), row by row, one after the other: (B, S, D)."""
    return torch.cat([m.flatten(2).transpose(1, 2) for m in maps], dim=1)


def maps_of(tokens: Tensor, shapes: Shapes) -> list[Tensor]:
    """The inverse of `tokens_of`."""
    maps, start = [], 0
    for h, w in shapes:
        maps.append(tokens[:, start : start + h * w].transpose(1, 2).reshape(len(tokens), -1, h, w))
        start += h * w
    return maps


def literal_layer(
    layer: DeformableLayer, positioned: Tensor, reference: Tensor, values: Tensor, value_shapes: Shapes, shapes: Shapes
) -> Tensor:
    """Deformable attention and the 3×3 conv – norm – GELU – 3×3 conv feed-forward, residual and norm after each."""
    attended = deformable_attention(layer.attention, positioned, reference, values, value_shapes)
    x = layer_norm(layer.norm, positioned + attended)
    into, norm, _, out = layer.feedforward.convolutions
    mixed = []
    for level in maps_of(x, shapes):
        hidden = group_norm(norm, convolved(into, level), groups=8)
        gelu = hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5))
        mixed.append(convolved(out, gelu))
    return layer_norm(layer.feedforward.norm, x + tokens_of(mixed))


def literal_encoder(
    encoder: Encoder, features: list[Tensor], config: OSFormerConfig, groups: int
) -> tuple[Tensor, Tensor, Tensor, Shapes]:
    """Backbone maps at strides 4 to 32 -> the map at stride 4, the memory (B, S, D), its position, its shapes."""
    projected = [
        relu(group_norm(norm, convolved(convolution, f), groups))
        for (convolution, norm, _), f in zip(encoder.projections, features, strict=True)
    ]
    detail, *maps = projected
    shapes = [(m.shape[-2], m.shape[-1]) for m in maps]
    places = [cell_places(h, w) for h, w in shapes]
    codes = [encoding(p, config.hidden_dim, config.position_temperature) for p in places]
    position = torch.cat(codes)
    with_level = torch.cat([code + encoder.level_embedding[i] for i, code in enumerate(codes)])
    tokens = tokens_of(maps)
    for layer in encoder.layers:
        positioned = tokens + with_level
        tokens = literal_layer(layer, positioned, torch.cat(places), positioned, shapes, shapes)
    return detail, tokens, position, shapes


def literal_location_decoder(
    decoder: LocationDecoder, tokens: Tensor, position: Tensor, shapes: Shapes, config: OSFormerConfig
) -> tuple[Tensor, Tensor]:
    """Location-guided queries: what the memory holds in the cells of the three grids. Objectness and kernels."""
    grids = [(side, side) for side in config.grids]
    queries = tokens_of([bilinear(m, grid) for m, grid in zip(maps_of(tokens, shapes), grids, strict=True)])
    places = torch.cat([cell_places(h, w) for h, w in grids])
    where = encoding(places, config.hidden_dim, config.position_temperature)
    of_query, of_value = (
        torch.cat([torch.stack([decoder.level_embedding[i]] * h * w) for i, (h, w) in enumerate(sizes)])
        for sizes in (grids, shapes)
    )
    for layer in decoder.layers:
        values = tokens + position + of_value
        queries = literal_layer(layer, queries + where + of_query, places, values, shapes, grids)
    return linear(decoder.objectness, queries)[..., 0], linear(decoder.kernel, queries)


def literal_edges(attention: ReverseEdgeAttention, fused: Tensor, side: Tensor) -> Tensor:
    """[mean, max] of a side's channels -> 7×7 conv -> 1 - sigmoid -> times the map -> 3×3 conv: -> (B, h, w)."""
    summary = torch.stack((side.mean(1), side.max(1).values), dim=1)
    objects = 1 / (1 + torch.exp(-convolved(attention.objects, summary)))
    return convolved(attention.edges, fused * (1 - objects))[:, 0]


def literal_fusion(
    fusion: CoarseToFineFusion, maps: list[Tensor], groups: tuple[int, int]
) -> tuple[Tensor, list[Tensor]]:
    """1/32 → 1/16 → 1/8 → 1/4: 3×3 conv and norm, twice the size, add, ReLU, 3×3 conv and norm; ReLU, 1×1, norm, ReLU.

    Args:
        maps: at strides 32, 16, 8, 4.
        groups: of the norms between and of the last one.
    """
    sides = []
    for (convolution, norm), m in zip(fusion.laterals, maps, strict=True):
        sides.append(group_norm(norm, convolved(convolution, m), groups[0]))
    fused, edges = sides[0], []
    for attention, (merge, merge_norm), side in zip(fusion.edge_attention, fusion.merges, sides[1:], strict=True):
        total = relu(side + bilinear(fused, (side.shape[-2], side.shape[-1])))
        edges.append(literal_edges(attention, total, side))
        fused = group_norm(merge_norm, convolved(merge, total), groups[0])
    convolution, norm, _ = fusion.output
    return relu(group_norm(norm, convolved(convolution, relu(fused)), groups[1])), edges


def literal_dynamic_masks(weight: nn.Linear, bias: nn.Linear, kernels: Tensor, features: Tensor) -> Tensor:
    """W(k) · F + b(k): kernels (P, C) on features (C, h, w) -> logits (P, h, w)."""
    masks = []
    for k in kernels:
        filters, shift = linear(weight, k), linear(bias, k)
        masks.append((filters[:, None, None] * features).sum(0) + shift)
    return torch.stack(masks)
