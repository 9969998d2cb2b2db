"""The decoder of methods that predict at every cell: a feature pyramid down to stride 2 or 1."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from pctrans.config import BackboneConfig, Config
from pctrans.layers import conv_norm


class PyramidConfig(Config):
    """The switches of the backbone and of the decoder, with which those of each method begin."""

    backbone: BackboneConfig = BackboneConfig()
    hidden_dim: int = Field(128, ge=8, multiple_of=8)
    """Channels of the decoder at stride 4; each doubling of the resolution after that halves them."""


class PyramidDecoder(nn.Module):
    """A feature pyramid (Lin et al. 2017) from strides 4 to 32, its finest map brought to stride 2 or 1.

    Attributes:
        out_channels: channels of the resulting map.
    """

    def __init__(self, channels: list[int], hidden_dim: int, stride: Literal[1, 2]):
        super().__init__()
        self.laterals = nn.ModuleList(conv_norm(c, hidden_dim, 1) for c in channels)
        self.output = conv_norm(hidden_dim, hidden_dim, 3, relu=True)
        doublings = {2: 1, 1: 2}[stride]
        widths = [hidden_dim // 2**i for i in range(doublings + 1)]
        self.upward = nn.ModuleList(conv_norm(widths[i], widths[i + 1], 3, relu=True) for i in range(doublings))
        self.out_channels = widths[-1]

    def forward(self, features: list[Tensor]) -> Tensor:
        """Merge backbone maps at strides 4, 8, 16, 32 into (B, out_channels, H / stride, W / stride)."""
        maps = [lateral(f) for lateral, f in zip(self.laterals, features, strict=True)]
        merged = maps[-1]
        for finer in reversed(maps[:-1]):
            merged = finer + _doubled(merged)
        merged = self.output(merged)
        for convolution in self.upward:
            merged = convolution(_doubled(merged))
        return merged


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
