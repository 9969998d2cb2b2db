from __future__ import annotations

import pytest
import torch
from scenes import squares

from pctrans import PCTransConfig
from pctrans.config import BackboneConfig


@pytest.fixture
def tiny() -> PCTransConfig:
    """The whole model, small enough to run in a moment."""
    return PCTransConfig(
        backbone=BackboneConfig(name="resnet18", width=8),
        hidden_dim=32,
        num_heads=4,
        num_queries=10,
        encoder_layers=1,
        encoder_feedforward=32,
        decoder_layers=3,
        decoder_feedforward=32,
        mask_channels=4,
        num_points=64,
    )


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Images and labels: several instances, one instance, none."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.stack(
        [squares(64, [(2, 2), (30, 30), (4, 40)], 16), squares(64, [(20, 20)], 24), squares(64, [], 1)]
    )
    images = 0.2 + 0.6 * (labels > 0).float()[:, None].expand(-1, 3, -1, -1)
    return images + 0.05 * torch.randn(images.shape, generator=generator), labels
