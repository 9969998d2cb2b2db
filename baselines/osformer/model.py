"""OSFormer: location-sensing transformer, coarse-to-fine fusion, dynamic instance normalisation."""

# No postponed annotations here: the hub mixin reads the type of `config` from the signature.
from dataclasses import dataclass

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from baselines.osformer.config import OSFormerConfig, OSFormerInference
from baselines.osformer.encoder import Encoder
from baselines.osformer.fusion import CoarseToFineFusion
from baselines.osformer.head import DynamicInstanceNormalisation
from baselines.osformer.inference import instance_map, map_with_confidence
from baselines.osformer.losses import MASK_STRIDE, build_osformer_targets, edge_loss, location_loss, mask_loss
from baselines.osformer.queries import LocationDecoder
from pctrans.backbone import Backbone
from pctrans.hub import config_coder
from pctrans.images import Normalise, pad_to_multiple
from pctrans.inspection import Inspection, cut


@dataclass(frozen=True)
class OSFormerOutput:
    """The network's output for the losses and the inference.

    Attributes:
        objectness: logits of the cells (B, Q), grid by grid, row by row.
        kernels: (B, Q, mask channels).
        mask_features: (B, mask channels, H / 4, W / 4).
        edge_logits: (B, H / s, W / s) for s = 16, 8, 4.
    """

    objectness: Tensor
    kernels: Tensor
    mask_features: Tensor
    edge_logits: list[Tensor]


class OSFormer(
    nn.Module,
    PyTorchModelHubMixin,
    coders=config_coder(OSFormerConfig),
    library_name="pctrans-bench",
    tags=["image-segmentation", "instance-segmentation", "microscopy"],
):
    """Backbone, location-sensing encoder and decoder, coarse-to-fine fusion, and a mask for each promising cell.

    The grids of queries divide an image of any size: objects keep the size in cells that they had in training only if
    images are segmented in tiles as large as the training crops.
    """

    def __init__(self, config: OSFormerConfig):
        super().__init__()
        self.config = config
        self.normalise = Normalise()
        self.backbone = Backbone(config.backbone)
        self.encoder = Encoder(self.backbone.channels, config)
        self.decoder = LocationDecoder(config)
        self.fusion = CoarseToFineFusion(config)
        self.head = DynamicInstanceNormalisation(config.mask_channels)

    @property
    def max_instances(self) -> int:
        """The most instances that `segment` finds in one image."""
        return self.config.inference.max_instances

    def forward(self, images: Tensor) -> OSFormerOutput:
        """Predict from images (B, 3, H, W) float in [0, 1], H and W multiples of 32."""
        detail, memory = self.encoder(self.backbone(self.normalise(images)))
        objectness, kernels = self.decoder(memory)
        mask_features, edge_logits = self.fusion([*reversed(memory.maps), detail])
        return OSFormerOutput(objectness, kernels, mask_features, edge_logits)

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute the weighted terms by name; training minimises their sum.

        Args:
            images: (B, 3, H, W) float in [0, 1].
            labels: (B, H, W) integers, 0 background, an id for each instance.
        """
        output = self(pad_to_multiple(images))
        edge_logits = [edges.float() for edges in output.edge_logits]
        targets = build_osformer_targets(labels, [(e.shape[-2], e.shape[-1]) for e in edge_logits], self.config)
        weights = self.config.loss_weights
        # Sums of thousands of terms need float32, whatever the network ran in.
        with torch.autocast(images.device.type, enabled=False):
            masks = mask_loss(output.kernels.float(), output.mask_features.float(), targets, self.head)
            return {
                "location": weights.location * location_loss(output.objectness.float(), targets.cells),
                "mask_dice": weights.mask_dice * masks,
                "edge": weights.edge * edge_loss(edge_logits, targets),
            }

    @torch.no_grad()
    def segment(self, images: Tensor) -> Tensor:
        """Segment images (B, 3, H, W) float in [0, 1] into instance maps (B, H, W) int64: 0 background, ids 1..K."""
        return self.decide(self.evidence(images), (images.shape[-2], images.shape[-1]), self.config.inference)

    @torch.no_grad()
    def evidence(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute what `decide` needs from images (B, 3, H, W) in [0, 1].

        Returns:
            Objectness (B, Q), kernels (B, Q, C) and mask features (B, C, H / 4, W / 4), sizes rounded up, in float32.
        """
        output = self(pad_to_multiple(images))
        features = cut(output.mask_features, (images.shape[-2], images.shape[-1]), MASK_STRIDE)
        return output.objectness.float(), output.kernels.float(), features.float()

    @torch.no_grad()
    def decide(self, evidence: tuple[Tensor, ...], size: tuple[int, int], inference: OSFormerInference) -> Tensor:
        """Turn the `evidence` of images of `size` (H, W) into instance maps (B, H, W) int64: 0 background, ids 1..K."""
        config = self.config.model_copy(update={"inference": inference})
        objectness, kernels, features = evidence
        with torch.autocast(features.device.type, enabled=False):
            maps = [
                instance_map(o, k, f, self.head, config) for o, k, f in zip(objectness, kernels, features, strict=True)
            ]
        return torch.stack(maps)[:, : size[0], : size[1]]

    @torch.no_grad()
    def segment_with_confidence(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the maps of `segment`, and for each pixel the score of its instance (B, H, W) in [0, 1].

        The score is the objectness times the mean of the soft mask inside the mask, lowered by matrix NMS.
        """
        objectness, kernels, features = self.evidence(images)
        with torch.autocast(features.device.type, enabled=False):
            found = [
                map_with_confidence(o, k, f, self.head, self.config)
                for o, k, f in zip(objectness, kernels, features, strict=True)
            ]
        maps, confidence = map(torch.stack, zip(*found, strict=True))
        height, width = images.shape[-2:]
        return maps[:, :height, :width], confidence[:, :height, :width]

    @torch.no_grad()
    def inspect(self, images: Tensor) -> Inspection:
        """Inspect the masks of all cells in images (B, 3, H, W) float in [0, 1], whatever their objectness.

        Deformable attention looks at sampled points, so there are no weights over the image.
        """
        size = (images.shape[-2], images.shape[-1])
        output = self(pad_to_multiple(images))
        features = output.mask_features.float()
        with torch.autocast(images.device.type, enabled=False):
            logits = [self.head(k, f) for k, f in zip(output.kernels.float(), features, strict=True)]
        return Inspection(
            mask_logits=cut(torch.stack(logits), size, MASK_STRIDE),
            queries=None,
            pixel_embedding=cut(features, size, MASK_STRIDE),
            embedding_stride=MASK_STRIDE,
            attention=None,
            attention_stride=None,
        )
