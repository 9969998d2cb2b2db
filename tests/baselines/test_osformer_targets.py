"""Location-guided targets and edges against literal transcriptions of their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_erosion, find_objects
from torch import Tensor

from baselines.boxes import instance_boxes
from baselines.osformer import OSFormerConfig
from baselines.osformer.losses import build_osformer_targets
from baselines.osformer.targets import cell_instances, downsampled_edges, instance_edges
from pctrans.targets import build_targets


def scatter_of_discs(seed: int, height: int, width: int, count: int) -> Tensor:
    """Discs of all sizes that hide parts of each other: ids without gaps only after `build_targets`."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    labels = np.zeros((height, width), dtype=np.int64)
    for label in range(1, count + 1):
        radius = generator.uniform(0.6, 0.3 * max(height, width))
        centre = generator.uniform(0, height), generator.uniform(0, width)
        labels[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2] = label
    return torch.from_numpy(labels)


def literal_cells(labels: np.ndarray, config: OSFormerConfig) -> list[int]:
    """SOLO's assignment for one image with ids 1..K, cell by cell; the smallest box wins a cell."""
    height, width = labels.shape
    result = []
    for grid, (low, high) in zip(config.grids, config.scale_ranges, strict=True):
        owner, owner_area = np.zeros((grid, grid), dtype=int), np.full((grid, grid), math.inf)
        for label in range(1, labels.max() + 1):
            rows, columns = np.nonzero(labels == label)
            box_height, box_width = np.ptp(rows) + 1, np.ptp(columns) + 1
            size = math.sqrt(box_height * box_width) * 1024 / max(height, width)
            if not low <= min(max(size, config.scale_ranges[0][0]), config.scale_ranges[2][1]) <= high:
                continue
            centre_y, centre_x = rows.mean() + 0.5, columns.mean() + 0.5
            half_y, half_x = config.centre_share * box_height / 2, config.centre_share * box_width / 2
            for row in range(grid):
                for column in range(grid):
                    near = (
                        abs(row - math.floor(centre_y / height * grid)) <= 1
                        and abs(column - math.floor(centre_x / width * grid)) <= 1
                    )
                    # The cell [top, bottom) meets the region [centre - half, centre + half].
                    top, bottom = row * height / grid, (row + 1) * height / grid
                    left, right = column * width / grid, (column + 1) * width / grid
                    meets = (
                        top <= centre_y + half_y
                        and centre_y - half_y < bottom
                        and left <= centre_x + half_x
                        and centre_x - half_x < right
                    )
                    if near and meets and box_height * box_width < owner_area[row, column]:
                        owner[row, column], owner_area[row, column] = label, box_height * box_width
        result += owner.flatten().tolist()
    return result


@pytest.mark.parametrize("size", [(64, 64), (96, 160), (192, 64)])
@pytest.mark.parametrize("count", [1, 4, 25])
def test_cells_follow_the_definition(size: tuple[int, int], count: int) -> None:
    config = OSFormerConfig(grids=(13, 9, 5))
    targets = build_targets(torch.stack([scatter_of_discs(seed, *size, count) for seed in range(4)]))
    found = cell_instances(targets, config)
    for image, labels in enumerate(targets.labels.numpy()):
        assert found[image].tolist() == literal_cells(labels, config)


def test_a_large_instance_has_several_cells_in_two_grids_by_hand() -> None:
    labels = torch.zeros(1, 64, 64, dtype=torch.long)
    labels[0, 20:40, 20:40] = 5  # 20 of 64 pixels are 320 of 1024: the second and the third grid
    cells = cell_instances(build_targets(labels), OSFormerConfig(grids=(8, 16, 8)))
    fine, middle, coarse = cells.split([64, 256, 64], dim=1)
    assert fine.sum() == 0
    # Centre 30, region 28..32: of the cells of 4 pixels, number 7 holds the centre and 8 meets the region.
    assert middle.view(16, 16).nonzero().tolist() == [[7, 7], [7, 8], [8, 7], [8, 8]]
    # Of those of 8 pixels, 3 holds it and 4 (from 32) meets it.
    assert coarse.view(8, 8).nonzero().tolist() == [[3, 3], [3, 4], [4, 3], [4, 4]]


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (2048, 32)])
def test_every_lonely_instance_has_a_cell_whatever_its_size(size: tuple[int, int]) -> None:
    config = OSFormerConfig(grids=(8, 4, 2))
    for height, width in [(1, 1), (1, 9), (3, 2), (32, 32), (17, 31), (size[0], 32), size]:
        labels = torch.zeros(1, *size, dtype=torch.long)
        labels[0, :height, :width] = 1
        assert (cell_instances(build_targets(labels), config) == 1).any(), (height, width)


def test_of_two_instances_in_one_cell_the_smaller_wins() -> None:
    labels = torch.zeros(1, 64, 64, dtype=torch.long)
    labels[0, 4:12, 4:12] = 1
    labels[0, 7:9, 7:9] = 2  # the same centre
    cells = cell_instances(build_targets(labels), OSFormerConfig(grids=(4, 4, 4)))
    both, only_the_larger, none = cells.split(16, dim=1)
    assert both.unique().tolist() == [0, 2] and only_the_larger.unique().tolist() == [0, 1] and not none.any()


def test_images_without_instances_have_no_cells() -> None:
    cells = cell_instances(build_targets(torch.zeros(2, 64, 32, dtype=torch.long)), OSFormerConfig(grids=(4, 3, 2)))
    assert cells.shape == (2, 29) and not cells.any()


def test_boxes_are_those_of_scipy() -> None:
    labels = torch.stack([scatter_of_discs(1, 40, 60, 8), scatter_of_discs(2, 40, 60, 3)])
    targets = build_targets(labels)
    boxes = instance_boxes(targets)
    for image, present in enumerate(targets.labels.numpy()):
        expected = [[x.start, y.start, x.stop, y.stop] for y, x in find_objects(present)]
        assert boxes[image, : len(expected)].tolist() == expected
        assert not boxes[image, len(expected) :].any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 40), st.integers(3, 40), st.integers(0, 6))
def test_edges_are_each_mask_minus_its_erosion(seed: int, height: int, width: int, count: int) -> None:
    labels = scatter_of_discs(seed, height, width, count)
    expected = np.zeros(labels.shape, dtype=bool)
    for label in range(1, count + 1):
        mask = labels.numpy() == label
        expected |= mask & ~binary_erosion(mask, np.ones((5, 5)), border_value=1)
    assert np.array_equal(instance_edges(labels[None])[0].numpy(), expected)


def test_neither_the_border_of_an_image_nor_its_padding_is_an_edge() -> None:
    labels = torch.ones(1, 50, 77, dtype=torch.long)
    targets = build_osformer_targets(labels, [(4, 6), (8, 12), (16, 24)], OSFormerConfig())
    assert not any(edges.any() for edges in targets.edges)


def test_a_cell_is_an_edge_if_any_of_its_pixels_is() -> None:
    edges = torch.zeros(1, 32, 64, dtype=torch.bool)
    edges[0, 9, 35] = True
    [coarse, fine] = downsampled_edges(edges, [(2, 4), (8, 16)])
    assert coarse[0].nonzero().tolist() == [[0, 2]] and fine[0].nonzero().tolist() == [[2, 8]]
