"""Mask2Former: masked-attention mask transformer (Cheng et al., CVPR 2022), with one class."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from baselines.mask2former.config import Mask2FormerConfig
from baselines.mask2former.criterion import Prediction
from baselines.mask2former.network import build_network, with_architecture
from baselines.mask2former.segmenter import QuerySegmenter
from pctrans.images import SIZE_DIVISOR, pad_to_multiple
from pctrans.inspection import DECODER_STRIDES, MASK_STRIDE, Inspection, cut, last_call


class Mask2Former(QuerySegmenter[Mask2FormerConfig]):
    """The network of `transformers` with any backbone of strides 4 to 32, and masks at 1/4."""

    def __init__(self, config: Mask2FormerConfig):
        network = build_network(config)
        backbone = network.model.pixel_level_module.encoder
        super().__init__(with_architecture(config, network), network, backbone, divisor=SIZE_DIVISOR)

    @property
    def max_instances(self) -> int:
        return self.config.num_queries

    def forward(self, images: Tensor, *, auxiliary: bool = True) -> list[Prediction]:
        """Predict from images (B, 3, H, W) float in [0, 1], H and W multiples of 32.

        Args:
            auxiliary: whether to return more than the last prediction.

        Returns:
            A prediction before the first decoder layer and one after each layer, the last one last.
        """
        output = self.network(self.normalise(images), output_auxiliary_logits=auxiliary)
        last = {
            "class_queries_logits": output.class_queries_logits,
            "masks_queries_logits": output.masks_queries_logits,
        }
        return [*(output.auxiliary_logits or ()), last]

    @torch.no_grad()
    def inspect(self, images: Tensor) -> Inspection:
        """Inspect what the queries see in images (B, 3, H, W) float in [0, 1], whatever their class."""
        size = (images.shape[-2], images.shape[-1])
        padded = pad_to_multiple(images)
        layers: Any = self.network.model.transformer_module.decoder.layers
        with last_call(layers[-1].cross_attn) as call:
            output = self.network(self.normalise(padded))
        stride = DECODER_STRIDES[(len(layers) - 1) % len(DECODER_STRIDES)]
        weights = call.output[1].float().unflatten(-1, (-1, padded.shape[-1] // stride))
        return Inspection(
            mask_logits=cut(output.masks_queries_logits.float(), size, MASK_STRIDE),
            queries=None,
            pixel_embedding=cut(output.pixel_decoder_last_hidden_state.float(), size, MASK_STRIDE),
            embedding_stride=MASK_STRIDE,
            attention=cut(weights, size, stride),
            attention_stride=stride,
        )
