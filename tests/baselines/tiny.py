"""Every method, small enough to run in a moment; and how it learns two images by heart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

BACKBONE = {"name": "resnet18", "width": 8}


@dataclass(frozen=True)
class Recipe:
    """Attributes:
    config: of a model that runs in a moment.
    overfit: changes for one that can learn two images of 128 pixels by heart.
    """

    config: dict[str, Any]
    overfit: dict[str, Any] = field(default_factory=dict)
    steps: int = 300
    learning_rate: float = 1e-3
    max_norm: float = 1.0


RECIPES: dict[str, Recipe] = {
    "pctrans": Recipe(
        {
            "backbone": BACKBONE,
            "hidden_dim": 32,
            "num_heads": 4,
            "num_queries": 10,
            "encoder_layers": 1,
            "encoder_feedforward": 32,
            "decoder_layers": 3,
            "decoder_feedforward": 32,
            "num_points": 64,
        },
        {
            "backbone": BACKBONE | {"width": 16},
            "hidden_dim": 64,
            "num_points": 1024,
            "coordinate_unit": 32,
            "inference": {"binarise_threshold": 0.5, "group_threshold": 0.5},
        },
    ),
    "osformer": Recipe(
        {
            "backbone": BACKBONE,
            "hidden_dim": 32,
            "num_heads": 4,
            "encoder_layers": 1,
            "feedforward_channels": 32,
            "decoder_layers": 1,
            "grids": (12, 8, 4),
            "fusion_channels": 16,
            "mask_channels": 32,
        },
        {
            "backbone": BACKBONE | {"width": 16},
            "hidden_dim": 64,
            "feedforward_channels": 64,
            "fusion_channels": 32,
            "mask_channels": 64,
        },
        steps=120,
        learning_rate=2e-3,
    ),
    "mask2former": Recipe(
        {
            "backbone": BACKBONE,
            "hidden_dim": 32,
            "num_heads": 4,
            "num_queries": 10,
            "encoder_layers": 1,
            "encoder_feedforward": 32,
            "decoder_layers": 3,
            "decoder_feedforward": 32,
            "num_points": 64,
        },
        {"backbone": BACKBONE | {"width": 16}, "hidden_dim": 64, "num_points": 1024},
        steps=150,
    ),
    "discriminative": Recipe(
        {"backbone": BACKBONE, "hidden_dim": 32},
        {"backbone": BACKBONE | {"width": 16}, "hidden_dim": 64},
        steps=200,
        learning_rate=3e-3,
    ),
    "stardist": Recipe(
        {"backbone": BACKBONE, "hidden_dim": 32, "head_channels": 32, "distance_unit": 16},
        {"backbone": BACKBONE | {"width": 16}, "hidden_dim": 64, "head_channels": 64},
        steps=200,
        learning_rate=3e-3,
    ),
    "cellpose": Recipe(
        {"backbone": BACKBONE, "hidden_dim": 32},
        {"backbone": BACKBONE | {"width": 16}, "hidden_dim": 64},
        steps=200,
        learning_rate=3e-3,
    ),
    "maskrcnn": Recipe(
        {
            "backbone": BACKBONE,
            "hidden_dim": 32,
            "head_dim": 32,
            "mask_layers": 1,
            "proposals": 50,
            "rpn_samples": 64,
            "roi_samples": 32,
            "max_detections": 20,
        },
        {"backbone": BACKBONE | {"width": 16}, "hidden_dim": 64, "head_dim": 128, "roi_samples": 64},
        steps=200,
    ),
    "eomt": Recipe(
        {
            "hidden_dim": 32,
            "num_heads": 4,
            "encoder_layers": 3,
            "query_layers": 2,
            "patch_size": 8,
            "image_size": 64,
            "num_queries": 10,
            "num_points": 64,
        },
        {"hidden_dim": 64, "image_size": 128, "num_points": 1024},
        steps=300,
    ),
    "watershed": Recipe({}),
}
