"""Star-convex polygons: their areas, the pixels inside, and which of them are kept (non-maximum suppression)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from baselines.stardist.targets import ray_directions


@dataclass(frozen=True)
class Polygons:
    """Polygons around pixels, each as far in every direction as its distances say.

    Attributes:
        centres: (P, 2) integers, row and column of the pixel.
        distances: (P, rays) of the corners, in pixels, positive.
    """

    centres: Tensor
    distances: Tensor

    def __getitem__(self, which: Tensor) -> Polygons:
        return Polygons(self.centres[which], self.distances[which])

    def __len__(self) -> int:
        return len(self.centres)

    def corners(self) -> Tensor:
        """Compute the corners relative to the centres, (P, rays, 2) rows and columns, in order."""
        return self.distances[..., None] * ray_directions(self.distances.shape[1], self.distances.device).T

    def areas(self) -> Tensor:
        """Compute the areas (P,) in pixels: the triangles between two neighbouring rays."""
        angle = 2 * math.pi / self.distances.shape[1]
        return 0.5 * math.sin(angle) * (self.distances * self.distances.roll(-1, 1)).sum(1)


class PixelTest:
    """The test whether pixels are inside polygons: on the inner side of the edge between the two rays around them.

    Args:
        polygons: P of them.
    """

    def __init__(self, polygons: Polygons):
        corners = polygons.corners()
        edges = corners.roll(-1, 1) - corners
        # A point v is inside where edge × (v - corner) <= 0, that is normal · v <= limit.
        normals = torch.stack((-edges[..., 1], edges[..., 0]), dim=-1)
        self._along_rows, self._along_columns = (part.flatten() for part in normals.unbind(-1))
        self._limits = (normals * corners).sum(-1).flatten()
        self.centres, self.rays = polygons.centres, polygons.distances.shape[1]
        self.reach = polygons.distances.amax(1)
        self._radius = int(self.reach.max().ceil()) if len(polygons) else 0
        self._sectors = self._sector_table()

    def _sector_table(self) -> Tensor:
        """Number the sector between two rays that each offset of whole pixels lies in, (2 R + 1, 2 R + 1)."""
        offsets = torch.arange(-self._radius, self._radius + 1, device=self.centres.device)
        angles = torch.atan2(offsets[:, None].double(), offsets[None].double()) % (2 * math.pi)
        return (angles * (self.rays / (2 * math.pi))).long().clamp(max=self.rays - 1)

    def inside(self, index: Tensor, pixels: Tensor) -> Tensor:
        """Test which of M pixels (M, 2) lie in each of the polygons numbered `index` (N,): (N, M)."""
        # Most of the time of a segmentation is spent here: 32-bit offsets and flat look-ups halve it.
        rows, columns = pixels.int().T
        centre_rows, centre_columns = self.centres[index].int().T[..., None]
        row, column = rows - centre_rows, columns - centre_columns
        near = (row.abs() <= self._radius) & (column.abs() <= self._radius)
        place = (row * self._sectors.shape[1] + column + self._sectors.numel() // 2) * near
        sector = self._sectors.flatten().index_select(0, place.flatten()).view_as(place)
        edge = (sector + index[:, None] * self.rays).flatten()
        along_rows, along_columns, limits = (
            table.index_select(0, edge).view_as(row) for table in (self._along_rows, self._along_columns, self._limits)
        )
        return near & (along_rows.mul_(row) + along_columns.mul_(column) <= limits)

    def pixels(self, index: int) -> Tensor:
        """List the pixels (M, 2) inside one polygon, also those outside the image."""
        reach = int(self.reach[index].ceil())
        offsets = torch.arange(-reach, reach + 1, device=self.centres.device)
        around = torch.cartesian_prod(offsets, offsets) + self.centres[index]
        return around[self.inside(torch.tensor([index], device=around.device), around)[0]]


def suppress(polygons: Polygons, scores: Tensor, overlap_threshold: float) -> tuple[list[Tensor], Tensor]:
    """Keep the polygons of the highest scores, greedily (Schmidt et al. 2018, section 2.2).

    A polygon goes if a kept one shares with it more than the threshold of the area of the smaller of the two. Shared
    areas are counted in pixels, which is what becomes of polygons afterwards.

    Args:
        polygons: P candidates.
        scores: (P,); of equals, the first wins.
        overlap_threshold: in [0, 1].

    Returns:
        The pixels (M, 2) of each of K kept polygons, best first, also those outside the image; and their scores (K,).
    """
    order = scores.argsort(descending=True, stable=True)
    polygons = polygons[order]
    test, areas = PixelTest(polygons), polygons.areas()
    left = torch.ones(len(polygons), dtype=torch.bool, device=scores.device)
    kept, places = [], []
    for index in range(len(polygons)):
        if not left[index]:
            continue
        pixels = test.pixels(index)
        kept.append(pixels)
        places.append(index)
        apart = (polygons.centres - polygons.centres[index]).float().norm(dim=1)
        near = left & (apart < test.reach + test.reach[index])
        near[: index + 1] = False
        rivals = near.nonzero()[:, 0]
        shared = test.inside(rivals, pixels).sum(1)
        left[rivals] = shared <= overlap_threshold * areas[rivals].clamp(max=len(pixels))
    return kept, scores[order][places]


def paint(kept: list[Tensor], size: tuple[int, int], device: torch.device) -> Tensor:
    """Paint the pixels of objects, best first, into a label map (H, W): ids 1..K, contested pixels to the best."""
    labels = torch.zeros(size, dtype=torch.long, device=device)
    for number, pixels in reversed(list(enumerate(kept, 1))):
        row, column = pixels.unbind(1)
        visible = (row >= 0) & (row < size[0]) & (column >= 0) & (column < size[1])
        labels[row[visible], column[visible]] = number
    return labels
