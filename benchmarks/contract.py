"""What a method is to the harness: plain tensors in, plain tensors out."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from pctrans.inspection import Inspection


@runtime_checkable
class Segmenter(Protocol):
    """An instance segmentation method. Trained ones are `torch.nn.Module`s as well.

    A method that can find only so many instances in an image says so in an attribute `max_instances: int | None`
    (None: any number); the harness then warns of images that have more.
    """

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Weighted loss terms by name; training minimises their sum.

        Args:
            images: (B, 3, H, W) float in [0, 1].
            labels: (B, H, W) integers, 0 background, an id for each instance.
        """

    def segment(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float in [0, 1] -> (B, H, W) integers, 0 background, ids 1..K in each image."""


@runtime_checkable
class Tunable(Protocol):
    """A segmenter whose thresholds can be chosen after training, with the network run once.

    `segment(images)` is `decide(evidence(images), (H, W), config.inference)`, and `config.inference.search_space` names
    the thresholds, each with the least and the greatest value to try. In the config.json that `save_pretrained` writes,
    they are under `inference`. Methods that are none keep the thresholds of their configuration.
    """

    config: Any

    def evidence(self, images: Tensor) -> tuple[Tensor, ...]:
        """What label maps of images (B, 3, H, W) float in [0, 1] are made from, whatever the thresholds: the network's
        part. Each tensor has the B images first."""

    def decide(self, evidence: tuple[Tensor, ...], size: tuple[int, int], inference: Any) -> Tensor:
        """Label maps (B, H, W) integers, 0 background, ids 1..K in each image, under the thresholds of `inference`.

        Args:
            size: (H, W) of the images that `evidence` is of.
        """


@runtime_checkable
class Scoring(Protocol):
    """A segmenter that knows how sure it is of each object; the objects of methods that are none have no scores.

    The score of an object is the mean over its pixels of the confidence that they were painted with: of one that was
    stitched from several tiles, too.
    """

    def segment_with_confidence(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The very maps of `segment`, and how sure each pixel is of the object that has it.

        Args:
            images: (B, 3, H, W) float in [0, 1].

        Returns:
            (B, H, W) integers as of `segment`, and (B, H, W) float in [0, 1]; on the background it may be anything.
        """


@runtime_checkable
class Inspectable(Protocol):
    """A segmenter with queries that figures can look into; those leave out methods that are none."""

    def inspect(self, images: Tensor) -> Inspection:
        """What the queries see in images (B, 3, H, W) float in [0, 1]."""
