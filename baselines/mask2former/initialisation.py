"""Random weights as in the original code, whatever `transformers` draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn
from transformers import Mask2FormerForUniversalSegmentation
from transformers.models.mask2former.modeling_mask2former import Mask2FormerAttention

from pctrans.deformable import initialise_deformable
from pctrans.layers import xavier


def initialise(network: Mask2FormerForUniversalSegmentation) -> None:
    """Draw every weight but those of the backbone as Cheng et al. do: PyTorch's own rules, and theirs on top.

    `transformers` expects that a checkpoint follows, and its rules differ from release to release: 5.17 draws queries
    and mask head with a deviation of 0.02 and leaves the levels 0; 5.23 leaves the pixel embedding a sixth as wide as
    the original's (masks hardly depend on the pixel), and the feed-forward layers of the pixel decoder next to nothing.
    """
    decoder, transformer = network.model.pixel_level_module.decoder, network.model.transformer_module
    for part in (decoder, transformer, network.class_predictor):
        for module in part.modules():
            if reset := getattr(module, "reset_parameters", None):
                cast(Callable[[], None], reset)()
    _initialise_pixel_decoder(decoder)
    _initialise_transformer(transformer)


def _initialise_pixel_decoder(decoder: Any) -> None:
    nn.init.normal_(decoder.level_embed)
    for projection in decoder.input_projections:
        xavier(projection[0])
    for layer in decoder.encoder.layers:
        attention = layer.self_attn
        initialise_deformable(attention, attention.n_heads, attention.n_levels, attention.n_points)
        _initialise_feedforward(layer)
    for convolution, *_ in (*decoder.lateral_convolutions, *decoder.output_convolutions):
        _c2_xavier_fill(convolution)
    _c2_xavier_fill(decoder.mask_projection)


def _initialise_transformer(transformer: Any) -> None:
    for projection in transformer.input_projections:
        if isinstance(projection, nn.Conv2d):  # otherwise widths agree, and nothing is projected
            _c2_xavier_fill(projection)
    for layer in transformer.decoder.layers:
        _initialise_self_attention(layer.self_attn)
        xavier(layer.cross_attn)
        _initialise_feedforward(layer)


def _initialise_feedforward(layer: Any) -> None:
    """Draw Xavier-uniform weights; the biases stay PyTorch's own, which the original leaves alone."""
    for linear in (layer.fc1, layer.fc2):
        nn.init.xavier_uniform_(linear.weight)


def _initialise_self_attention(attention: Mask2FormerAttention) -> None:
    """Draw queries, keys and values as one Xavier-uniform matrix (3 D, D), as `nn.MultiheadAttention` does."""
    projections = (attention.q_proj, attention.k_proj, attention.v_proj)
    joint = nn.init.xavier_uniform_(torch.cat([projection.weight.detach() for projection in projections]))
    for projection, weight in zip(projections, joint.chunk(3), strict=True):
        projection.weight.data.copy_(weight)
        nn.init.zeros_(projection.bias)
    xavier(attention.out_proj)


def _c2_xavier_fill(convolution: nn.Conv2d) -> None:
    """Draw as fvcore's function of this name: uniform with a variance of 1 / fan-in, and no bias."""
    nn.init.kaiming_uniform_(convolution.weight, a=1)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
