"""Location-guided queries and the decoder that fills them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.osformer.config import OSFormerConfig
from baselines.osformer.encoder import LEVELS, DeformableLayer, Memory, PositionEncoding, repeat_for_cells
from baselines.osformer.feedforward import flatten_maps
from pctrans.position import cell_centres

PRIOR = 0.01


class LocationDecoder(nn.Module):
    """The decoder: a query for each cell of three grids, which starts from the memory at its place.

    The memory at stride 8 fills the finest grid, that at 16 the middle one, that at 32 the coarsest.
    """

    def __init__(self, config: OSFormerConfig):
        super().__init__()
        dim = config.hidden_dim
        self.grids = [(g, g) for g in config.grids]
        self.position = PositionEncoding(config)
        self.level_embedding = nn.Parameter(torch.randn(LEVELS, dim))
        self.layers = nn.ModuleList(
            DeformableLayer(config, config.decoder_points) for _ in range(config.decoder_layers)
        )
        self.objectness = nn.Linear(dim, 1)
        self.kernel = nn.Linear(dim, config.mask_channels)
        nn.init.constant_(self.objectness.bias, -math.log((1 - PRIOR) / PRIOR))

    def forward(self, memory: Memory) -> tuple[Tensor, Tensor]:
        """Decode objectness logits (B, Q) and kernels (B, Q, mask channels) of the cells, grid by grid, row by row."""
        resized = [
            F.interpolate(m, size=grid, mode="bilinear", align_corners=False)
            for m, grid in zip(memory.maps, self.grids, strict=True)
        ]
        queries = flatten_maps(resized)
        centres = torch.cat([cell_centres(h, w, queries.device) for h, w in self.grids])
        position = self.position(centres) + repeat_for_cells(self.level_embedding, self.grids)
        values = memory.tokens + memory.position + repeat_for_cells(self.level_embedding, memory.shapes)
        for layer in self.layers:  # no self-attention among the queries
            queries = layer(queries + position, centres, values, memory.shapes, self.grids)
        return self.objectness(queries)[..., 0], self.kernel(queries)
