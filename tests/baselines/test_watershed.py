"""Otsu and watershed, against scikit-image step by step and against the figures of real data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import ndimage
from skimage import feature, filters, segmentation

from baselines.watershed import Watershed, WatershedConfig
from benchmarks.data import open_dataset
from benchmarks.metrics import image_metrics

NUCLEI = Path(__file__).parents[3] / "shared" / "data" / "nuclei-u2os"


def discs(size: int, centres: list[tuple[int, int]], radius: int, *, inside: float, outside: float) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    covered = torch.zeros(size, size, dtype=torch.bool)
    for row, column in centres:
        covered |= (y - row) ** 2 + (x - column) ** 2 <= radius**2
    return torch.where(covered, inside, outside).expand(1, 3, size, size)


def count(images: torch.Tensor, **config: object) -> int:
    return int(Watershed(WatershedConfig.model_validate(config)).segment(images).max())


TOUCHING = [(32, 20), (32, 43)]


@pytest.mark.parametrize(("inside", "outside"), [(0.9, 0.1), (0.2, 0.8)])
def test_touching_discs_are_split_bright_or_dark(inside: float, outside: float) -> None:
    ids = Watershed(WatershedConfig()).segment(discs(64, TOUCHING, 12, inside=inside, outside=outside))[0]
    assert ids.max() == 2
    assert ids[32, 20] != ids[32, 43]
    assert (ids[:, :29] == ids[32, 20]).sum() > 350 and (ids[:, 34:] == ids[32, 43]).sum() > 350  # each πr² = 452


def test_the_side_of_the_objects_can_be_told() -> None:
    crowded = torch.full((1, 3, 40, 40), 0.1)
    crowded[..., :30] = 0.9
    for bright, expected in ((True, (1, 0)), (False, (0, 1)), ("auto", (0, 1))):  # "auto" takes the minority
        ids = Watershed(WatershedConfig(bright=bright, min_distance=40)).segment(crowded)[0]
        assert (ids[20, 10], ids[20, 35]) == expected


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_constant_image_is_empty(value: float) -> None:
    assert count(torch.full((1, 3, 20, 33), value)) == 0


def test_an_empty_batch_mate_changes_nothing() -> None:
    scenes = [discs(64, TOUCHING, 12, inside=0.9, outside=0.1), torch.zeros(1, 3, 64, 64), torch.rand(1, 3, 64, 64)]
    model = Watershed(WatershedConfig())
    together = model.segment(torch.cat(scenes))
    assert all(torch.equal(together[i], model.segment(scene)[0]) for i, scene in enumerate(scenes))


def test_one_object_with_a_hole_is_one() -> None:
    image = discs(64, [(32, 32)], 14, inside=0.9, outside=0.1).clone()
    image[..., 30:35, 30:35] = 0.1
    ids = Watershed(WatershedConfig()).segment(image)[0]
    assert ids.max() == 1 and ids[32, 32] == 1


def test_small_objects_are_dropped() -> None:
    image = discs(64, [(15, 15)], 10, inside=0.9, outside=0.1).clone()
    image[..., 50:53, 50:53] = 0.9
    assert count(image, sigma=0) == 2
    assert count(image, sigma=0, min_area=8) == 2
    assert count(image, sigma=0, min_area=9) == 1


def test_a_smooth_distance_has_fewer_peaks() -> None:
    generator = torch.Generator().manual_seed(0)
    ragged = discs(64, [(32, 32)], 25, inside=0.9, outside=0.1) + 0.5 * torch.randn(1, 1, 64, 64, generator=generator)
    assert count(ragged, min_distance=2, distance_sigma=3) < count(ragged, min_distance=2)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    sigma=st.sampled_from([0.5, 1.0, 3.0]),
    min_distance=st.integers(1, 9),
    distance_sigma=st.sampled_from([0.0, 1.5]),
)
def test_equals_scikit_image_step_by_step(seed: int, sigma: float, min_distance: int, distance_sigma: float) -> None:
    image = np.random.default_rng(seed).random((3, 40, 51)).astype(np.float32)
    image[:, 10:25, 10:30] += 1.0
    red, green, blue = image
    smooth = filters.gaussian((red + green + blue) / 3, sigma)
    mask = smooth > filters.threshold_otsu(smooth)
    if mask.sum() > mask.size / 2:
        mask = np.logical_not(mask)
    mask = ndimage.binary_fill_holes(mask)
    distance = ndimage.distance_transform_edt(mask)
    if distance_sigma:
        distance = filters.gaussian(distance, distance_sigma)
    markers = np.zeros(mask.shape, dtype=int)
    peaks = feature.peak_local_max(distance, min_distance=min_distance, labels=mask.astype(int), exclude_border=False)
    for number, (row, column) in enumerate(peaks, 1):
        markers[row, column] = number
    expected = segmentation.watershed(-distance, markers, mask=mask)
    config = WatershedConfig(sigma=sigma, min_distance=min_distance, distance_sigma=distance_sigma)
    assert np.array_equal(Watershed(config).segment(torch.from_numpy(image)[None])[0].numpy(), expected)


def test_there_is_nothing_to_train() -> None:
    with pytest.raises(TypeError, match="nothing to train"):
        Watershed(WatershedConfig()).losses(torch.zeros(1, 3, 8, 8), torch.zeros(1, 8, 8, dtype=torch.long))


def test_a_stored_configuration_is_checked(tmp_path: Path) -> None:
    config = WatershedConfig(bright=False, min_distance=3, min_area=12)
    Watershed(config).save_pretrained(tmp_path / "model")
    assert Watershed.from_pretrained(tmp_path / "model").config == config
    (tmp_path / "model" / "config.json").write_text('{"min_distance": 0}')
    with pytest.raises(ValidationError):
        Watershed.from_pretrained(tmp_path / "model")
    with pytest.raises(FileNotFoundError):
        Watershed.from_pretrained(tmp_path)


@pytest.mark.skipif(not NUCLEI.is_dir(), reason="needs the nuclei-u2os images beside the repository")
def test_nuclei_are_segmented_as_well_as_the_floor_says() -> None:
    """PQ 0.736 and F1 0.854: what this pipeline reaches on the test split elsewhere."""
    dataset, model = open_dataset(f"folder:{NUCLEI}"), Watershed(WatershedConfig())
    rows = []
    for sample in map(dataset.load, dataset.ids("test")):
        predicted = model.segment(torch.tensor(sample.image)[None])[0].numpy()
        assert sample.labels is not None
        rows.append(image_metrics(sample.labels, predicted))
    assert len(rows) == 15
    assert np.mean([row["pq"] for row in rows]) == pytest.approx(0.736, abs=0.01)
    assert np.mean([row["f1"] for row in rows]) == pytest.approx(0.854, abs=0.01)
