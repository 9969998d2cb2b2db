"""What trained methods have beside network, losses and objects: how they are saved, and how they segment."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, get_type_hints

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from pctrans.config import ThresholdConfig
from pctrans.hub import Coders, config_coder
from pctrans.images import Normalise


class SegmenterConfig(Protocol):
    """What a `TrainedSegmenter` asks of its configuration, a pydantic model: a section of thresholds."""

    @property
    def inference(self) -> ThresholdConfig:
        """What `objects` is given."""

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """Pydantic's."""


C = TypeVar("C", bound=SegmenterConfig)


class TrainedSegmenter(
    nn.Module,
    PyTorchModelHubMixin,
    ABC,
    Generic[C],
    library_name="pctrans-bench",
    tags=["image-segmentation", "instance-segmentation", "microscopy"],
):
    """A method whose network is run once, and whose objects are then found image by image.

    A subclass has a constructor with a `config` of its own type, `losses`, `evidence` and `objects`. That makes it all
    that `benchmarks.contract` asks for, and `save_pretrained` and `from_pretrained` store and load it.

    Attributes:
        config: the configuration, which is stored as it is when the model is saved.
        normalise: what pretrained backbones expect to be done to images.
    """

    def __init_subclass__(cls, **hub: Any) -> None:
        """Tell the hub mixin how the configuration is stored, by its type in the constructor.

        Raises:
            TypeError: the constructor says no type.
        """
        constructor: Any = cls.__init__
        config_class = get_type_hints(constructor).get("config")
        if config_class is None:
            raise TypeError(f"{cls.__name__}.__init__ must say of which type its `config` is: models are loaded by it")
        if isinstance(config_class, type):  # what several methods have in common leaves it open
            # The mixin looks at the signature, where it would find a string if annotations are postponed.
            constructor.__annotations__["config"] = config_class
            hub["coders"] = _coders(config_class)
        super().__init_subclass__(**hub)

    def __init__(self, config: C):
        super().__init__()
        self.config = config
        self.normalise = Normalise()

    @property
    def max_instances(self) -> int | None:
        """The most instances that can be found in one image; None: any number."""
        return None

    @abstractmethod
    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute the weighted terms by name; training minimises their sum.

        Args:
            images: (B, 3, H, W) float in [0, 1].
            labels: (B, H, W) integers, 0 background, an id for each instance.
        """

    @abstractmethod
    def evidence(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute what objects are made from, whatever the thresholds, without gradients.

        Args:
            images: (B, 3, H, W) float in [0, 1].

        Returns:
            Tensors (B, ...) in float32.
        """

    @abstractmethod
    def objects(self, evidence: tuple[Tensor, ...], size: tuple[int, int], inference: Any) -> tuple[Tensor, Tensor]:
        """Find the objects of one image. Gradients and autocast are off.

        Args:
            evidence: the image's part of what `evidence` returns, without the dimension of the batch.
            size: (H, W) of the image.
            inference: the thresholds, as `config.inference`.

        Returns:
            Ids (H, W) int64, 0 background, 1..K; and how sure each pixel is of its object, (H, W) float in [0, 1],
            which may be anything on the background.
        """

    @torch.no_grad()
    def segment(self, images: Tensor) -> Tensor:
        """Segment images (B, 3, H, W) float in [0, 1] into instance maps (B, H, W) int64: 0 background, ids 1..K."""
        return self.decide(self.evidence(images), (images.shape[-2], images.shape[-1]), self.config.inference)

    @torch.no_grad()
    def segment_with_confidence(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the maps of `segment`, and each pixel's confidence as of `objects`, (B, H, W) float in [0, 1]."""
        return self._found(self.evidence(images), (images.shape[-2], images.shape[-1]), self.config.inference)

    @torch.no_grad()
    def decide(self, evidence: tuple[Tensor, ...], size: tuple[int, int], inference: Any) -> Tensor:
        """Turn the `evidence` of images of `size` (H, W) into instance maps (B, H, W) int64: 0 background, ids 1..K."""
        return self._found(evidence, size, inference)[0]

    def _found(self, evidence: tuple[Tensor, ...], size: tuple[int, int], inference: Any) -> tuple[Tensor, Tensor]:
        with torch.autocast(evidence[0].device.type, enabled=False):
            found = [self.objects(of_image, size, inference) for of_image in zip(*evidence, strict=True)]
        maps, confidence = map(torch.stack, zip(*found, strict=True))
        return maps, confidence

    def save_pretrained(self, save_directory: str | Path, **options: Any) -> str | None:
        """Save weights and configuration, the latter as it is now: it may say more than the one that was given."""
        options["config"] = options.get("config") or self.config.model_dump(mode="json")
        return super().save_pretrained(save_directory, **options)


def _coders(config_class: Any) -> Coders:
    """Store a configuration as JSON. A `checkpoint` is dropped when it is read: saved weights replace it."""
    encode, decode = config_coder(config_class)[config_class]
    return {config_class: (encode, lambda data: decode(data | {"checkpoint": None} if "checkpoint" in data else data))}
