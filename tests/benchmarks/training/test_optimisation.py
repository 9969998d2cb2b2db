"""Which parameters decay, at which rate they are changed, and that both survive a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from runnable import runnable
from torch import nn

from benchmarks.errors import UserError
from benchmarks.plan.methods import METHODS, get_method
from benchmarks.plan.resolving import model_at
from benchmarks.plan.settings import TrainingSettings
from benchmarks.training.checkpoint import load_checkpoint, save_checkpoint
from benchmarks.training.optimisation import build_optimiser, set_learning_rate

SETTINGS = TrainingSettings(learning_rate=0.01, weight_decay=0.5, backbone_rate=0.1)
DECODER = "network.model.transformer_module"
EMBEDDINGS = {
    "pctrans": {"pixel_decoder.level_embedding", "query_decoder.content", "query_decoder.position"},
    "mask2former": {
        "network.model.pixel_level_module.decoder.level_embed",
        f"{DECODER}.level_embed.weight",
        f"{DECODER}.queries_embedder.weight",
        f"{DECODER}.queries_features.weight",
    },
    "osformer": {"encoder.level_embedding", "decoder.level_embedding"},
    "discriminative": set(),
    "stardist": set(),
    "cellpose": set(),
    "maskrcnn": set(),
    "eomt": {
        "network.query.weight",
        "backbone.embeddings.cls_token",
        "backbone.embeddings.register_tokens",
        "backbone.embeddings.position_embeddings.weight",
    },
}
"""Parameters of two dimensions and more that map nothing to anything."""
SMALL = {"eomt": {"hidden_dim": 32, "num_heads": 4, "encoder_layers": 3, "query_layers": 2, "num_queries": 10}}
"""Configurations of methods that have none at scale smoke."""


def model(method: str) -> nn.Module:
    torch.manual_seed(0)
    small = SMALL.get(method) or model_at(method, "smoke", "nuclei")
    built = get_method(method).build(small)
    assert isinstance(built, nn.Module)
    return built


def of_parameters(model: nn.Module, optimiser: torch.optim.Optimizer, field: str) -> dict[str, float]:
    """What the optimiser has for each parameter, by name; each is in one group."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    found = [(names[parameter], group[field]) for group in optimiser.param_groups for parameter in group["params"]]
    assert len(found) == len(dict(found)) == len(names)
    return dict(found)


def test_every_trained_method_is_asked() -> None:
    assert set(EMBEDDINGS) == {name for name, method in METHODS.items() if method.trained}


@pytest.mark.parametrize("method", runnable(EMBEDDINGS))
def test_norms_biases_and_embeddings_do_not_decay(method: str) -> None:
    """By shape: norms and biases are vectors, all else is a matrix or a kernel, and embeddings are listed above."""
    built = model(method)
    decay = of_parameters(built, build_optimiser(built, SETTINGS), "weight_decay")
    shapes = {name: parameter.dim() for name, parameter in built.named_parameters()}
    assert shapes.keys() >= EMBEDDINGS[method]
    for name, dimensions in shapes.items():
        assert decay[name] == (0.5 if dimensions >= 2 and name not in EMBEDDINGS[method] else 0.0), name


@pytest.mark.parametrize("method", runnable(EMBEDDINGS))
def test_the_backbone_has_its_own_rate_with_and_without_decay(method: str) -> None:
    built = model(method)
    optimiser = build_optimiser(built, SETTINGS)
    set_learning_rate(optimiser, 0.01)
    rates = of_parameters(built, optimiser, "lr")
    assert {rate for name, rate in rates.items() if name.startswith("backbone.")} == {0.001}
    assert {rate for name, rate in rates.items() if not name.startswith("backbone.")} == {0.01}


def step(model: nn.Module, optimiser: torch.optim.Optimizer, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    set_learning_rate(optimiser, 0.01)
    optimiser.step()


@pytest.mark.parametrize("method", ["pctrans", "mask2former"])
def test_a_checkpoint_brings_back_every_group(method: str, tmp_path: Path) -> None:
    undisturbed, path = model(method), tmp_path / "checkpoint.pt"
    optimiser = build_optimiser(undisturbed, SETTINGS)
    step(undisturbed, optimiser, 1)
    save_checkpoint(path, undisturbed, optimiser, None, 1, 0.0)
    step(undisturbed, optimiser, 2)

    resumed = model(method)
    optimiser = build_optimiser(resumed, SETTINGS)
    assert load_checkpoint(path, resumed, optimiser, None, torch.device("cpu")) == (1, 0.0)
    step(resumed, optimiser, 2)
    for (name, expected), actual in zip(undisturbed.named_parameters(), resumed.parameters(), strict=True):
        assert torch.equal(expected, actual), name


def test_a_checkpoint_from_before_there_were_such_groups_is_refused(tmp_path: Path) -> None:
    built, path = model("pctrans"), tmp_path / "checkpoint.pt"
    save_checkpoint(path, built, torch.optim.AdamW(built.parameters()), None, 1, 0.0)
    with pytest.raises(UserError, match="cannot be read as a checkpoint of this job"):
        load_checkpoint(path, built, build_optimiser(built, SETTINGS), None, torch.device("cpu"))
