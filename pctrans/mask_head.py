"""From a query to its mask logits: the position-aware dynamic head (eq. 5) and the inner product."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from pctrans.config import PCTransConfig
from pctrans.dynamic_convolution import dynamic_convolution
from pctrans.layers import MLP
from pctrans.position import cell_centres


class DynamicMaskHead(nn.Module):
    """Three 1×1 convolutions whose weights a controller makes from each query (section 3.2.2).

    A 1×1 convolution is linear, so F_mask is never copied for the queries. With M_rc = c - p for a pixel p
    and a query's centre c, the first layer

        W_f F_mask(p) + W_c (c - p) + b  =  [W_f, W_c] [F_mask(p); -p]  +  (W_c c + b)

    is one matrix product with a map that all queries share, plus a constant per query.
    """

    def __init__(self, config: PCTransConfig):
        super().__init__()
        self.relative_coordinates = config.relative_coordinates
        self.coordinate_unit = config.coordinate_unit
        self.in_channels = config.mask_channels + 2 * config.relative_coordinates
        self.mask_features = nn.Conv2d(config.hidden_dim, config.mask_channels, 1)
        self.channels = c = config.dynamic_channels
        self._shapes = [(c, self.in_channels), (c,), (c, c), (c,), (1, c), (1,)]
        self.parameter_sizes = [math.prod(shape) for shape in self._shapes]
        self.controller = MLP(config.hidden_dim, config.hidden_dim, sum(self.parameter_sizes), layers=3)

    def shared_features(self, mask_map: Tensor, stride: int) -> Tensor:
        """F_mask, joined by minus the cells' positions in `coordinate_unit` pixels: (B, C, h, w).

        Float32 whatever the precision around: M_rc is a small difference of large coordinates.
        """
        features = self.mask_features(mask_map).float()
        if not self.relative_coordinates:
            return features
        batch, _, h, w = features.shape
        positions = cell_centres(h, w, features.device) * self._extent(features, stride)
        positions = positions.T.unflatten(-1, (h, w)).expand(batch, -1, -1, -1)
        return torch.cat((features, -positions), dim=1)

    def forward(self, queries: Tensor, centres: Tensor, features: Tensor, stride: int) -> Tensor:
        """Mask logits of every query.

        Args:
            queries: (B, N, D).
            centres: (B, N, 2), (x, y) in [0, 1] of the input.
            features: `shared_features`, (B, C, h, w), of cells `stride` pixels wide.

        Returns:
            (B, N, h, w).
        """
        parameters = self.controller(queries).float().split(self.parameter_sizes, dim=-1)
        w1, b1, w2, b2, w3, b3 = (p.unflatten(-1, shape) for p, shape in zip(parameters, self._shapes, strict=True))
        with torch.autocast(features.device.type, enabled=False):
            if self.relative_coordinates:
                scaled = centres.float() * self._extent(features, stride)
                b1 = b1 + (w1[..., -2:] @ scaled[..., None]).squeeze(-1)
            logits = dynamic_convolution(features.flatten(2), w1, b1, w2, b2, w3, b3)
        return logits.unflatten(-1, features.shape[-2:])

    def _extent(self, features: Tensor, stride: int) -> Tensor:
        """Width and height of the input, in `coordinate_unit` pixels."""
        h, w = features.shape[-2:]
        return features.new_tensor([w, h]) * (stride / self.coordinate_unit)


class InnerProductMaskHead(nn.Module):
    """Similarity of an embedded query with every pixel, as in Mask2Former (row 1 of table 4)."""

    def __init__(self, config: PCTransConfig):
        super().__init__()
        dim = config.hidden_dim
        self.mask_features = nn.Conv2d(dim, dim, 1)
        self.mask_embedding = MLP(dim, dim, dim, layers=3)

    def shared_features(self, mask_map: Tensor, stride: int) -> Tensor:
        """(B, D, h, w)."""
        return self.mask_features(mask_map)

    def forward(self, queries: Tensor, centres: Tensor, features: Tensor, stride: int) -> Tensor:
        """(B, N, D), features (B, D, h, w) -> logits (B, N, h, w); `centres` and `stride` are not needed."""
        return torch.einsum("bnd,bdhw->bnhw", self.mask_embedding(queries), features)


MaskHead = DynamicMaskHead | InnerProductMaskHead


def build_mask_head(config: PCTransConfig) -> MaskHead:
    """The head that `config.mask_head` names."""
    return DynamicMaskHead(config) if config.mask_head == "dynamic" else InnerProductMaskHead(config)
