"""What the harness asks of a method, asked of each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from placement import mean_offset
from runnable import TRAINED, runnable
from safetensors.torch import load_file, save_file
from tiny import RECIPES
from torch.nn import functional as F

from benchmarks.contract import Scoring, Segmenter, Tunable
from benchmarks.metrics import image_metrics
from benchmarks.plan.methods import METHODS, configure, search_space


def build(name: str, **changes: Any) -> Any:
    torch.manual_seed(0)
    return METHODS[name].build(RECIPES[name].config | changes)


def squares(size: int, corners: list[tuple[int, int]], side: int) -> torch.Tensor:
    labels = torch.zeros(size, size, dtype=torch.long)
    for index, (top, left) in enumerate(corners, 1):
        labels[top : top + side, left : left + side] = index
    return labels


def pictures(labels: torch.Tensor) -> torch.Tensor:
    """Bright objects on a dark ground, with a little noise: (B, 3, H, W)."""
    generator = torch.Generator().manual_seed(0)
    images = 0.1 + 0.8 * (labels > 0).float()[:, None].expand(-1, 3, -1, -1)
    return (images + 0.02 * torch.randn(images.shape, generator=generator)).clamp(0, 1)


MANY = [(top, left) for top in range(0, 64, 8) for left in range(0, 64, 8)]  # 64: more than there are queries
SCENES = {
    "no instance": squares(64, [], 1),
    "one instance": squares(64, [(20, 20)], 24),
    "several instances": squares(64, [(2, 2), (30, 30), (4, 40)], 16),
    "more instances than queries": squares(64, MANY, 6),
}


def test_every_method_is_tested() -> None:
    assert set(RECIPES) == set(METHODS)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("name", runnable(TRAINED))
def test_any_number_of_instances_can_be_trained_on(name: str, scene: str) -> None:
    labels = torch.stack([SCENES[scene]] * 2)
    model = build(name)
    losses = model.losses(pictures(labels), labels)
    total = torch.stack(list(losses.values())).sum()
    total.backward()
    assert losses and all(value.ndim == 0 and torch.isfinite(value) for value in losses.values())
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", runnable(TRAINED))
def test_a_batch_may_mix_counts_and_ids_with_gaps(name: str) -> None:
    labels = torch.stack(list(SCENES.values()))
    renamed = torch.where(labels > 0, 70_000 - 11 * labels, 0)
    values = []
    for ids in (labels, renamed):
        model = build(name)
        torch.manual_seed(1)
        losses = model.losses(pictures(labels), ids)
        assert all(torch.isfinite(value) for value in losses.values())
        values.append(sum(value.item() for value in losses.values()))
    assert values[0] == pytest.approx(values[1], rel=1e-3)


@pytest.mark.parametrize("name", runnable(TRAINED))
def test_every_parameter_gets_a_gradient(name: str) -> None:
    labels = torch.stack([SCENES["several instances"], SCENES["one instance"]])
    model = build(name)
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3)
    for _ in range(2):  # what starts with zero weights passes gradients on from the second step only
        optimiser.step()
        optimiser.zero_grad()
        torch.stack(list(model.losses(pictures(labels), labels).values())).sum().backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("size", [(64, 64), (50, 77), (33, 128), (20, 20)])
@pytest.mark.parametrize("name", runnable(RECIPES))
def test_any_size_is_segmented_and_trained(name: str, size: tuple[int, int]) -> None:
    model = build(name)
    images, labels = torch.rand(2, 3, *size), torch.zeros(2, *size, dtype=torch.long)
    labels[0, 2:12, 2:12] = 1
    if name in TRAINED:
        assert all(torch.isfinite(value) for value in model.losses(images, labels).values())
        model.eval()
    maps = model.segment(images)
    assert maps.shape == (2, *size) and maps.dtype == torch.long
    for ids in maps:
        present = ids.unique()
        assert present[present > 0].tolist() == list(range(1, int(ids.max()) + 1))


@pytest.mark.parametrize("name", runnable(RECIPES))
def test_a_saved_model_predicts_the_same(name: str, tmp_path: Path) -> None:
    model = build(name)
    images = pictures(torch.stack([SCENES["several instances"]]))
    if name in TRAINED:
        model.losses(images, SCENES["several instances"][None])  # moves the running statistics off their start
        model.eval()
    model.save_pretrained(tmp_path / "model")
    loaded: Any = METHODS[name].load(str(tmp_path / "model"))
    assert isinstance(loaded, Segmenter)
    assert loaded.config == model.config
    if name in TRAINED:
        loaded.eval()
        state = loaded.state_dict()
        assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert torch.equal(loaded.segment(images), model.segment(images))


@pytest.mark.parametrize("name", runnable(TRAINED))
def test_weights_that_a_saved_model_lacks_are_not_drawn(name: str, tmp_path: Path) -> None:
    build(name).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    lost = next(key for key, tensor in weights.items() if tensor.is_floating_point())
    del weights[lost]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=re.escape(lost)):
        METHODS[name].load(str(tmp_path))


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("size", [(64, 64), (50, 77)])
@pytest.mark.parametrize("name", runnable(TRAINED))
def test_segmenting_is_deciding_by_the_evidence(name: str, size: tuple[int, int], autocast: bool) -> None:
    """Under any thresholds, of each image by itself."""
    model = build(name)
    assert isinstance(model, Tunable)
    images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        model.losses(images, torch.zeros(2, *size, dtype=torch.long))  # moves the running statistics off their start
        model.eval()
        evidence = model.evidence(images)
    assert all(len(tensor) == 2 and tensor.dtype == torch.float32 for tensor in evidence)
    settings = type(model.config.inference)
    for share in (0.0, 0.5, 1.0):
        values = {
            field: low + share * (high - low) for field, (low, high) in model.config.inference.search_space.items()
        }
        inference = settings.model_validate(model.config.inference.model_dump() | values)
        model.config = model.config.model_copy(update={"inference": inference})
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            expected = model.segment(images)
        assert torch.equal(model.decide(evidence, size, inference), expected)
        alone = model.decide(tuple(tensor[1:] for tensor in evidence), size, inference)
        assert torch.equal(alone[0], expected[1])


@pytest.mark.parametrize("name", runnable(RECIPES))
def test_every_trained_method_names_thresholds_to_choose(name: str) -> None:
    space = search_space(configure(name, RECIPES[name].config))
    assert (space is not None) == METHODS[name].trained
    fields = type(build(name).config.inference).model_fields if space else {}
    assert all(field in fields and low < high for field, (low, high) in (space or {}).items())


def test_the_thresholds_of_the_released_averaging_have_their_own_ranges() -> None:
    space = search_space(configure("pctrans", {"inference": {"averaging": "binary"}}))
    assert space is not None and space["mask_threshold"][0] == 0.0 and space["binarise_threshold"][0] == 0.05


@pytest.mark.parametrize("name", runnable(TRAINED))
def test_bfloat16_autocast_trains_and_segments(name: str) -> None:
    labels = torch.stack([SCENES["several instances"], SCENES["no instance"]])
    images = pictures(labels)
    model = build(name)
    with torch.autocast("cpu", torch.bfloat16):
        losses = model.losses(images, labels)
        maps = model.eval().segment(images)
    torch.stack([value.float() for value in losses.values()]).sum().backward()
    assert all(torch.isfinite(value) for value in losses.values())
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    assert maps.dtype == torch.long


@pytest.mark.parametrize("name", runnable(TRAINED))
def test_the_capacity_is_told(name: str) -> None:
    """The harness warns of images with more instances than a method can find."""
    capacity = build(name).max_instances
    assert capacity is None or capacity >= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", runnable(TRAINED))
def test_two_images_are_learned_by_heart(name: str) -> None:
    recipe = RECIPES[name]
    # Edges at all remainders of four, the largest stride of a mask: between cells, nothing would show a shift.
    first = squares(128, [(7, 9), (10, 74), (73, 6), (72, 71)], 47)
    labels = torch.stack([first, squares(128, [(7, 9), (78, 75)], 41)])
    images = pictures(labels)
    model = build(name, **recipe.overfit)
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=0.0)
    for step in range(recipe.steps):
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * (1 if step < 0.75 * recipe.steps else 0.1)
        optimiser.zero_grad()
        torch.stack(list(model.losses(images, labels).values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.max_norm)
        optimiser.step()
    maps = model.eval().segment(images)
    for truth, predicted in zip(labels, maps, strict=True):
        assert image_metrics(truth.numpy(), predicted.numpy())["pq"] > 0.9
        assert np.abs(mean_offset(truth, predicted)).max() < 0.25


@pytest.mark.parametrize("size", [(64, 64), (50, 77)])
@pytest.mark.parametrize("name", runnable(RECIPES))
def test_a_method_that_scores_gives_the_maps_of_before(name: str, size: tuple[int, int]) -> None:
    """Only the watershed has nothing to say of how sure it is."""
    model = build(name)
    assert isinstance(model, Scoring) == (name in TRAINED)
    if not isinstance(model, Scoring):
        return
    labels = torch.stack([SCENES["several instances"], SCENES["one instance"]])
    model.losses(pictures(labels), labels)  # type: ignore[attr-defined]  # moves the running statistics off their start
    model.eval()  # type: ignore[attr-defined]
    images = F.pad(pictures(labels), (0, 32, 0, 0))[..., : size[0], : size[1]]
    maps, confidence = model.segment_with_confidence(images)
    assert torch.equal(maps, model.segment(images))  # type: ignore[attr-defined]
    assert confidence.shape == maps.shape and confidence.dtype == torch.float32
    assert bool(((confidence >= 0) & (confidence <= 1)).all())
