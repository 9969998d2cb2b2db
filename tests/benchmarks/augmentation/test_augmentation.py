"""Training crops against slicing, torch's own flips, NumPy's padding and SciPy's resampling."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.measure import label

from benchmarks.augmentation import LEAVES, NONE, NUCLEI, PRESETS, AugmentationConfig, augment
from benchmarks.augmentation.geometry import Geometry, draw_geometry, elastic_displacement, rotation
from benchmarks.augmentation.instances import crop_instances
from benchmarks.augmentation.intensity import jitter_intensity
from benchmarks.augmentation.sampling import nearest_pixels, sample_bilinear
from benchmarks.errors import UserError

IDENTITY = ((1.0, 0.0), (0.0, 1.0))
ALL_STEPS = AugmentationConfig(chain_probability=1.0, step_probability=1.0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(height: int = 40, width: int = 52, seed: int = 0) -> torch.Tensor:
    return torch.rand(3, height, width, generator=seeded(seed))


def blocks(height: int, width: int, side: int) -> torch.Tensor:
    """Touching square instances that fill the image, ids with gaps."""
    rows, columns = torch.arange(height) // side, torch.arange(width) // side
    return (3 * (rows[:, None] * 100 + columns) + 5).int()


def only(**steps: object) -> AugmentationConfig:
    """The named steps, always."""
    return dataclasses.replace(NONE, chain_probability=1.0, step_probability=1.0, **steps)  # type: ignore[arg-type]


def slice_at(centre: tuple[float, float], crop: int) -> tuple[slice, slice]:
    top, left = (round(place - (crop - 1) / 2) for place in centre)
    return slice(top, top + crop), slice(left, left + crop)


def same_partition(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Whether two label maps are equal up to their numbers, background apart."""
    pairs = torch.unique(torch.stack([first.flatten().long(), second.flatten().long()]), dim=1)
    unique = all(len(side.unique()) == pairs.shape[1] for side in pairs)
    return unique and bool(((first == 0) == (second == 0)).all())


def numbered(geometry: Geometry, labels: torch.Tensor, crop: int, min_pixels: int = 1) -> torch.Tensor:
    index, reflections = nearest_pixels(geometry.grid(crop), (labels.shape[0], labels.shape[1]))
    return crop_instances(labels, index, reflections, min_pixels=min_pixels)


# --- geometry ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("crop", [1, 16, 23, 40])
def test_with_everything_off_a_crop_is_a_slice(crop: int) -> None:
    image, labels = noise(), blocks(40, 52, 8)
    config = dataclasses.replace(NONE, min_pixels=1)
    for seed in range(5):
        sampled, ids = augment(image, labels, crop=crop, config=config, generator=seeded(seed))
        rows, columns = (image[0] == sampled[0, 0, 0]).nonzero()[0].tolist()
        window = slice(rows, rows + crop), slice(columns, columns + crop)
        assert torch.equal(sampled, image[:, *window])
        assert same_partition(ids, labels[window])


def test_every_position_of_the_padded_image_is_drawn() -> None:
    config = dataclasses.replace(NONE, pad=3)
    generator = seeded()
    tops = [draw_geometry((10, 50), 8, config, False, generator).centre[0] - 3.5 for _ in range(400)]
    assert set(tops) == set(range(-3, 6))


@pytest.mark.parametrize("seed", range(8))
def test_flips_and_transpose_are_torchs(seed: int) -> None:
    image, labels, config = noise(), blocks(40, 52, 8), dataclasses.replace(ALL_STEPS, step_probability=0.5)
    config = dataclasses.replace(config, rotation=False, elastic_alpha=0.0, pad=0)
    geometry = draw_geometry((40, 52), 16, config, True, seeded(seed))
    piece = image[:, *slice_at(geometry.centre, 16)]
    symmetries = [
        torch.flip(square, dims) for square in (piece, piece.transpose(1, 2)) for dims in ([], [1], [2], [1, 2])
    ]
    sampled = sample_bilinear(image, geometry.grid(16))
    matching = [k for k, square in enumerate(symmetries) if torch.equal(square, sampled)]
    assert len(matching) == 1
    cut = labels[slice_at(geometry.centre, 16)]
    expected = [torch.flip(square, dims) for square in (cut, cut.T) for dims in ([], [0], [1], [0, 1])]
    assert same_partition(numbered(geometry, labels, 16), expected[matching[0]])


def test_all_eight_symmetries_occur() -> None:
    config = dataclasses.replace(ALL_STEPS, step_probability=0.5, rotation=False, elastic_alpha=0.0)
    generator = seeded()
    assert len({draw_geometry((40, 52), 16, config, True, generator).matrix for _ in range(200)}) == 8


@pytest.mark.parametrize("crop", [15, 16])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3, 4])
def test_quarter_turns_are_exact(crop: int, quarters: int) -> None:
    image = noise()
    centre = (10 + (crop - 1) / 2, 20 + (crop - 1) / 2)
    geometry = Geometry(rotation(quarters * math.pi / 2), centre)
    expected = torch.rot90(image[:, 10 : 10 + crop, 20 : 20 + crop], quarters, dims=(1, 2))
    torch.testing.assert_close(sample_bilinear(image, geometry.grid(crop)), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_the_composed_grid_against_scipy(seed: int) -> None:
    """Rotation, elastic, scale and padding at once; SciPy calls this reflection "mirror"."""
    config = dataclasses.replace(ALL_STEPS, scale=(0.5, 1.5), aspect=(0.8, 1.25))
    image, labels = noise(), blocks(40, 52, 4)
    geometry = draw_geometry((40, 52), 32, config, True, seeded(seed))
    grid = geometry.grid(32)
    places = grid.double().numpy()

    expected = np.stack([map_coordinates(c, places, order=1, mode="mirror") for c in image.double().numpy()])
    np.testing.assert_allclose(sample_bilinear(image, grid).numpy(), expected, atol=2e-5)

    index, _ = nearest_pixels(grid, (40, 52))
    nearest = map_coordinates(labels.numpy(), places, order=0, mode="mirror")
    np.testing.assert_array_equal(labels.flatten()[index].numpy(), nearest)


def test_the_matrix_is_built_from_its_steps() -> None:
    """A point of the crop, followed by hand through rotation, transpose, flips and scale."""
    geometry = Geometry(((0.5, 0.0), (0.0, 2.0)), (10.0, 20.0))
    assert geometry.grid(3)[:, 0, 2].tolist() == [10 - 0.5, 20 + 2]
    turned = draw_geometry((400, 400), 64, only(rotation=True), True, seeded(3)).matrix
    assert np.allclose(np.array(turned) @ np.array(turned).T, np.eye(2)) and abs(turned[0][1]) > 1e-3


def test_elastic_displacement_is_smoothed_noise() -> None:
    crop, alpha, sigma = 48, 16.0, 4.0
    displacement = elastic_displacement(crop, alpha, sigma, seeded(1))
    raw = torch.rand((2, crop + 24, crop + 24), generator=seeded(1)).double().numpy() * 2 - 1
    smooth = [gaussian_filter(axis, sigma, truncate=3.0)[12:-12, 12:-12] for axis in raw]
    np.testing.assert_allclose(displacement.numpy(), alpha * np.stack(smooth), atol=1e-5)


def test_resized_crop_covers_the_stated_share_of_the_image() -> None:
    generator = seeded()
    for _ in range(100):
        (y, _), (_, x) = draw_geometry((530, 500), 448, LEAVES, False, generator).matrix
        height, width = 448 * y, 448 * x
        assert height <= 530 and width <= 500
        # An elongated window is clipped to the image, which takes up to sqrt(4/3) of its area.
        assert 0.7 * math.sqrt(3 / 4) <= height * width / (530 * 500) <= 1


def test_leaves_see_nothing_beyond_the_image() -> None:
    generator = seeded()
    for _ in range(50):
        grid = draw_geometry((53, 50), 45, LEAVES, True, generator).grid(45)
        assert grid[0].min() >= -0.5 and grid[0].max() <= 52.5
        assert grid[1].min() >= -0.5 and grid[1].max() <= 49.5


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    crop=st.integers(1, 48),
    top=st.integers(-90, 90),
    left=st.integers(-90, 90),
)
def test_reflection_is_numpys(height: int, width: int, crop: int, top: int, left: int) -> None:
    image = noise(height, width)
    geometry = Geometry(IDENTITY, (top + (crop - 1) / 2, left + (crop - 1) / 2))
    far = 150
    padded = np.pad(image.numpy(), ((0, 0), (far, far), (far, far)), mode="reflect")
    expected = padded[:, top + far : top + far + crop, left + far : left + far + crop]
    np.testing.assert_array_equal(sample_bilinear(image, geometry.grid(crop)).numpy(), expected)


# --- instances --------------------------------------------------------------------------------------------


def drawn(*rows: str) -> torch.Tensor:
    return torch.tensor([[0 if pixel == "." else int(pixel) for pixel in row] for row in rows])


def window(top: int, left: int, crop: int) -> Geometry:
    return Geometry(IDENTITY, (top + (crop - 1) / 2, left + (crop - 1) / 2))


def test_an_instance_cut_in_two_becomes_two() -> None:
    horseshoe = drawn("7777.", "7....", "7....", "7777.", ".....")
    assert same_partition(numbered(window(0, 1, 4), horseshoe, 4), drawn("111.", "....", "....", "222."))
    assert numbered(window(0, 0, 5), horseshoe, 5).max() == 1


def test_an_occluded_leaf_stays_one() -> None:
    leaf = drawn("77977", "77977", "77977", "77977", "77977")
    assert same_partition(numbered(window(0, 0, 5), leaf, 5), leaf)


def test_an_occluded_leaf_that_is_cut_keeps_the_largest_part_with_its_other_piece() -> None:
    """Id 7 has a horseshoe, cut into 2 and 4 pixels, and a separate piece, which stays with the 4."""
    leaf = drawn("777...7", "7.....7", "7.....7", "777...7", "777....")
    expected = drawn("11...2", ".....2", ".....2", "22...2", "22....")
    expected = torch.cat([expected, torch.zeros(1, 6, dtype=torch.long)])
    leaf = torch.cat([leaf, torch.zeros(1, 7, dtype=torch.long)])
    assert same_partition(numbered(window(0, 1, 6), leaf, 6), expected)


def test_a_mirrored_copy_is_its_own_instance_though_it_touches() -> None:
    """The mirror is the last column, which belongs to the original."""
    nucleus = drawn(".....", "..777", "..777", ".....")
    expected = drawn("....", "1112", "1112", "....")
    assert same_partition(numbered(window(0, 2, 4), nucleus, 4), expected)


def test_a_thin_part_torn_off_by_sampling_stays() -> None:
    """Reading every second row loses the bridge; no part reaches the border, so nothing was cut."""
    labels = torch.zeros(20, 20, dtype=torch.long)
    labels[3:6, 4:8] = 7
    labels[3:6, 11:15] = 7
    labels[4, 8:11] = 7
    geometry = Geometry(((2.0, 0.0), (0.0, 2.0)), (9.0, 10.0))
    seen = numbered(geometry, labels, 9)
    assert label((seen > 0).numpy(), connectivity=2).max() == 2, "the case must tear the instance"
    assert seen.max() == 1


def test_slivers_become_background() -> None:
    labels = drawn("33...", ".....", "4...5", "4...5", "4...5")
    assert same_partition(numbered(window(0, 0, 5), labels, 5, min_pixels=3), labels * (labels != 3))
    assert numbered(window(0, 0, 5), labels, 5, min_pixels=4).max() == 0


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70), crop=st.integers(1, 64), seed=st.integers(0, 999))
def test_any_size_gives_ids_without_gaps(height: int, width: int, crop: int, seed: int) -> None:
    image, labels = noise(height, width, seed), blocks(height, width, 9) * (noise(height, width)[0] > 0.05)
    for config in (ALL_STEPS, LEAVES, NONE):
        sampled, ids = augment(image, labels, crop=crop, config=config, generator=seeded(seed))
        assert sampled.shape == (3, crop, crop) and sampled.dtype == torch.float32
        assert ids.shape == (crop, crop) and ids.dtype == torch.int64
        assert sampled.isfinite().all() and sampled.min() >= 0 and sampled.max() <= 1
        found, areas = torch.unique(ids[ids > 0], return_counts=True)
        assert found.tolist() == list(range(1, len(found) + 1))
        assert (areas >= config.min_pixels).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_ids_never_mix_instances_of_the_source(seed: int) -> None:
    labels = blocks(60, 50, 11)
    geometry = draw_geometry((60, 50), 48, ALL_STEPS, True, seeded(seed))
    index, reflections = nearest_pixels(geometry.grid(48), (60, 50))
    ids = crop_instances(labels, index, reflections, min_pixels=1)
    source = torch.stack([labels.flatten()[index].long(), *reflections]).flatten(1)
    per_id = torch.unique(torch.cat([ids.flatten()[None], source]), dim=1)
    assert per_id.shape[1] == ids.max(), "each id has one source instance and one reflection"
    assert (ids > 0).all()


# --- image and labels together ----------------------------------------------------------------------------


@pytest.mark.parametrize("config", [dataclasses.replace(NUCLEI, brightness=0, contrast=0, gamma=0), LEAVES])
def test_image_and_labels_see_the_same_geometry(config: AugmentationConfig) -> None:
    """An image that shows the labels' ids still shows them wherever interpolation has not mixed two."""
    labels = blocks(90, 110, 15)
    image = (labels.float() / labels.max()).expand(3, -1, -1).contiguous()
    for seed in range(6):
        sampled, ids = augment(image, labels, crop=64, config=config, generator=seeded(seed))
        shown = (sampled[0] * labels.max()).round().int()
        mixed = ((sampled[0] * labels.max() - shown).abs() > 1e-3) | ~torch.isin(shown, labels.unique().int())
        assert mixed.float().mean() < 0.35
        visible = (ids > 0) & ~mixed
        pairs = torch.unique(torch.stack([ids[visible], shown[visible].long()]), dim=1)
        counts = torch.bincount(pairs[0])
        assert (counts[1:] <= 1).float().mean() > 0.9, "an id shows one instance"


def test_a_seed_decides_the_crop() -> None:
    image, labels = noise(60, 70), blocks(60, 70, 9)
    first = augment(image, labels, crop=32, config=NUCLEI, generator=seeded(4))
    again = augment(image, labels, crop=32, config=NUCLEI, generator=seeded(4))
    other = augment(image, labels, crop=32, config=NUCLEI, generator=seeded(5))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_gives_the_same_crop() -> None:
    image, labels = noise(60, 70), blocks(60, 70, 9)
    for seed in range(10):
        here = augment(image, labels, crop=32, config=ALL_STEPS, generator=seeded(seed))
        there = augment(image.cuda(), labels.cuda(), crop=32, config=ALL_STEPS, generator=seeded(seed))
        assert there[0].is_cuda and there[1].is_cuda
        torch.testing.assert_close(there[0].cpu(), here[0], rtol=0, atol=1e-5)
        assert (there[1].cpu() == here[1]).float().mean() > 0.999


def test_input_is_left_alone() -> None:
    image, labels = noise(), blocks(40, 52, 8)
    before = image.clone(), labels.clone()
    augment(image, labels, crop=32, config=ALL_STEPS, generator=seeded())
    assert torch.equal(image, before[0]) and torch.equal(labels, before[1])


# --- intensity --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_intensity_against_its_formula(seed: int) -> None:
    image = noise()
    result = jitter_intensity(image, ALL_STEPS, seeded(seed))
    draws = [torch.rand((), generator=g, dtype=torch.float64).item() for g in [seeded(seed)] for _ in range(6)]
    factor, offset, exponent = (2 * draw - 1 for draw in draws[1::2])
    expected = (image * (1 + 0.15 * factor) + 0.15 * offset).clamp(0, 1) ** (2**exponent)
    torch.testing.assert_close(result, expected)


def test_intensity_steps_happen_as_often_as_stated() -> None:
    image, generator = torch.full((3, 1, 1), 0.5), seeded()
    unchanged = sum(bool((jitter_intensity(image, NUCLEI, generator) == 0.5).all()) for _ in range(2000))
    assert abs(unchanged / 2000 - 1 / 8) < 0.03


@pytest.mark.parametrize("chain", [0.0, 1.0])
def test_a_negative_is_one_minus_the_image_and_drawn_last(chain: float) -> None:
    config = dataclasses.replace(ALL_STEPS, chain_probability=chain)
    plain, labels = augment(noise(), blocks(40, 52, 8), crop=32, config=config, generator=seeded(4))
    negative = dataclasses.replace(config, negative=1.0)
    inverse, same = augment(noise(), blocks(40, 52, 8), crop=32, config=negative, generator=seeded(4))
    assert torch.equal(inverse, 1 - plain) and torch.equal(same, labels)


def test_a_negative_is_as_frequent_as_stated() -> None:
    config, generator = dataclasses.replace(NONE, negative=0.25), seeded(9)
    image, labels = torch.zeros(3, 8, 8), torch.ones(8, 8, dtype=torch.int32)
    drawn = [augment(image, labels, crop=8, config=config, generator=generator)[0].mean().item() for _ in range(800)]
    assert set(drawn) == {0.0, 1.0} and 0.2 < sum(drawn) / 800 < 0.3


def test_the_chain_runs_as_often_as_stated() -> None:
    config = dataclasses.replace(NONE, chain_probability=0.8, step_probability=1.0, brightness=0.1)
    image, labels, generator = torch.full((3, 4, 4), 0.5), torch.ones(4, 4).int(), seeded()
    changed = sum(
        bool((augment(image, labels, crop=2, config=config, generator=generator)[0] != 0.5).any()) for _ in range(1000)
    )
    assert abs(changed / 1000 - 0.8) < 0.04


# --- configuration ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_a_configuration_survives_json(name: str) -> None:
    fields = json.loads(json.dumps(dataclasses.asdict(PRESETS[name])))
    assert AugmentationConfig(**fields) == PRESETS[name]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("chain_probability", 1.2),
        ("step_probability", -0.1),
        ("elastic_sigma", 0),
        ("scale", (1.0, 0.5)),
        ("aspect", (0.0, 1.0)),
        ("scale_of", "window"),
        ("pad", -1),
        ("min_pixels", 0),
        ("contrast", 2),
    ],
)
def test_a_wrong_field_is_named(field: str, value: object) -> None:
    with pytest.raises(UserError, match=rf"augmentation\.{field} is "):
        AugmentationConfig(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("image", "labels", "crop"),
    [((3, 8, 8), (8, 9), 4), ((8, 8), (8, 8), 4), ((3, 0, 8), (0, 8), 4), ((3, 8, 8), (8, 8), 0)],
)
def test_shapes_are_checked(image: tuple[int, ...], labels: tuple[int, ...], crop: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        augment(torch.rand(image), torch.ones(labels).int(), crop=crop, config=NONE, generator=seeded())
