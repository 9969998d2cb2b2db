"""Cross-attention of table 3: standard (type 1) and position-guided (types 2 and 3)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, cat, nn
from torch.nn import functional as F


def _split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, L, D) -> (B, heads, L, D / heads)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _merge_heads(x: Tensor) -> Tensor:
    """(B, heads, L, d) -> (B, L, heads · d)."""
    return x.transpose(1, 2).flatten(2)


def _attend(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor) -> Tensor:
    """Attention of heads q (B, heads, N, d), k (B, heads, S, d), v (B, heads, S, e) where `allowed` (B, N, S)."""
    width = v.shape[-1]
    if v.device.type == "cpu":  # its fused kernel, which keeps no matrix of N × S, wants values as wide as keys
        v = F.pad(v, (0, k.shape[-1] - width))
    return F.scaled_dot_product_attention(q, k, v, allowed[:, None])[..., :width]


class CrossAttention(nn.Module, ABC):
    """From queries (B, N, D) to a memory (B, S, D) with positions (S, D).

    A query has two positions, both (B, N, D): the learned one and the guide, which is made from its centre (eq. 4).
    Table 3 is about which of them attention sees, and how.

    Attributes:
        heads: how many.
        output: what the merged heads go through.
    """

    heads: int
    output: nn.Linear

    @abstractmethod
    def project(
        self, queries: Tensor, learned: Tensor, guide: Tensor, memory: Tensor, memory_position: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Heads q (B, heads, N, d), k (B, heads, S, d) and v (B, heads, S, D / heads)."""

    def forward(
        self,
        queries: Tensor,
        learned: Tensor,
        guide: Tensor,
        memory: Tensor,
        memory_position: Tensor,
        allowed: Tensor,
    ) -> Tensor:
        """Attend where `allowed` (B, N, S), which is somewhere for every query; returns (B, N, D)."""
        q, k, v = self.project(queries, learned, guide, memory, memory_position)
        return self.output(_merge_heads(_attend(q, k, v, allowed)))

    def weights(
        self,
        queries: Tensor,
        learned: Tensor,
        guide: Tensor,
        memory: Tensor,
        memory_position: Tensor,
        allowed: Tensor,
    ) -> Tensor:
        """The weights (B, heads, N, S) that `forward` gives to the values; each row sums to 1.

        Computed anew, as the fused kernel of `forward` keeps none.
        """
        q, k, _ = self.project(queries, learned, guide, memory, memory_position)
        logits = q.float() @ k.float().mT / math.sqrt(q.shape[-1])
        return logits.masked_fill(~allowed[:, None], -torch.inf).softmax(-1)


class StandardCrossAttention(CrossAttention):
    """Type 1: learned positions are added to queries and keys before the projection, as in Mask2Former."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query, self.key = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.value, self.output = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def project(
        self, queries: Tensor, learned: Tensor, guide: Tensor, memory: Tensor, memory_position: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        q = _split_heads(self.query(queries + learned), self.heads)
        k = _split_heads(self.key(memory + memory_position), self.heads)
        v = _split_heads(self.value(memory), self.heads)
        return q, k, v


class PositionGuidedCrossAttention(CrossAttention):
    """Types 2 and 3: content and position are projected apart and concatenated in each head.

    The logit is then the sum of a content and a position similarity (section 3.2.1; Meng et al.,
    Conditional DETR, 2021). In the first layer, where all queries have content that knows nothing of the image, the
    learned position joins the content of the queries and the pixels' position that of the keys, as there.
    """

    def __init__(self, dim: int, heads: int, *, first: bool = False):
        super().__init__()
        self.heads = heads
        self.query_learned = nn.Linear(dim, dim) if first else None
        self.query_content, self.query_position = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.key_content, self.key_position = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.value, self.output = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def project(
        self, queries: Tensor, learned: Tensor, guide: Tensor, memory: Tensor, memory_position: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        content, where = self.query_content(queries), self.key_position(memory_position)
        what = self.key_content(memory)
        if self.query_learned is not None:
            content, what = content + self.query_learned(learned), what + where
        q = self._concatenate(content, self.query_position(guide))
        k = self._concatenate(what, where.expand_as(what))
        v = _split_heads(self.value(memory), self.heads)
        return q, k, v

    def _concatenate(self, content: Tensor, position: Tensor) -> Tensor:
        """Two of (B, L, D) -> (B, heads, L, 2 D / heads)."""
        return cat((_split_heads(content, self.heads), _split_heads(position, self.heads)), dim=-1)


class SelfAttention(nn.Module):
    """Standard self-attention among queries, residual and norm."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm = nn.LayerNorm(dim)

    def forward(self, queries: Tensor, position: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        positioned = queries + position
        return self.norm(queries + self.attention(positioned, positioned, queries, need_weights=False)[0])
