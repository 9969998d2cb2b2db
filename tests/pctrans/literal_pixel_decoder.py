"""The pixel decoder and the semantic head, step by step, with the weights of the modules they check."""

from __future__ import annotations

import torch
from literal_convolutions import convolved, group_norm
from literal_deformable import deformable_attention
from literal_layers import encoding, layer_norm, linear, relu
from literal_maps import area_average, bilinear, cell_places
from torch import Tensor, nn

from pctrans import PCTransConfig
from pctrans.pixel_decoder import PixelDecoder, PixelFeatures


def literal_pixel_decoder(
    decoder: PixelDecoder, features: list[Tensor], config: PCTransConfig, groups: int
) -> PixelFeatures:
    """From backbone maps at strides 4, 8, 16, 32; `groups` of every group norm."""
    stride4, *coarser = features
    maps = []
    for (convolution, norm), feature in zip(decoder.input_projections, reversed(coarser), strict=True):
        maps.append(group_norm(norm, convolved(convolution, feature), groups))
    shapes = [(m.shape[-2], m.shape[-1]) for m in maps]
    cells = [cell_places(h, w) for h, w in shapes]
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
    detail = group_norm(norm, convolved(convolution, stride4), groups)
    convolution, norm, _ = decoder.output
    joined = levels[-1].transpose(1, 2).unflatten(-1, shapes[-1]) + area_average(detail, 2)
    embedding = relu(group_norm(norm, convolved(convolution, joined), groups))
    mask_map = embedding
    if config.mask_stride == 4:  # the 1/4 detail once more
        mask_map = detail + bilinear(embedding, (detail.shape[-2], detail.shape[-1]))
    return PixelFeatures(levels, positions, shapes, embedding, mask_map)


def literal_semantic_head(head: nn.Sequential, embedding: Tensor, groups: int) -> Tensor:
    """Two blocks of 3×3 convolution, norm and ReLU, then a 1×1 convolution: (B, D, h, w) -> logits (B, h, w)."""
    x = embedding
    for convolution, norm, _ in head[:2]:
        x = relu(group_norm(norm, convolved(convolution, x), groups))
    return convolved(head[2], x)[:, 0]
