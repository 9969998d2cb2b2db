"""The query decoder (section 3.2, eq. 2 and 4), layer by layer, with the weights of the decoder that it checks."""

from __future__ import annotations

import math

import torch
from literal_layers import encoding, heads_of, layer_norm, linear, mlp, relu, self_attention, softmax
from literal_maps import bilinear
from literal_mask_head import literal_masks
from torch import Tensor

from pctrans import PCTransConfig
from pctrans.decoder import DecoderLayer, Prediction, QueryDecoder
from pctrans.pixel_decoder import PixelFeatures


def literal_decoder(decoder: QueryDecoder, features: PixelFeatures, config: PCTransConfig) -> list[Prediction]:
    """The predictions before the first layer and after each."""
    batch = len(features.pixel_embedding)
    learned = torch.stack([decoder.position] * batch)
    f = torch.stack([decoder.content] * batch)
    c = 1 / (1 + torch.exp(-mlp(decoder.reference_point, learned)))

    def predict(f: Tensor, c: Tensor) -> Prediction:
        normed = layer_norm(decoder.norm, f)
        return Prediction(normed, c, literal_masks(decoder.mask_head, normed, c, features.mask_map, config))

    predictions = [predict(f, c)]
    for i, layer in enumerate(decoder.layers):
        level = i % 3  # coarse to fine: 1/32, 1/16, 1/8, and again
        s = torch.log(c.detach() / (1 - c.detach()))  # the reference point, from which no gradient returns
        guide = encoding(1 / (1 + torch.exp(-s)), config.hidden_dim, config.query_position_temperature)
        if config.attention_type == 3 and i > 0:
            guide = mlp(decoder.transform, f) * guide  # eq. 4; T = 1 before the first layer
        allowed = may_attend(predictions[-1].mask_logits, features.shapes[level])
        memory, where = features.levels[level], features.positions[level]
        f = literal_layer(layer, f, learned, guide, memory, where, allowed, config, first=i == 0)
        c = 1 / (1 + torch.exp(-(mlp(decoder.centre_offset, f) + s)))  # eq. 2
        predictions.append(predict(f, c))
    return predictions


def may_attend(mask_logits: Tensor, shape: tuple[int, int]) -> Tensor:
    """Where the soft mask, resized to a level of `shape`, is above 0.5; everywhere if that is nowhere: (B, N, h·w)."""
    soft = 1 / (1 + torch.exp(-bilinear(mask_logits.detach(), shape).flatten(2)))
    allowed = soft > 0.5
    for b, n in (~allowed.any(-1)).nonzero().tolist():
        allowed[b, n] = True
    return allowed


def literal_layer(
    layer: DecoderLayer,
    f: Tensor,
    learned: Tensor,
    guide: Tensor,
    memory: Tensor,
    where: Tensor,
    allowed: Tensor,
    config: PCTransConfig,
    *,
    first: bool,
) -> Tensor:
    """Cross-attention, self-attention with the learned position, feed-forward; residual and norm after each."""
    attend = _standard if config.attention_type == 1 else _position_guided
    attended = attend(layer, f, learned, guide, memory, where, allowed, config, first)
    f = layer_norm(layer.norm, f + attended)
    f = layer_norm(layer.self_attention.norm, f + self_attention(layer.self_attention.attention, f, learned))
    into, out = layer.feedforward.mlp.layers
    return layer_norm(layer.feedforward.norm, f + linear(out, relu(linear(into, f))))


def _standard(layer, f, learned, guide, memory, where, allowed, config, first) -> Tensor:
    """Type 1: Mask2Former's, with the learned position added to the queries and the pixels' to the keys."""
    a = layer.cross_attention
    q, k = linear(a.query, f + learned), linear(a.key, memory + where)
    v = linear(a.value, memory)
    merged = []
    for query, key, value in zip(*(heads_of(x, config.num_heads) for x in (q, k, v)), strict=True):
        logits = query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])
        merged.append(softmax(logits, allowed) @ value)
    return linear(a.output, torch.cat(merged, dim=-1))


def _position_guided(layer, f, learned, guide, memory, where, allowed, config, first) -> Tensor:
    """Types 2 and 3: conditional DETR's. The logit of a head is a content plus a position similarity."""
    a = layer.cross_attention
    content_q, content_k = linear(a.query_content, f), linear(a.key_content, memory)
    position_q, position_k = linear(a.query_position, guide), linear(a.key_position, where)[None]
    if first:
        content_q, content_k = content_q + linear(a.query_learned, learned), content_k + position_k
    v = linear(a.value, memory)
    merged = []
    for cq, ck, pq, pk, value in zip(
        *(heads_of(x, config.num_heads) for x in (content_q, content_k, position_q, position_k, v)), strict=True
    ):
        similarity = cq @ ck.transpose(1, 2) + pq @ pk.transpose(1, 2)
        merged.append(softmax(similarity / math.sqrt(2 * cq.shape[-1]), allowed) @ value)
    return linear(a.output, torch.cat(merged, dim=-1))
