"""Queries gather instances from the pixel embeddings, layer by layer (section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.profiler import record_function

from pctrans.attention import CrossAttention, PositionGuidedCrossAttention, SelfAttention, StandardCrossAttention
from pctrans.config import PCTransConfig
from pctrans.layers import MLP, FeedForward, inverse_sigmoid, run_layer, xavier
from pctrans.mask_head import build_mask_head
from pctrans.pixel_decoder import PixelFeatures
from pctrans.position import sinusoidal, uniform_points


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

    def __init__(self, config: PCTransConfig, *, first: bool):
        super().__init__()
        dim, heads = config.hidden_dim, config.num_heads
        self.cross_attention: CrossAttention = (
            StandardCrossAttention(dim, heads)
            if config.attention_type == 1
            else PositionGuidedCrossAttention(dim, heads, first=first)
        )
        self.norm = nn.LayerNorm(dim)
        self.self_attention = SelfAttention(dim, heads)
        self.feedforward = FeedForward(dim, config.decoder_feedforward)

    def forward(
        self,
        queries: Tensor,
        learned: Tensor,
        guide: Tensor,
        memory: Tensor,
        memory_position: Tensor,
        allowed: Tensor,
    ) -> Tensor:
        """Queries (B, N, D), with their learned position and the guide of eq. 4, -> (B, N, D)."""
        attended = self.cross_attention(queries, learned, guide, memory, memory_position, allowed)
        queries = self.norm(queries + attended)
        return self.feedforward(self.self_attention(queries, learned))


class QueryDecoder(nn.Module):
    """Learned queries, M decoder layers, a prediction before the first and after every layer."""

    def __init__(self, config: PCTransConfig):
        super().__init__()
        dim = config.hidden_dim
        self.attention_type, self.mask_stride = config.attention_type, config.mask_stride
        self.temperature, self.recompute = config.query_position_temperature, config.activation_checkpointing
        self.content = nn.Parameter(torch.randn(config.num_queries, dim))
        self.position = nn.Parameter(torch.randn(config.num_queries, dim))
        self.layers = nn.ModuleList(DecoderLayer(config, first=i == 0) for i in range(config.decoder_layers))
        self.norm = nn.LayerNorm(dim)
        self.reference_point = MLP(dim, dim, 2, layers=2)
        self.centre_offset = MLP(dim, dim, 2, layers=3)
        if config.attention_type == 3:
            self.transform = MLP(dim, dim, dim, layers=2)
        self.mask_head = build_mask_head(config)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Start as the released code does, but with centres that cover the image and T near one.

        Where centres start is the paper's to say and it does not. A query is matched with what it happens to cover, so
        centres are spread evenly, for any N and seed: two components of a learned position hold the logit of its
        point, and the reference point's MLP starts by reading them. Offsets start near zero, so that the first layers
        keep them there. T starts at one: type 3 of table 3 starts as type 2.
        """
        xavier(self)
        nn.init.normal_(self.centre_offset.last.weight, std=0.01)
        if self.attention_type == 3:
            nn.init.zeros_(self.transform.last.weight)
            nn.init.ones_(self.transform.last.bias)
        first, last = self.reference_point.first, self.reference_point.last
        with torch.no_grad():
            self.position[:, :2] = inverse_sigmoid(uniform_points(len(self.position)))
            first.weight[:4] = 0.0
            first.weight[[0, 1, 2, 3], [0, 0, 1, 1]] = torch.tensor([1.0, -1.0, 1.0, -1.0])  # x = relu(x) - relu(-x)
            last.weight.zero_()
            last.weight[[0, 0, 1, 1], [0, 1, 2, 3]] = torch.tensor([1.0, -1.0, 1.0, -1.0])

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
                position,
                self._guide(queries, reference, first=index == 0),
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

    def _guide(self, queries: Tensor, reference: Tensor, *, first: bool) -> Tensor:
        """Eq. 4: the position embedding of the queries; T = 1 before the first layer and for type 2.

        Type 1 attends by the learned position instead and leaves this unread.
        """
        guide = sinusoidal(reference, queries.shape[-1], self.temperature)
        return self.transform(queries) * guide if self.attention_type == 3 and not first else guide


def _attention_region(mask_logits: Tensor, shape: tuple[int, int]) -> Tensor:
    """Where a query may attend (B, N, h·w): inside its last mask, or everywhere if that is empty."""
    resized = mask_logits.detach().float()
    if resized.shape[-2:] != shape:
        resized = F.interpolate(resized, size=shape, mode="bilinear", align_corners=False)
    inside = resized.flatten(2) > 0  # a soft mask above 0.5
    return inside | ~inside.any(dim=-1, keepdim=True)
