"""Build the network of a configuration: EoMT of `transformers`, from scratch or from a checkpoint."""

from __future__ import annotations

import json
from typing import Any

import transformers
from transformers import EomtForUniversalSegmentation

from baselines.checkpoints import read_checkpoint, reading
from baselines.eomt.config import EoMTConfig
from baselines.mask2former.criterion import SharedBatchLoss, query_settings
from pctrans.backbone import PretrainedWeightsError

# The sizes by our names and by those of `transformers`.
_SIZES = {
    "hidden_dim": "hidden_size",
    "num_heads": "num_attention_heads",
    "encoder_layers": "num_hidden_layers",
    "query_layers": "num_blocks",
    "patch_size": "patch_size",
    "image_size": "image_size",
}
# Parameters that depend on the number of classes or queries, not on the architecture.
_MAY_START_ANEW = ("class_predictor.", "criterion.", "query.")
_EXAMPLE = "tue-mps/coco_instance_eomt_large_640"


def build_network(config: EoMTConfig) -> EomtForUniversalSegmentation:
    """Build the network with its loss.

    Raises:
        PretrainedWeightsError: a checkpoint is not available, or is not as described.
    """
    if config.checkpoint:
        network: Any = _pretrained(config.checkpoint, config)
    else:
        network = EomtForUniversalSegmentation(_architecture(config))
    # The loss of EoMT is that of Mask2Former, word for word, and its configuration has the fields that are read.
    network.criterion = SharedBatchLoss(network.config, network.weight_dict)
    return network


def with_architecture(config: EoMTConfig, network: EomtForUniversalSegmentation) -> EoMTConfig:
    """Fill in the architecture that the network of a checkpoint turned out to have, if there is a checkpoint."""
    if not config.checkpoint:
        return config
    found = network.config
    sizes = {ours: getattr(found, theirs) for ours, theirs in _SIZES.items()}
    return config.model_copy(update=sizes | {"architecture": json.loads(found.to_json_string(use_diff=False))})


def _architecture(config: EoMTConfig) -> transformers.EomtConfig:
    if config.architecture is not None:
        architecture: Any = transformers.EomtConfig.from_dict(config.architecture)
    else:
        architecture = transformers.EomtConfig(**{theirs: getattr(config, ours) for ours, theirs in _SIZES.items()})
    architecture.update(_independent_settings(config))
    return architecture


def _independent_settings(config: EoMTConfig) -> dict[str, Any]:
    """List the settings that do not depend on the architecture or the origin of the weights."""
    return {
        **query_settings(config.loss_weights, config.num_queries, config.num_points),
        "hidden_dropout_prob": 0.0,
        "attention_dropout": 0.0,
        "drop_path_rate": 0.0,
    }


def _pretrained(source: str, config: EoMTConfig) -> EomtForUniversalSegmentation:
    with reading("EoMT", source, _EXAMPLE):
        architecture: Any = transformers.EomtConfig.from_pretrained(source)
        if architecture.model_type != transformers.EomtConfig.model_type:
            raise PretrainedWeightsError(
                f"'{source}' holds a model of type '{architecture.model_type}', but checkpoint takes a complete "
                f"'{transformers.EomtConfig.model_type}', such as '{_EXAMPLE}'"
            )
        architecture.update(_independent_settings(config))
        return read_checkpoint(EomtForUniversalSegmentation, source, architecture, _MAY_START_ANEW)
