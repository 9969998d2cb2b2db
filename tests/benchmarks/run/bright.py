"""A method that has nothing to learn, with thresholds that matter: connected parts of what is brighter than one."""

# No postponed annotations here: the hub mixin reads the type of `config` from the signature.
from collections.abc import Mapping
from typing import ClassVar

import torch
from huggingface_hub import PyTorchModelHubMixin
from pydantic import Field
from skimage.measure import label
from torch import Tensor, nn

from benchmarks.plan.methods import Method
from pctrans.config import Config, ThresholdConfig
from pctrans.hub import config_coder
from pctrans.images import drop_small


class BrightInference(ThresholdConfig):
    SEARCH_SPACE: ClassVar[Mapping[str, tuple[float, float]]] = {"brightness": (0.05, 0.95), "edge": (0.0, 0.1)}

    brightness: float = Field(0.9, gt=0, lt=1)
    """Pixels above this are objects."""
    edge: float | None = Field(None, ge=0)
    """Pixels less than this above it are not; None for 0.01."""
    min_area: int = 2


class BrightConfig(Config):
    inference: BrightInference = BrightInference()


class Bright(nn.Module, PyTorchModelHubMixin, coders=config_coder(BrightConfig)):
    def __init__(self, config: BrightConfig):
        super().__init__()
        self.config = config
        self.offset = nn.Parameter(torch.zeros(()))
        self.images = 0  # that the "network" has seen

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"offset": self.offset.square() + 0 * images.sum()}

    def segment(self, images: Tensor) -> Tensor:
        return self.decide(self.evidence(images), (images.shape[-2], images.shape[-1]), self.config.inference)

    @torch.no_grad()
    def evidence(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self.images += len(images)
        return images.mean(1) + self.offset, images.amax(1)

    @torch.no_grad()
    def decide(self, evidence: tuple[Tensor, ...], size: tuple[int, int], inference: BrightInference) -> Tensor:
        mean, highest = evidence
        edge = 0.01 if inference.edge is None else inference.edge
        objects = (mean > inference.brightness) & (highest > inference.brightness + edge)
        maps = [torch.from_numpy(label(one.numpy())) for one in objects]
        return torch.stack([drop_small(ids, inference.min_area) for ids in maps])


METHOD = Method(title="Bright", model="bright:Bright", config="bright:BrightConfig", source="nobody")
