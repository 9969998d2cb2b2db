from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import ResNetBackbone, ResNetConfig

from pctrans.backbone import Backbone, PretrainedWeightsError
from pctrans.config import BackboneConfig


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A ResNet-18 of width 8 in the layout of a hub checkpoint."""
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16, 32, 64], depths=[2, 2, 2, 2], layer_type="basic")
    ResNetBackbone(config).save_pretrained(tmp_path / "resnet")
    return tmp_path / "resnet"


@pytest.mark.parametrize(
    ("name", "width", "channels"),
    [("resnet18", 32, [32, 64, 128, 256]), ("resnet50", 16, [64, 128, 256, 512])],
)
def test_strides_and_channels(name: str, width: int, channels: list[int]) -> None:
    backbone = Backbone(BackboneConfig(name=name, width=width))
    maps = backbone(torch.rand(1, 3, 64, 96))
    assert backbone.channels == channels
    assert [tuple(m.shape[1:]) for m in maps] == [
        (c, 64 // s, 96 // s) for c, s in zip(channels, (4, 8, 16, 32), strict=True)
    ]


def test_random_weights_are_he_s() -> None:
    """`transformers` draws them, and its rules differ from release to release: every method starts from these."""
    torch.manual_seed(0)
    backbone = Backbone(BackboneConfig(name="resnet18", width=32))
    convolutions = [module for module in backbone.modules() if isinstance(module, torch.nn.Conv2d)]
    norms = [module for module in backbone.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert len(convolutions) == len(norms) == 20
    for convolution in convolutions:
        fan_out = convolution.out_channels * convolution.kernel_size[0] * convolution.kernel_size[1]
        assert convolution.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.1)
        assert convolution.bias is None
    assert all((norm.weight == 1).all() and (norm.bias == 0).all() for norm in norms)


def test_pretrained_weights_from_a_local_folder(checkpoint: Path) -> None:
    backbone = Backbone(BackboneConfig(name="resnet18", width=8, pretrained=str(checkpoint)))
    expected = ResNetBackbone.from_pretrained(checkpoint).state_dict()
    actual = backbone.resnet.state_dict()
    assert all(torch.equal(actual[name], value) for name, value in expected.items())
    assert [tuple(m.shape[1:]) for m in backbone(torch.rand(1, 3, 32, 64))] == [
        (8, 8, 16), (16, 4, 8), (32, 2, 4), (64, 1, 2),
    ]  # fmt: skip


def test_weights_that_cannot_be_had_are_an_error_not_random_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # read when the library is imported
    with pytest.raises(PretrainedWeightsError, match=r"(?s)'microsoft/resnet-18'.*local folder"):
        Backbone(BackboneConfig(name="resnet18", pretrained="microsoft/resnet-18"))


def test_weights_of_another_backbone_are_an_error(checkpoint: Path) -> None:
    with pytest.raises(PretrainedWeightsError, match="resnet' has layer_type basic"):
        Backbone(BackboneConfig(name="resnet50", width=8, pretrained=str(checkpoint)))


def test_weights_in_a_pickle_are_not_read(checkpoint: Path) -> None:
    """Reading one runs what its author put there."""
    weights = ResNetBackbone.from_pretrained(checkpoint).state_dict()
    (checkpoint / "model.safetensors").unlink()
    torch.save(weights, checkpoint / "pytorch_model.bin")
    with pytest.raises(PretrainedWeightsError, match=r"model\.safetensors"):
        Backbone(BackboneConfig(name="resnet18", width=8, pretrained=str(checkpoint)))


def test_a_checkpoint_that_lacks_weights_is_an_error(checkpoint: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(checkpoint / "model.safetensors")
    weights.pop(sorted(weights)[0])
    save_file(weights, checkpoint / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(PretrainedWeightsError, match="lacks 1 weights"):
        Backbone(BackboneConfig(name="resnet18", width=8, pretrained=str(checkpoint)))
