"""ResNet feature maps at strides 4, 8, 16 and 32."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import ResNetBackbone, ResNetConfig

from pctrans.config import BackboneConfig

_LAYERS = {
    "resnet18": ("basic", (2, 2, 2, 2)),
    "resnet34": ("basic", (3, 4, 6, 3)),
    "resnet50": ("bottleneck", (3, 4, 6, 3)),
    "resnet101": ("bottleneck", (3, 4, 23, 3)),
}
_STAGES = ["stage1", "stage2", "stage3", "stage4"]


class PretrainedWeightsError(RuntimeError):
    """Pretrained weights were asked for and cannot be had as asked."""


class Backbone(nn.Module):
    """The ResNet of a configuration.

    Attributes:
        channels: channels of the four feature maps, fine to coarse.
    """

    def __init__(self, config: BackboneConfig):
        super().__init__()
        self.resnet: ResNetBackbone = (
            _pretrained(config.pretrained, config) if config.pretrained else ResNetBackbone(resnet_config(config))
        )
        self.channels: list[int] = list(self.resnet.channels)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map normalised images (B, 3, H, W) to four maps (B, C_i, H / s, W / s), s = 4, 8, 16, 32."""
        return list(self.resnet(images).feature_maps)


def resnet_config(config: BackboneConfig) -> ResNetConfig:
    """What `transformers` calls this backbone."""
    layer_type, depths = _LAYERS[config.name]
    expansion = 4 if layer_type == "bottleneck" else 1
    return ResNetConfig(
        embedding_size=config.width,
        hidden_sizes=[config.width * expansion * 2**i for i in range(4)],
        depths=list(depths),
        layer_type=layer_type,
        out_features=_STAGES,  # type: ignore[call-arg]  # a keyword of every backbone's configuration
    )


def check_resnet(found: ResNetConfig, config: BackboneConfig, source: str) -> None:
    """Raise PretrainedWeightsError unless the ResNet that was found in `source` is the configured one."""
    wanted = resnet_config(config)
    for field in ("layer_type", "depths", "hidden_sizes", "embedding_size"):
        value, expected = getattr(found, field), getattr(wanted, field)
        if value != expected:
            raise PretrainedWeightsError(
                f"'{source}' has {field} {value}, but backbone '{config.name}' of width {config.width} "
                f"has {expected}: choose the backbone that the weights were made for"
            )


def _pretrained(source: str, config: BackboneConfig) -> ResNetBackbone:
    try:
        loaded: Any = ResNetBackbone.from_pretrained(
            source, out_features=_STAGES, output_loading_info=True, use_safetensors=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise PretrainedWeightsError(
            f"no ResNet weights could be read from '{source}' ({error}). Expected a hub id such as "
            "'microsoft/resnet-50', reachable from here, or a local folder with config.json and "
            "model.safetensors. Without a network, download the folder elsewhere and give its path, or set "
            "backbone.pretrained to null to start from random weights."
        ) from error
    resnet, report = loaded
    check_resnet(resnet.config, config, source)
    if report["missing_keys"]:
        raise PretrainedWeightsError(
            f"'{source}' lacks {len(report['missing_keys'])} weights of the backbone, "
            f"the first '{sorted(report['missing_keys'])[0]}'; they would have been random"
        )
    return resnet
