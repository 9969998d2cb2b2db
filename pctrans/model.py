"""PCTrans: position-guided transformer with query contrast (Chen et al., ICCV workshops 2023)."""

# No postponed annotations here: the hub mixin reads the type of `config` from the signature.
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn
from torch.profiler import record_function

from pctrans.backbone import Backbone
from pctrans.config import InferenceConfig, PCTransConfig
from pctrans.criterion import EMBEDDING_STRIDE, comparison_map, weighted_losses
from pctrans.decoder import Prediction, QueryDecoder
from pctrans.foreground import drop_unsupported
from pctrans.hub import config_coder
from pctrans.images import Normalise, pad_to_multiple
from pctrans.inference import cluster_with_confidence
from pctrans.inspection import DECODER_STRIDES, MASK_STRIDE, Inspection, cut, last_call
from pctrans.layers import conv_norm
from pctrans.pixel_decoder import PixelDecoder
from pctrans.pretrained import built_in_model
from pctrans.targets import build_targets
from pctrans.weights import refuse_other_weights


@dataclass(frozen=True)
class PCTransOutput:
    """Everything the losses and the figures need.

    Attributes:
        predictions: one before the first decoder layer and one after each, the last one last.
        pixel_embedding: (B, D, H / 8, W / 8).
        semantic_logits: (B, H / 8, W / 8), or None where the semantic loss is off.
    """

    predictions: list[Prediction]
    pixel_embedding: Tensor
    semantic_logits: Tensor | None


class PCTrans(
    nn.Module,
    PyTorchModelHubMixin,
    coders=config_coder(PCTransConfig),
    library_name="pctrans-bench",
    tags=["image-segmentation", "instance-segmentation", "microscopy"],
):
    """Figure 2 of the paper: backbone, L self-attention layers, query decoder, mask head.

    `save_pretrained(folder)` and `PCTrans.from_pretrained(folder or hub id)` store and load weights
    (safetensors) and configuration (JSON). A file that lacks weights, or has others, is refused.
    """

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **options: Any) -> "PCTrans":
        """Load a model from a folder or the hub, or one that comes with the package by its name.

        Args:
            options: those of `huggingface_hub.PyTorchModelHubMixin.from_pretrained`.

        Raises:
            ValueError: weights are lacking, or are of another model.
        """
        place = pretrained_model_name_or_path  # a Path is a folder: it forgets that it began with ./
        if isinstance(place, str):
            place = built_in_model(place) or place
        return super().from_pretrained(place, **options)

    @classmethod
    def _load_as_safetensor(cls, model: Any, model_file: str, map_location: str, strict: bool) -> Any:
        """Load as the mixin does, which leaves what a file lacks as it was drawn, and refuse such a file."""
        loaded = super()._load_as_safetensor(model, model_file, map_location, strict)
        refuse_other_weights(loaded, Path(model_file).parent)
        return loaded

    def __init__(self, config: PCTransConfig):
        super().__init__()
        self.config = config
        dim = config.hidden_dim
        self.normalise = Normalise()
        self.backbone = Backbone(config.backbone)
        self.pixel_decoder = PixelDecoder(self.backbone.channels, config)
        self.query_decoder = QueryDecoder(config)
        self.semantic_head = _semantic_head(dim) if config.loss_weights.semantic else None

    @property
    def max_instances(self) -> int:
        """One query finds at most one instance."""
        return self.config.num_queries

    def forward(self, images: Tensor) -> PCTransOutput:
        """Images (B, 3, H, W) float in [0, 1], H and W multiples of 32."""
        features = self.pixel_decoder(self.backbone(self.normalise(images)))
        embedding = features.pixel_embedding
        semantic = self.semantic_head(embedding)[:, 0] if self.semantic_head is not None else None
        return PCTransOutput(self.query_decoder(features), embedding, semantic)

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The weighted terms of eq. 8 by name; train on their sum.

        Args:
            images: (B, 3, H, W) float in [0, 1].
            labels: (B, H, W) integers, 0 background, an id for each instance.
        """
        with record_function("targets"):  # first, as counting instances waits for all that an accelerator has to do
            targets = build_targets(pad_to_multiple(labels))
        with record_function("forward"):
            output = self(pad_to_multiple(images))
        # Sums of thousands of terms and similarities that decide groups: float32, whatever the network ran in.
        with torch.autocast(images.device.type, enabled=False):
            return weighted_losses(
                output.predictions, output.pixel_embedding, output.semantic_logits, targets, self.config
            )

    @torch.no_grad()
    def segment(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) float in [0, 1] -> instance maps (B, H, W) int64: 0 background, ids 1..K."""
        return self.decide(self.evidence(images), (images.shape[-2], images.shape[-1]), self.config.inference)

    @torch.no_grad()
    def evidence(self, images: Tensor) -> tuple[Tensor, ...]:
        """What decides about images (B, 3, H, W) in [0, 1]; float32, sizes rounded up.

        Returns:
            The last mask logits (B, N, H / 4, W / 4); where there is a semantic branch, its logits (B, H / 8, W / 8).
        """
        size = (images.shape[-2], images.shape[-1])
        output = self(pad_to_multiple(images))
        masks = cut(comparison_map(output.predictions[-1].mask_logits, self.config), size, MASK_STRIDE)
        if output.semantic_logits is None:
            return (masks,)
        return masks, cut(output.semantic_logits.float(), size, EMBEDDING_STRIDE)

    @torch.no_grad()
    def decide(self, evidence: tuple[Tensor, ...], size: tuple[int, int], inference: InferenceConfig) -> Tensor:
        """Instance maps (B, H, W) int64 from the `evidence` of images of `size` (H, W): 0 background, ids 1..K."""
        return self._decide(evidence, size, inference)[0]

    @torch.no_grad()
    def segment_with_confidence(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The maps of `segment`, and the mean soft value of each pixel's group, (B, H, W) float32 in [0, 1]."""
        size = (images.shape[-2], images.shape[-1])
        return self._decide(self.evidence(images), size, self.config.inference)

    def _decide(
        self, evidence: tuple[Tensor, ...], size: tuple[int, int], inference: InferenceConfig
    ) -> tuple[Tensor, Tensor]:
        masks, *semantic = evidence
        covered = (masks.shape[-2] * MASK_STRIDE, masks.shape[-1] * MASK_STRIDE)
        with torch.autocast(masks.device.type, enabled=False):
            found = [cluster_with_confidence(m, covered, inference) for m in masks]
            maps, confidence = map(torch.stack, zip(*found, strict=True))
            if inference.semantic_threshold is not None:
                (logits,) = semantic
                supported = zip(maps, logits, strict=True)
                maps = torch.stack([drop_unsupported(*one, inference.semantic_threshold) for one in supported])
        return maps[:, : size[0], : size[1]], confidence[:, : size[0], : size[1]]

    @torch.no_grad()
    def inspect(self, images: Tensor) -> Inspection:
        """What the queries see in images (B, 3, H, W) float in [0, 1], beside what `segment` makes of it."""
        size = (images.shape[-2], images.shape[-1])
        padded = pad_to_multiple(images)
        attention, layers = self.query_decoder.last_cross_attention, len(self.query_decoder.layers)
        with last_call(attention) as call:
            output = self(padded)
        stride = DECODER_STRIDES[(layers - 1) % len(DECODER_STRIDES)]
        weights = attention.weights(*call.inputs).mean(1)
        last = output.predictions[-1]
        return Inspection(
            mask_logits=cut(comparison_map(last.mask_logits, self.config), size, MASK_STRIDE),
            queries=last.queries.float(),
            pixel_embedding=cut(output.pixel_embedding.float(), size, EMBEDDING_STRIDE),
            embedding_stride=EMBEDDING_STRIDE,
            attention=cut(weights.unflatten(-1, (-1, padded.shape[-1] // stride)), size, stride),
            attention_stride=stride,
        )


def _semantic_head(dim: int) -> nn.Sequential:
    """Foreground logits; the bias starts at a prior of 0.01 (Lin et al. 2017)."""
    last = nn.Conv2d(dim, 1, 1)
    assert last.bias is not None
    nn.init.constant_(last.bias, -math.log((1 - 0.01) / 0.01))
    return nn.Sequential(conv_norm(dim, dim, 3, relu=True), conv_norm(dim, dim, 3, relu=True), last)
