"""The base of trained methods: what a subclass must say, and what it is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from baselines.segmenter import TrainedSegmenter
from benchmarks.contract import Scoring, Segmenter, Tunable
from pctrans.config import Config, ThresholdConfig


class Thresholds(ThresholdConfig):
    least: float = 0.5


class BrightConfig(Config):
    checkpoint: str | None = None
    inference: Thresholds = Thresholds()


class Bright(TrainedSegmenter[BrightConfig]):
    """A pixel of an image is object 1 if its weighted mean is above the threshold."""

    def __init__(self, config: BrightConfig):
        super().__init__(config)
        self.weight = torch.nn.Parameter(torch.ones(()))

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"none": self.weight * images.mean()}

    @torch.no_grad()
    def evidence(self, images: Tensor) -> tuple[Tensor]:
        return (self.weight * images.mean(1),)

    def objects(
        self, evidence: tuple[Tensor, ...], size: tuple[int, int], inference: Thresholds
    ) -> tuple[Tensor, Tensor]:
        assert evidence[0].shape == size
        assert not torch.is_autocast_enabled("cpu") and not torch.is_grad_enabled()
        return (evidence[0] > inference.least).long(), evidence[0]


def test_it_is_all_that_the_harness_asks_for() -> None:
    model = Bright(BrightConfig())
    assert isinstance(model, Segmenter) and isinstance(model, Tunable) and isinstance(model, Scoring)
    assert model.max_instances is None


def test_segmenting_is_finding_the_objects_of_each_image() -> None:
    model, images = Bright(BrightConfig()), torch.rand(3, 3, 5, 7)
    with torch.autocast("cpu", torch.bfloat16):
        maps, confidence = model.segment_with_confidence(images)
        assert torch.equal(model.segment(images), maps)
    assert torch.equal(maps, (images.mean(1) > 0.5).long()) and torch.equal(confidence, images.mean(1))
    found = model.decide(model.evidence(images), (5, 7), Thresholds(least=0.7))
    assert torch.equal(found, (images.mean(1) > 0.7).long())


def test_a_saved_model_has_the_configuration_of_now_less_its_checkpoint(tmp_path: Path) -> None:
    """This module's annotations are postponed, and the mixin alone would find no type for `config`."""
    model = Bright(BrightConfig(checkpoint="elsewhere"))
    model.config = model.config.model_copy(update={"inference": Thresholds(least=0.25)})
    model.save_pretrained(tmp_path)
    assert Bright.from_pretrained(tmp_path).config == BrightConfig(inference=Thresholds(least=0.25))
    card = (tmp_path / "README.md").read_text()
    for word in ("library_name: pctrans-bench", "- instance-segmentation", "- microscopy", "- pytorch_model_hub_mixin"):
        assert word in card


def test_a_method_that_lacks_a_part_is_not_built() -> None:
    class Half(TrainedSegmenter[BrightConfig]):
        evidence = Bright.evidence

    with pytest.raises(TypeError, match=r"Half .*abstract methods .*losses.*objects"):
        Half(BrightConfig())  # type: ignore[abstract]


def test_a_constructor_that_says_no_type_is_refused() -> None:
    def constructor(self: Any, config) -> None:  # type: ignore[no-untyped-def]
        super(type(self), self).__init__(config)

    with pytest.raises(TypeError, match=r"Untyped.__init__ must say of which type its `config` is"):
        type("Untyped", (TrainedSegmenter,), {"__init__": constructor})
