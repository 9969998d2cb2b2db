"""EoMT: a plain ViT that takes queries into its last layers (Kerssies et al., CVPR 2025), with one class."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.eomt.config import EoMTConfig
from baselines.eomt.network import build_network, with_architecture
from baselines.mask2former.criterion import Prediction
from baselines.mask2former.segmenter import QuerySegmenter


class EoMT(QuerySegmenter[EoMTConfig]):
    """Layers of `transformers`, with a forward pass for images of any size; masks are at 1/4 of a patch.

    A layer masks what all queries see, or nothing: a checkpoint says in which layers it has unlearned to need the masks
    (`attn_mask_probs` of 0, where the paper's annealing ends), and random weights start with all of them.
    """

    def __init__(self, config: EoMTConfig):
        network: Any = build_network(config)
        backbone = nn.ModuleDict({"embeddings": network.embeddings, "layers": network.layers})
        config = with_architecture(config, network)
        super().__init__(config, network, backbone, divisor=config.patch_size)

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


def _attention_mask(prediction: Prediction, length: int, grid: tuple[int, int]) -> Tensor:
    """Let each query see only the patches inside its mask: (B, 1, length, length), True where attention may go."""
    logits = F.interpolate(prediction["masks_queries_logits"].detach(), grid, mode="bilinear", align_corners=False)
    inside = logits.flatten(2) > 0
    allowed = inside.new_ones(len(inside), 1, length, length)
    allowed[:, 0, : inside.shape[1], length - inside.shape[2] :] = inside
    return allowed
