"""Random weights as in the original code, where those of `transformers` differ."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import Mask2FormerForUniversalSegmentation
from transformers.models.mask2former.modeling_mask2former import Mask2FormerAttention


def initialise(network: Mask2FormerForUniversalSegmentation) -> None:
    """Draw anew the weights that `transformers` does not draw as Cheng et al. do.

    `transformers` (5.23) gives linear layers and convolutions without a rule of their own a standard deviation of
    0.02, expecting that a checkpoint follows. From scratch that leaves the pixel embedding, which no norm
    follows, a sixth as wide as the original's (masks hardly depend on the pixel), and the feed-forward layers of the
    pixel decoder next to nothing. Level embeddings, queries, deformable and masked attention, mask head and backbone
    start as they should.
    """
    _initialise_pixel_decoder(network.model.pixel_level_module.decoder)
    _initialise_transformer(network.model.transformer_module)
    network.class_predictor.reset_parameters()


def _initialise_pixel_decoder(decoder: Any) -> None:
    for projection in decoder.input_projections:
        _xavier(projection[0])
    for layer in decoder.encoder.layers:
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
        _initialise_feedforward(layer)


def _initialise_feedforward(layer: Any) -> None:
    """Draw Xavier-uniform weights, and PyTorch's own biases, which the original leaves alone."""
    for linear in (layer.fc1, layer.fc2):
        linear.reset_parameters()
        nn.init.xavier_uniform_(linear.weight)


def _initialise_self_attention(attention: Mask2FormerAttention) -> None:
    """Draw queries, keys and values as one Xavier-uniform matrix (3 D, D), as `nn.MultiheadAttention` does."""
    projections = (attention.q_proj, attention.k_proj, attention.v_proj)
    joint = nn.init.xavier_uniform_(torch.cat([projection.weight.detach() for projection in projections]))
    for projection, weight in zip(projections, joint.chunk(3), strict=True):
        projection.weight.data.copy_(weight)


def _xavier(convolution: nn.Conv2d) -> None:
    nn.init.xavier_uniform_(convolution.weight)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)


def _c2_xavier_fill(convolution: nn.Conv2d) -> None:
    """Draw as fvcore's function of this name: uniform with a variance of 1 / fan-in, and no bias."""
    nn.init.kaiming_uniform_(convolution.weight, a=1)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
