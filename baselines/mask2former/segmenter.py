"""Networks of `transformers` that predict a class and a mask for each query: Mask2Former and EoMT."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from baselines.mask2former.config import Mask2FormerInference
from baselines.mask2former.criterion import query_losses
from baselines.mask2former.inference import paint_instances
from baselines.segmenter import C, TrainedSegmenter
from pctrans.images import pad_to_multiple


class QuerySegmenter(TrainedSegmenter[C]):
    """Network, matching and loss of `transformers`, with post-processing of our own.

    `self(images, auxiliary=...)` gives the predictions of padded images, the last one last; without auxiliary ones, it
    may leave out those before it.

    Attributes:
        config: the configuration as given, with the architecture filled in where a checkpoint brought it.
        backbone: what `training.backbone_rate` is for, under the name by which the harness finds it.
    """

    def __init__(self, config: C, network: Any, backbone: nn.Module, divisor: int):
        """Take a network.

        Args:
            divisor: sides of images are padded to multiples of it.
        """
        super().__init__(config)
        # A shared parameter goes by the name that is registered first.
        self.backbone = backbone
        self.network = network
        self._divisor = divisor
        self.train()

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute the weighted classification, mask and Dice losses, each summed over the predictions.

        Args:
            images: (B, 3, H, W) float in [0, 1].
            labels: (B, H, W) integers, 0 background, an id for each instance.
        """
        predictions = self(pad_to_multiple(images, self._divisor), auxiliary=True)
        return query_losses(self.network, predictions, pad_to_multiple(labels, self._divisor))

    @torch.no_grad()
    def evidence(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Compute what `decide` needs from images (B, 3, H, W) in [0, 1].

        Returns:
            The last logits: classes (B, N, 2), and masks (B, N, h, w) of the padded image.
        """
        last = self(pad_to_multiple(images, self._divisor), auxiliary=False)[-1]
        return last["class_queries_logits"].float(), last["masks_queries_logits"].float()

    def objects(
        self, evidence: tuple[Tensor, ...], size: tuple[int, int], inference: Mask2FormerInference
    ) -> tuple[Tensor, Tensor]:
        """Paint the queries of one image from (N, 2) and (N, h, w): ids and scores (H, W).

        The score of a pixel is that of its query: the class probability times the mean mask probability inside the
        query's mask.
        """
        classes, masks = evidence
        padded = (size[0] + -size[0] % self._divisor, size[1] + -size[1] % self._divisor)
        return paint_instances(classes, masks, padded, size, inference)
