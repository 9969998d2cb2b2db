"""Mask2Former: masked-attention mask transformer (Cheng et al., CVPR 2022), with one class."""

# No postponed annotations here: the hub mixin reads the type of `config` from the signature.
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from baselines.mask2former.config import Mask2FormerConfig, Mask2FormerInference
from baselines.mask2former.criterion import Prediction, query_losses
from baselines.mask2former.inference import paint_instances, paint_with_confidence
from baselines.mask2former.network import build_network, with_architecture
from pctrans.hub import Coders, config_coder
from pctrans.images import Normalise, pad_to_multiple
from pctrans.inspection import DECODER_STRIDES, MASK_STRIDE, Inspection, cut, last_call


def _coders() -> Coders:
    """Drop the checkpoint when a model is loaded: saved weights replace it, and it need not be at hand."""
    encode, decode = config_coder(Mask2FormerConfig)[Mask2FormerConfig]
    return {Mask2FormerConfig: (encode, lambda data: decode(data | {"checkpoint": None}))}


class Mask2Former(
    nn.Module,
    PyTorchModelHubMixin,
    coders=_coders(),
    library_name="pctrans-bench",
    tags=["image-segmentation", "instance-segmentation", "microscopy"],
):
    """Network, matching and loss of `transformers`, with post-processing of our own.

    Attributes:
        config: the configuration as given, with the architecture filled in where a checkpoint brought it.
        backbone: the network's own backbone, under the name by which the harness finds it.
    """

    def __init__(self, config: Mask2FormerConfig):
        super().__init__()
        network = build_network(config)
        self.config = with_architecture(config, network) if config.checkpoint else config
        self.normalise = Normalise()
        # A shared parameter goes by the name that is registered first.
        self.backbone = network.model.pixel_level_module.encoder
        self.network = network
        self.train()

    @property
    def max_instances(self) -> int:
        return self.config.num_queries

    def forward(self, images: Tensor) -> list[Prediction]:
        """Predict from images (B, 3, H, W) float in [0, 1], H and W multiples of 32.

        Returns:
            A prediction before the first decoder layer and one after each layer, the last one last.
        """
        output = self.network(self.normalise(images), output_auxiliary_logits=True)
        last = {
            "class_queries_logits": output.class_queries_logits,
            "masks_queries_logits": output.masks_queries_logits,
        }
        return [*output.auxiliary_logits, last]

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute the weighted classification, mask and Dice losses, each summed over the predictions.

        Args:
            images: (B, 3, H, W) float in [0, 1].
            labels: (B, H, W) integers, 0 background, an id for each instance.
        """
        return query_losses(self.network, self(pad_to_multiple(images)), pad_to_multiple(labels))

    @torch.no_grad()
    def segment(self, images: Tensor) -> Tensor:
        """Segment images (B, 3, H, W) float in [0, 1] into instance maps (B, H, W) int64: 0 background, ids 1..K."""
        return self.decide(self.evidence(images), (images.shape[-2], images.shape[-1]), self.config.inference)

    @torch.no_grad()
    def evidence(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Compute what `decide` needs from images (B, 3, H, W) in [0, 1].

        Returns:
            The last logits: classes (B, N, 2), and masks (B, N, h, w) of the padded image at 1/4.
        """
        last = self(pad_to_multiple(images))[-1]
        return last["class_queries_logits"].float(), last["masks_queries_logits"].float()

    @torch.no_grad()
    def decide(self, evidence: tuple[Tensor, ...], size: tuple[int, int], inference: Mask2FormerInference) -> Tensor:
        """Turn the `evidence` of images of `size` (H, W) into instance maps (B, H, W) int64: 0 background, ids 1..K."""
        classes, masks = evidence
        padded = (masks.shape[-2] * MASK_STRIDE, masks.shape[-1] * MASK_STRIDE)
        with torch.autocast(masks.device.type, enabled=False):
            maps = [paint_instances(c, m, padded, size, inference) for c, m in zip(classes, masks, strict=True)]
        return torch.stack(maps)

    @torch.no_grad()
    def segment_with_confidence(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the maps of `segment`, and for each pixel the score of its query (B, H, W) in [0, 1].

        The score is the class probability times the mean mask probability inside the query's mask.
        """
        classes, masks = self.evidence(images)
        padded, size = (
            (masks.shape[-2] * MASK_STRIDE, masks.shape[-1] * MASK_STRIDE),
            (images.shape[-2], images.shape[-1]),
        )
        settings = self.config.inference
        with torch.autocast(masks.device.type, enabled=False):
            found = [paint_with_confidence(c, m, padded, size, settings) for c, m in zip(classes, masks, strict=True)]
        maps, confidence = map(torch.stack, zip(*found, strict=True))
        return maps, confidence

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

    def save_pretrained(self, save_directory: str | Path, **options: Any) -> str | None:
        """Save weights and configuration, the latter with the architecture that came with a checkpoint."""
        options["config"] = options.get("config") or self.config.model_dump(mode="json")
        return super().save_pretrained(save_directory, **options)
