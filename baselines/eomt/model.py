"""EoMT: a plain ViT that takes queries into its last layers (Kerssies et al., CVPR 2025), with one class."""

# No postponed annotations here: the hub mixin reads the type of `config` from the signature.
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.eomt.config import EoMTConfig
from baselines.eomt.network import build_network, with_architecture
from baselines.mask2former.config import Mask2FormerInference
from baselines.mask2former.criterion import Prediction, query_losses
from baselines.mask2former.inference import paint_with_confidence
from pctrans.hub import Coders, config_coder
from pctrans.images import Normalise, pad_to_multiple


def _coders() -> Coders:
    """Drop the checkpoint when a model is loaded: saved weights replace it, and it need not be at hand."""
    encode, decode = config_coder(EoMTConfig)[EoMTConfig]
    return {EoMTConfig: (encode, lambda data: decode(data | {"checkpoint": None}))}


class EoMT(
    nn.Module,
    PyTorchModelHubMixin,
    coders=_coders(),
    library_name="pctrans-bench",
    tags=["image-segmentation", "instance-segmentation", "microscopy"],
):
    """Layers and loss of `transformers`, with a forward pass for images of any size and Mask2Former's post-processing.

    A layer masks what all queries see, or nothing: a checkpoint says in which layers it has unlearned to need the masks
    (`attn_mask_probs` of 0, where the paper's annealing ends), and random weights start with all of them.

    Attributes:
        config: the configuration as given, with the architecture filled in where a checkpoint brought it.
        backbone: the ViT, under the name by which the harness finds what `training.backbone_rate` is for.
    """

    def __init__(self, config: EoMTConfig):
        super().__init__()
        network: Any = build_network(config)
        self.config = with_architecture(config, network) if config.checkpoint else config
        self.normalise = Normalise()
        # A shared parameter goes by the name that is registered first.
        self.backbone = nn.ModuleDict({"embeddings": network.embeddings, "layers": network.layers})
        self.network = network
        self.train()

    @property
    def _masked(self) -> list[bool]:
        """Whether each of the last layers masks what the queries see."""
        probabilities: list[float] = self.network.attn_mask_probs.tolist()
        return [probability > 0 for probability in probabilities]

    @property
    def max_instances(self) -> int:
        return self.config.num_queries

    def forward(self, images: Tensor, *, auxiliary: bool = True) -> list[Prediction]:
        """Predict from images (B, 3, H, W) float in [0, 1], H and W multiples of the patch.

        Args:
            auxiliary: whether to predict in front of layers that do not need it for their mask.

        Returns:
            A prediction in front of each of the last layers, and that after the last one last; masks at 1/4 of a patch.
        """
        network, patch, masked_layers = self.network, self.config.patch_size, self._masked
        grid, first = (images.shape[-2] // patch, images.shape[-1] // patch), len(network.layers) - len(masked_layers)
        tokens = self._embedded(self.normalise(images), grid)
        predictions: list[Prediction] = []
        for index, layer in enumerate(network.layers):
            mask = None
            if index == first:
                tokens = torch.cat((network.query.weight.expand(len(tokens), -1, -1), tokens), dim=1)
            if index >= first:
                masked = masked_layers[index - first]
                if auxiliary or masked:
                    predictions.append(self._predicted(network.layernorm(tokens), grid))
                mask = _attention_mask(predictions[-1], tokens.shape[1], grid) if masked else None
            tokens = layer(tokens, mask)
        return [*predictions, self._predicted(network.layernorm(tokens), grid)]

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute the weighted classification, mask and Dice losses, each summed over the predictions.

        Args:
            images: (B, 3, H, W) float in [0, 1].
            labels: (B, H, W) integers, 0 background, an id for each instance.
        """
        patch = self.config.patch_size
        return query_losses(self.network, self(pad_to_multiple(images, patch)), pad_to_multiple(labels, patch))

    @torch.no_grad()
    def segment(self, images: Tensor) -> Tensor:
        """Segment images (B, 3, H, W) float in [0, 1] into instance maps (B, H, W) int64: 0 background, ids 1..K."""
        return self.decide(self.evidence(images), (images.shape[-2], images.shape[-1]), self.config.inference)

    @torch.no_grad()
    def evidence(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Compute what `decide` needs from images (B, 3, H, W) in [0, 1].

        Returns:
            The last logits: classes (B, N, 2), and masks (B, N, h, w) of the padded image at 1/4 of a patch.
        """
        last = self(pad_to_multiple(images, self.config.patch_size), auxiliary=False)[-1]
        return last["class_queries_logits"].float(), last["masks_queries_logits"].float()

    @torch.no_grad()
    def decide(self, evidence: tuple[Tensor, ...], size: tuple[int, int], inference: Mask2FormerInference) -> Tensor:
        """Turn the `evidence` of images of `size` (H, W) into instance maps (B, H, W) int64: 0 background, ids 1..K."""
        return self._painted(evidence, size, inference)[0]

    @torch.no_grad()
    def segment_with_confidence(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the maps of `segment`, and for each pixel the score of its query (B, H, W) in [0, 1].

        The score is the class probability times the mean mask probability inside the query's mask.
        """
        return self._painted(self.evidence(images), (images.shape[-2], images.shape[-1]), self.config.inference)

    def _painted(
        self, evidence: tuple[Tensor, ...], size: tuple[int, int], inference: Mask2FormerInference
    ) -> tuple[Tensor, Tensor]:
        classes, masks = evidence
        patch = self.config.patch_size
        padded = (-(-size[0] // patch) * patch, -(-size[1] // patch) * patch)
        with torch.autocast(masks.device.type, enabled=False):
            painted = [
                paint_with_confidence(c, m, padded, size, inference) for c, m in zip(classes, masks, strict=True)
            ]
        maps, confidence = map(torch.stack, zip(*painted, strict=True))
        return maps, confidence

    def _embedded(self, images: Tensor, grid: tuple[int, int]) -> Tensor:
        """Embed normalised images: the class token, the registers and a token (B, 1 + R + P, D) for each patch."""
        embeddings = self.network.embeddings
        patches = embeddings.patch_embeddings(images)
        positions = embeddings.position_embeddings.weight
        side = self.config.image_size // self.config.patch_size
        if grid != (side, side):
            known = positions.T.unflatten(1, (side, side))[None].float()
            resized = F.interpolate(known, grid, mode="bicubic", align_corners=False, antialias=True)
            positions = resized[0].flatten(1).T
        prefix = torch.cat((embeddings.cls_token, embeddings.register_tokens), dim=1).expand(len(images), -1, -1)
        return torch.cat((prefix.to(patches.dtype), patches + positions.to(patches.dtype)), dim=1)

    def _predicted(self, tokens: Tensor, grid: tuple[int, int]) -> Prediction:
        """Predict classes and masks from tokens (B, N + 1 + R + P, D): queries, class token, registers, patches."""
        network, count = self.network, self.config.num_queries
        queries = tokens[:, :count]
        pixels = tokens[:, -grid[0] * grid[1] :].transpose(1, 2).unflatten(2, grid)
        masks = torch.einsum("bqc,bchw->bqhw", network.mask_head(queries), network.upscale_block(pixels))
        return {"class_queries_logits": network.class_predictor(queries), "masks_queries_logits": masks}

    def save_pretrained(self, save_directory: str | Path, **options: Any) -> str | None:
        """Save weights and configuration, the latter with the architecture that came with a checkpoint."""
        options["config"] = options.get("config") or self.config.model_dump(mode="json")
        return super().save_pretrained(save_directory, **options)


def _attention_mask(prediction: Prediction, length: int, grid: tuple[int, int]) -> Tensor:
    """Let each query see only the patches inside its mask: (B, 1, length, length), True where attention may go."""
    logits = F.interpolate(prediction["masks_queries_logits"].detach(), grid, mode="bilinear", align_corners=False)
    inside = logits.flatten(2) > 0
    allowed = inside.new_ones(len(inside), 1, length, length)
    allowed[:, 0, : inside.shape[1], length - inside.shape[2] :] = inside
    return allowed
