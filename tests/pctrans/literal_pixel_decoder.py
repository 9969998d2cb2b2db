"""The pixel decoder and the semantic head, step by step, with the weights of the modules they check."""

from __future__ import annotations

import torch
from literal_layers import encoding, heads_of, layer_norm, linear, relu
from literal_maps import area_average, bilinear, sampled
from literal_mask_head import pointwise
from torch import Tensor, nn

from pctrans import PCTransConfig
from pctrans.deformable import DeformableAttention
from pctrans.pixel_decoder import PixelDecoder, PixelFeatures


def group_norm(norm: nn.GroupNorm, maps: Tensor, groups: int) -> Tensor:
    """Mean 0 and variance 1 in each of `groups` neighbouring channels of each image, then scale and shift."""
    parts = []
    for part in maps.chunk(groups, dim=1):
        centred = part - part.mean((1, 2, 3), keepdim=True)
        parts.append(centred / torch.sqrt((centred**2).mean((1, 2, 3), keepdim=True) + 1e-5))
    return torch.cat(parts, dim=1) * norm.weight[:, None, None] + norm.bias[:, None, None]


def three_by_three(convolution: nn.Conv2d, maps: Tensor) -> Tensor:
    """A 3×3 convolution with zeros around the map, as nine shifted 1×1 convolutions."""
    height, width = maps.shape[-2:]
    padded = maps.new_zeros(*maps.shape[:2], height + 2, width + 2)
    padded[..., 1:-1, 1:-1] = maps
    shifts = [(dy, dx) for dy in range(3) for dx in range(3)]
    return sum(
        torch.einsum("oc,bchw->bohw", convolution.weight[:, :, dy, dx], padded[..., dy : dy + height, dx : dx + width])
        for dy, dx in shifts
    )


def deformable_attention(
    module: DeformableAttention, queries: Tensor, reference: Tensor, memory: Tensor, shapes: list[tuple[int, int]]
) -> Tensor:
    """Zhu et al. 2020, eq. 3, query by query; offsets are in cells of their level. (B, Q, D) -> (B, Q, D)."""
    levels, points = len(shapes), module.points
    values = heads_of(linear(module.value_proj, memory), module.heads)
    out = []
    for b in range(len(queries)):
        for q in range(queries.shape[1]):
            offsets = linear(module.sampling_offsets, queries[b, q]).view(module.heads, levels, points, 2)
            weights = linear(module.attention_weights, queries[b, q]).view(module.heads, levels * points)
            weights = torch.exp(weights) / torch.exp(weights).sum(-1, keepdim=True)
            merged = []
            for head, value in enumerate(values):
                total, start = 0.0, 0
                for level, (h, w) in enumerate(shapes):
                    grid = value[b, start : start + h * w].T.view(-1, h, w)
                    start += h * w
                    places = reference[q] + offsets[head, level] / torch.tensor([w, h])
                    shares = weights[head, level * points : (level + 1) * points]
                    total = total + (sampled(grid, places) * shares).sum(-1)
                merged.append(total)
            out.append(torch.cat(merged))
    return linear(module.output_proj, torch.stack(out).view_as(queries))


def literal_pixel_decoder(
    decoder: PixelDecoder, features: list[Tensor], config: PCTransConfig, groups: int
) -> PixelFeatures:
    """From backbone maps at strides 4, 8, 16, 32; `groups` of every group norm."""
    stride4, *coarser = features
    maps = []
    for (convolution, norm), feature in zip(decoder.input_projections, reversed(coarser), strict=True):
        maps.append(group_norm(norm, pointwise(convolution, feature), groups))
    shapes = [(m.shape[-2], m.shape[-1]) for m in maps]
    cells = [
        torch.tensor([[(x + 0.5) / w, (y + 0.5) / h] for y in range(h) for x in range(w)], dtype=torch.float64)
        for h, w in shapes
    ]
    positions = [encoding(c, config.hidden_dim, config.pixel_position_temperature) for c in cells]
    memory = torch.cat([m.flatten(2).transpose(1, 2) for m in maps], dim=1)
    for layer in decoder.layers:
        place = torch.cat([p + decoder.level_embedding[i] for i, p in enumerate(positions)])
        attended = deformable_attention(layer.attention, memory + place, torch.cat(cells), memory, shapes)
        memory = layer_norm(layer.norm, memory + attended)
        into, out = layer.feedforward.mlp.layers
        memory = layer_norm(layer.feedforward.norm, memory + linear(out, relu(linear(into, memory))))
    levels = list(memory.split([h * w for h, w in shapes], dim=1))
    convolution, norm = decoder.lateral
    detail = group_norm(norm, pointwise(convolution, stride4), groups)
    convolution, norm, _ = decoder.output
    joined = levels[-1].transpose(1, 2).unflatten(-1, shapes[-1]) + area_average(detail, 2)
    embedding = relu(group_norm(norm, three_by_three(convolution, joined), groups))
    mask_map = embedding
    if config.mask_stride == 4:  # the 1/4 detail once more
        mask_map = detail + bilinear(embedding, (detail.shape[-2], detail.shape[-1]))
    return PixelFeatures(levels, positions, shapes, embedding, mask_map)


def literal_semantic_head(head: nn.Sequential, embedding: Tensor, groups: int) -> Tensor:
    """Two blocks of 3×3 convolution, norm and ReLU, then a 1×1 convolution: (B, D, h, w) -> logits (B, h, w)."""
    x = embedding
    for convolution, norm, _ in head[:2]:
        x = relu(group_norm(norm, three_by_three(convolution, x), groups))
    return pointwise(head[2], x)[:, 0]
