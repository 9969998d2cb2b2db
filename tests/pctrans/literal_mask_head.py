"""Eq. 5, query by query: three 1×1 convolutions of F_mask and M_rc, whose weights an MLP makes of the query."""

from __future__ import annotations

import torch
from literal_convolutions import convolved
from literal_layers import mlp, relu
from torch import Tensor

from pctrans import PCTransConfig
from pctrans.mask_head import MaskHead


def literal_masks(head: MaskHead, queries: Tensor, centres: Tensor, mask_map: Tensor, config: PCTransConfig) -> Tensor:
    """Mask logits (B, N, h, w) of queries (B, N, D) with centres (B, N, 2) on a mask map (B, D, h, w)."""
    features = convolved(head.mask_features, mask_map)
    batch, n, _ = queries.shape
    masks = []
    for b in range(batch):
        for q in range(n):
            if config.mask_head == "inner_product":
                masks.append((mlp(head.mask_embedding, queries[b, q])[:, None, None] * features[b]).sum(0))
            else:
                channels = features[b]
                if config.relative_coordinates:
                    channels = torch.cat((channels, relative_coordinates(centres[b, q], channels, config)))
                masks.append(_filtered(channels, mlp(head.controller, queries[b, q]), config.dynamic_channels))
    return torch.stack(masks).view(batch, n, *mask_map.shape[-2:])


def relative_coordinates(centre: Tensor, channels: Tensor, config: PCTransConfig) -> Tensor:
    """M_rc: the centre minus the pixel's position, in `coordinate_unit` pixels of the input; (2, h, w), x then y."""
    height, width = channels.shape[-2:]
    rows = []
    for y in range(height):
        for x in range(width):
            position = torch.tensor([(x + 0.5) * config.mask_stride, (y + 0.5) * config.mask_stride])
            extent = torch.tensor([width * config.mask_stride, height * config.mask_stride])
            rows.append((centre * extent - position) / config.coordinate_unit)
    return torch.stack(rows, dim=1).view(2, height, width)


def _filtered(channels: Tensor, parameters: Tensor, width: int) -> Tensor:
    """(C, h, w) through C -> width -> width -> 1 channels; weights before biases, layer by layer."""
    x, start = channels.flatten(1).T, 0
    for layer, wanted in enumerate((width, width, 1)):
        size = wanted * x.shape[-1]
        weight = parameters[start : start + size].view(wanted, x.shape[-1])
        bias = parameters[start + size : start + size + wanted]
        start += size + wanted
        x = x @ weight.T + bias
        x = relu(x) if layer < 2 else x
    assert start == len(parameters)
    return x[:, 0].view(channels.shape[-2:])
