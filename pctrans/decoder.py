"""Queries gather instances from the pixel embeddings, layer by layer (section 3.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.profiler import record_function

from pctrans.attention import CrossAttention, PositionGuidedCrossAttention, SelfAttention, StandardCrossAttention
from pctrans.config import PCTransConfig
from pctrans.layers import MLP, FeedForward, inverse_sigmoid, run_layer
from pctrans.mask_head import build_mask_head
from pctrans.pixel_decoder import PixelFeatures
from pctrans.position import sinusoidal


@dataclass(frozen=True)
class Prediction:
    """What the queries say at one depth.

    Attributes:
        queries: (B, N, D).
        centres: (B, N, 2), (x, y) in [0, 1].
        mask_logits: (B, N, H / s, W / s), s = `mask_stride`.
    """

    queries: Tensor
    centres: Tensor
    mask_logits: Tensor


class DecoderLayer(nn.Module):
    """Cross-attention to one level, self-attention, feed-forward."""

    def __init__(self, config: PCTransConfig):
        super().__init__()
        dim, heads = config.hidden_dim, config.num_heads
        attention = StandardCrossAttention if config.attention_type == 1 else PositionGuidedCrossAttention
        self.cross_attention: CrossAttention = attention(dim, heads, config.position_in_values)
        self.norm = nn.LayerNorm(dim)
        self.self_attention = SelfAttention(dim, heads)
        self.feedforward = FeedForward(dim, config.decoder_feedforward)

    def forward(
        self,
        queries: Tensor,
        guide: Tensor,
        learned_position: Tensor,
        memory: Tensor,
        memory_position: Tensor,
        allowed: Tensor,
    ) -> Tensor:
        """Queries (B, N, D) -> (B, N, D); `guide` is the position that the cross-attention sees."""
        attended = self.cross_attention(queries, guide, memory, memory_position, allowed)
        queries = self.norm(queries + attended)
        return self.feedforward(self.self_attention(queries, learned_position))


class QueryDecoder(nn.Module):
    """Learned queries, M decoder layers, a prediction before the first and after every layer."""

    def __init__(self, config: PCTransConfig):
        super().__init__()
        dim = config.hidden_dim
        self.attention_type, self.mask_stride = config.attention_type, config.mask_stride
        self.temperature, self.recompute = config.query_position_temperature, config.activation_checkpointing
        self.content = nn.Parameter(torch.randn(config.num_queries, dim))
        self.position = nn.Parameter(torch.randn(config.num_queries, dim))
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.norm = nn.LayerNorm(dim)
        self.reference_point = MLP(dim, dim, 2, layers=2)
        self.centre_offset = MLP(dim, dim, 2, layers=3)
        if config.attention_type == 3:
            self.transform = MLP(dim, dim, dim, layers=2)
        self.mask_head = build_mask_head(config)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Start with centres all over the image that hardly move, as the paper leaves the start open.

        PyTorch's defaults put every query near the middle, and training first has to disperse them. Logits
        of standard deviation π/√3, that of the logistic distribution, give almost uniform coordinates; a
        standard normal embedding through the first layer leaves D / 6 of variance to the last one.
        """
        reference, offset = self.reference_point.last, self.centre_offset.last
        nn.init.normal_(reference.weight, std=math.pi / math.sqrt(3) * math.sqrt(6 / reference.in_features))
        nn.init.normal_(offset.weight, std=0.01)
        nn.init.zeros_(reference.bias)
        nn.init.zeros_(offset.bias)

    def forward(self, features: PixelFeatures) -> list[Prediction]:
        """Predictions of all depths, the last one last."""
        batch = features.pixel_embedding.shape[0]
        queries = self.content.expand(batch, -1, -1)
        position = self.position.expand(batch, -1, -1)
        shared = self.mask_head.shared_features(features.mask_map, self.mask_stride)
        centres = self.reference_point(position).float().sigmoid()
        predictions = [self._predict(queries, centres, shared)]
        for index, layer in enumerate(self.layers):
            level = index % len(features.levels)
            reference = centres.detach()
            queries = run_layer(
                layer,
                queries,
                self._guide(queries, reference, position, first=index == 0),
                position,
                features.levels[level],
                features.positions[level],
                _attention_region(predictions[-1].mask_logits, features.shapes[level]),
                recompute=self.recompute,
            )
            # Eq. 2: the layer moves the previous centre, in logits.
            centres = (self.centre_offset(queries).float() + inverse_sigmoid(reference)).sigmoid()
            predictions.append(self._predict(queries, centres, shared))
        return predictions

    @property
    def last_cross_attention(self) -> CrossAttention:
        """The cross-attention of the last layer."""
        return cast(DecoderLayer, self.layers[-1]).cross_attention

    def _predict(self, queries: Tensor, centres: Tensor, shared: Tensor) -> Prediction:
        queries = self.norm(queries)
        with record_function("mask head"):
            return Prediction(queries, centres, self.mask_head(queries, centres, shared, self.mask_stride))

    def _guide(self, queries: Tensor, reference: Tensor, learned: Tensor, *, first: bool) -> Tensor:
        """Eq. 4: the position embedding of the queries; T = 1 before the first layer and for type 2."""
        if self.attention_type == 1:
            return learned
        guide = sinusoidal(reference, learned.shape[-1], self.temperature)
        return guide if self.attention_type == 2 or first else self.transform(queries) * guide


def _attention_region(mask_logits: Tensor, shape: tuple[int, int]) -> Tensor:
    """Where a query may attend (B, N, h·w): inside its last mask, or everywhere if that is empty."""
    resized = mask_logits.detach().float()
    if resized.shape[-2:] != shape:
        resized = F.interpolate(resized, size=shape, mode="bilinear", align_corners=False)
    inside = resized.flatten(2) > 0  # a soft mask above 0.5
    return inside | ~inside.any(dim=-1, keepdim=True)
