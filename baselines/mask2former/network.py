"""Build the network of a configuration: Mask2Former of `transformers`, from scratch or from a checkpoint."""

from __future__ import annotations

import json
from typing import Any

import transformers
from torch import nn
from transformers import Mask2FormerForUniversalSegmentation, ResNetConfig

from baselines.checkpoints import read_checkpoint, reading
from baselines.mask2former.config import Mask2FormerConfig
from baselines.mask2former.criterion import SharedBatchLoss, query_settings
from baselines.mask2former.initialisation import initialise
from pctrans.backbone import Backbone, PretrainedWeightsError, check_resnet, resnet_config

# The sizes by our names and by those of `transformers`.
_SIZES = {
    "hidden_dim": "hidden_dim",
    "num_heads": "num_attention_heads",
    "encoder_layers": "encoder_layers",
    "encoder_feedforward": "encoder_feedforward_dim",
    "decoder_layers": "decoder_layers",
    "decoder_feedforward": "dim_feedforward",
}
# `transformers` counts the prediction before the first layer as a layer.
_INITIAL_PREDICTIONS = 1
# Parameters that depend on the number of classes or queries, not on the architecture.
_MAY_START_ANEW = ("class_predictor.", "criterion.", "model.transformer_module.queries_")
_EXAMPLE = "facebook/mask2former-swin-small-coco-instance"


class _Architecture(transformers.Mask2FormerConfig):
    """Their configuration, which warns of every backbone but Swin, though any with strides 4 to 32 works."""

    backbones_supported = [*transformers.Mask2FormerConfig.backbones_supported, "resnet"]  # noqa: RUF012


def build_network(config: Mask2FormerConfig) -> Mask2FormerForUniversalSegmentation:
    """Build the network with its loss.

    Raises:
        PretrainedWeightsError: a checkpoint or a pretrained backbone is not available, or is not as described.
    """
    if config.checkpoint:
        network = _pretrained(config.checkpoint, config)
    else:
        network = Mask2FormerForUniversalSegmentation(_architecture(config))
        initialise(network)
        if config.architecture is None:  # otherwise its weights follow, and its backbone may be no ResNet
            network.model.pixel_level_module.encoder.load_state_dict(Backbone(config.backbone).resnet.state_dict())
    network.criterion = SharedBatchLoss(network.config, network.weight_dict)
    _at_least_two_channels_a_group(network)
    return network


def with_architecture(config: Mask2FormerConfig, network: Mask2FormerForUniversalSegmentation) -> Mask2FormerConfig:
    """Fill in the architecture that the network of a checkpoint turned out to have, if there is a checkpoint."""
    if not config.checkpoint:
        return config
    found = network.config
    sizes = {ours: getattr(found, theirs) for ours, theirs in _SIZES.items()}
    sizes["decoder_layers"] -= _INITIAL_PREDICTIONS
    return config.model_copy(update=sizes | {"architecture": json.loads(found.to_json_string(use_diff=False))})


def _architecture(config: Mask2FormerConfig) -> _Architecture:
    if config.architecture is not None:
        architecture = _Architecture.from_dict(config.architecture)
    else:
        sizes = {theirs: getattr(config, ours) for ours, theirs in _SIZES.items()}
        sizes["decoder_layers"] += _INITIAL_PREDICTIONS
        architecture = _Architecture(
            backbone_config=resnet_config(config.backbone),
            feature_size=config.hidden_dim,
            mask_feature_size=config.hidden_dim,
            **sizes,
        )
    architecture.update(_independent_settings(config))
    return architecture


def _independent_settings(config: Mask2FormerConfig) -> dict[str, Any]:
    """List the settings that do not depend on the architecture or the origin of the weights."""
    return {
        **query_settings(config.loss_weights, config.num_queries, config.num_points),
        "dropout": 0.0,
        "oversample_ratio": 3.0,
        "importance_sample_ratio": 0.75,
        "use_auxiliary_loss": True,
    }


def _pretrained(source: str, config: Mask2FormerConfig) -> Mask2FormerForUniversalSegmentation:
    with reading("Mask2Former", source, _EXAMPLE):
        architecture = _Architecture.from_pretrained(source)
        _check_architecture(architecture, source, config)
        architecture.update(_independent_settings(config))
        return read_checkpoint(Mask2FormerForUniversalSegmentation, source, architecture, _MAY_START_ANEW)


def _check_architecture(found: _Architecture, source: str, config: Mask2FormerConfig) -> None:
    if found.model_type != _Architecture.model_type:
        raise PretrainedWeightsError(
            f"'{source}' holds a model of type '{found.model_type}', but checkpoint takes a complete "
            f"'{_Architecture.model_type}': the weights of a ResNet belong in backbone.pretrained"
        )
    if isinstance(found.backbone_config, ResNetConfig):
        check_resnet(found.backbone_config, config.backbone, source)


def _at_least_two_channels_a_group(network: nn.Module) -> None:
    """Give every group at least two channels.

    A group of one channel has no variance on a map of one pixel, the coarsest level of a 32×32 image.
    """
    for module in network.modules():
        if isinstance(module, nn.GroupNorm):
            module.num_groups = min(module.num_groups, module.num_channels // 2)
