"""What a user of the library imports and stores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from pydantic import BaseModel, ValidationError
from safetensors.torch import load_file, save_file

import pctrans
from pctrans.config import BackboneConfig, Config, PCTransConfig
from pctrans.hub import config_coder
from pctrans.model import PCTrans


class Plain(Config):
    places: tuple[int, int] = (1, 2)


class WithBackbone(Config):
    backbone: BackboneConfig | None = None
    depth: int = 3


def stored_and_read(config: BaseModel) -> BaseModel:
    """Through JSON, as the hub mixin does it."""
    encode, decode = config_coder(type(config))[type(config)]
    return decode(json.loads(json.dumps(encode(config))))


def test_the_model_is_imported_when_it_is_asked_for() -> None:
    assert pctrans.PCTrans is PCTrans
    with pytest.raises(AttributeError, match="no attribute 'PCTran'"):
        pctrans.PCTran  # noqa: B018


@pytest.mark.parametrize("config", [Plain(places=(7, 8)), WithBackbone(depth=5), WithBackbone(backbone={"width": 16})])
def test_a_configuration_is_stored_as_json(config: Config) -> None:
    assert stored_and_read(config) == config


def test_a_model_that_is_loaded_does_not_ask_for_the_weights_it_started_from() -> None:
    started = BackboneConfig(name="resnet34", width=16, pretrained="somebody/gone")
    expected = WithBackbone(backbone=BackboneConfig(name="resnet34", width=16), depth=4)
    assert stored_and_read(WithBackbone(backbone=started, depth=4)) == expected


def test_a_stored_configuration_is_validated() -> None:
    _, decode = config_coder(Plain)[Plain]
    with pytest.raises(ValidationError, match="place"):
        decode({"place": [1, 2]})


def test_tuples_are_stored_as_lists() -> None:
    encode, _ = config_coder(Plain)[Plain]
    assert encode(Plain()) == {"places": [1, 2]}


@pytest.mark.parametrize("change", ["lacking", "surplus"])
def test_weights_of_another_model_are_refused(change: str, tmp_path: Path) -> None:
    model = PCTrans(PCTransConfig(backbone=BackboneConfig(name="resnet18", width=8), hidden_dim=32))
    model.save_pretrained(tmp_path)
    loaded = PCTrans.from_pretrained(tmp_path)
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in model.state_dict().items())
    weights = load_file(tmp_path / "model.safetensors")
    if change == "lacking":
        weights.popitem()
    else:
        weights["more"] = torch.zeros(1)
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"model\.safetensors (lacks 1|has 1) "):
        PCTrans.from_pretrained(tmp_path)
