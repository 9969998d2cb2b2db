"""EoMT against the forward pass and the loss of `transformers`, and its checkpoints."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from tiny import RECIPES
from torch import Tensor
from transformers import EomtForUniversalSegmentation, ResNetBackbone, ResNetConfig
from typer.testing import CliRunner

from baselines.eomt import EoMT, EoMTConfig
from benchmarks.cli import app
from pctrans.backbone import PretrainedWeightsError


def build(**changes: Any) -> EoMT:
    torch.manual_seed(0)
    return EoMT(EoMTConfig.model_validate(RECIPES["eomt"].config | changes))


@pytest.fixture
def scene() -> tuple[Tensor, Tensor]:
    """Two images of 64 pixels with two instances and one."""
    torch.manual_seed(0)
    labels = torch.zeros(2, 64, 64, dtype=torch.long)
    labels[0, 4:20, 4:30], labels[0, 30:60, 30:50], labels[1, 20:40, 20:40] = 1, 2, 5
    return torch.rand(2, 3, 64, 64), labels


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_the_last_prediction_is_that_of_transformers(probability: float, scene: tuple[Tensor, Tensor]) -> None:
    model = build().eval()
    model.network.attn_mask_probs.fill_(probability)
    expected = model.network(model.normalise(scene[0]))
    predictions = model(scene[0])
    torch.testing.assert_close(predictions[-1]["class_queries_logits"], expected.class_queries_logits)
    torch.testing.assert_close(predictions[-1]["masks_queries_logits"], expected.masks_queries_logits)
    assert len(predictions) == 3, "in front of each of two layers, and after the last"
    assert predictions[0]["masks_queries_logits"].shape == (2, 10, 32, 32)
    only = model(scene[0], auxiliary=False)
    assert len(only) == (3 if probability else 1)
    assert torch.equal(only[-1]["masks_queries_logits"], predictions[-1]["masks_queries_logits"])


def test_losses_sum_to_that_of_transformers(scene: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same points each time, as the predictions take their turns in another order there."""
    images, labels = scene
    model = build()

    def evenly(*shape: int, device: Any = None) -> Tensor:
        return torch.linspace(0, 1, math.prod(shape)).view(shape)

    monkeypatch.setattr(torch, "rand", evenly)
    losses = model.losses(images, labels)
    masks = [torch.stack([(image == i).float() for i in image.unique() if i > 0]) for image in labels]
    expected = model.network(
        model.normalise(images), mask_labels=masks, class_labels=[torch.zeros(len(m), dtype=torch.long) for m in masks]
    ).loss
    assert set(losses) == {"class", "mask_bce", "mask_dice"}
    torch.testing.assert_close(torch.stack(list(losses.values())).sum(), expected)


def test_positions_are_interpolated_for_images_of_another_size() -> None:
    """A position embedding that rises along the rows rises along the rows of any grid, from end to end alike."""
    model = build().eval()
    ramp = torch.arange(8.0)[:, None].expand(8, 8).flatten()
    model.network.embeddings.position_embeddings.weight.data.copy_(ramp[:, None].expand(-1, 32))
    blank = torch.zeros(1, 3, 128, 32)
    shift = model.network.embeddings.patch_embeddings(blank)[0, 0, 0]
    found = (model._embedded(blank, (16, 4)) - shift)[0, 5:, 0].view(16, 4)
    torch.testing.assert_close(found, found[:, :1].expand(-1, 4))
    torch.testing.assert_close(found[2:-2, 0], (torch.arange(16.0)[2:-2] + 0.5) / 2 - 0.5, atol=0.05, rtol=0)
    same = (model._embedded(torch.zeros(1, 3, 64, 64), (8, 8)) - shift)[0, 5:, 0]
    torch.testing.assert_close(same, ramp)


def test_what_cannot_be_is_refused() -> None:
    for changes, message in [
        ({"num_heads": 5}, "no multiple of num_heads"),
        ({"query_layers": 4}, "query_layers 4 are more than encoder_layers 3"),
        ({"image_size": 60}, "no multiple of patch_size"),
    ]:
        with pytest.raises(ValidationError, match=message):
            build(**changes)


# --- Checkpoints ---


def write_checkpoint(folder: Path, **settings: Any) -> EomtForUniversalSegmentation:
    """An EoMT with sizes unlike the recipe's and masks unlearned, in the layout of a hub checkpoint."""
    sizes = {"hidden_size": 48, "num_attention_heads": 2, "num_hidden_layers": 4, "num_blocks": 3}
    sizes |= {"image_size": 48, "patch_size": 16, "num_register_tokens": 2}
    torch.manual_seed(7)
    config = transformers.EomtConfig(**{"num_labels": 3, "num_queries": 10} | sizes | settings)
    network = EomtForUniversalSegmentation(config)
    network.attn_mask_probs.zero_()
    network.save_pretrained(folder)
    return network


def test_a_model_of_a_checkpoint_outlives_it(tmp_path: Path, scene: tuple[Tensor, Tensor]) -> None:
    images, labels = scene
    original = write_checkpoint(tmp_path / "checkpoint").state_dict()
    model = build(checkpoint=str(tmp_path / "checkpoint"))
    new = {name for name, value in model.network.state_dict().items() if not torch.equal(value, original[name])}
    assert new == {"class_predictor.weight", "class_predictor.bias", "criterion.empty_weight"}
    assert (model.config.hidden_dim, model.config.query_layers, model.config.patch_size) == (48, 3, 16)

    torch.stack(list(model.losses(images, labels).values())).sum().backward()
    model.save_pretrained(tmp_path / "model")
    shutil.rmtree(tmp_path / "checkpoint")
    loaded = EoMT.from_pretrained(tmp_path / "model")
    assert loaded.config == model.config.model_copy(update={"checkpoint": None})
    state = loaded.state_dict()
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert torch.equal(loaded.segment(images), model.eval().segment(images))


def test_queries_and_losses_are_the_configurations_not_the_checkpoints(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path, num_labels=1, no_object_weight=0.7, attention_dropout=0.3)
    model = build(checkpoint=str(tmp_path), num_queries=17)
    assert model.max_instances == 17 and model(torch.rand(1, 3, 64, 64))[-1]["class_queries_logits"].shape[1] == 17
    torch.testing.assert_close(model.network.criterion.empty_weight, torch.tensor([1.0, 0.1]))
    assert torch.equal(model.network.class_predictor.weight, checkpoint.class_predictor.weight)
    assert model.network.config.attention_dropout == 0 and model.network.criterion.num_points == 64


def test_a_checkpoint_that_is_none_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for source in ("tue-mps/coco_instance_eomt_large_640", str(tmp_path / "nowhere")):
        with pytest.raises(PretrainedWeightsError, match=rf"(?s)'{source}'.*local folder.*checkpoint to null"):
            build(checkpoint=source)
    sizes = [8, 16, 32, 64]
    ResNetBackbone(ResNetConfig(embedding_size=8, hidden_sizes=sizes, layer_type="basic")).save_pretrained(tmp_path)
    with pytest.raises(PretrainedWeightsError, match=r"type 'resnet'.*complete 'eomt'"):
        build(checkpoint=str(tmp_path))


def test_a_checkpoint_that_lacks_weights_is_an_error(tmp_path: Path) -> None:
    write_checkpoint(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    name = next(name for name in weights if "mask_head" in name)
    del weights[name]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(PretrainedWeightsError, match=f"lacks 1 weights.*'{name}'"):
        build(checkpoint=str(tmp_path))


@pytest.mark.slow
def test_a_job_at_scale_paper_starts_from_a_folder(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "checkpoint")
    settings = ["training.iterations=2", "training.crop=64", "training.batch_size=1", "training.threads=1"]
    settings += ["model.num_points=64", "testing.threshold_trials=2", "testing.overlap=16"]
    settings += ["training.validate_every=2", f"model.checkpoint={tmp_path / 'checkpoint'}"]
    command = ["train", "eomt", "--data", "synthetic-nuclei?size=64&train=2&val=1&test=1", "--scale", "paper"]
    command += ["--device", "cpu", "--out", str(tmp_path / "out"), *(f"--set={setting}" for setting in settings)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "out" / "jobs").glob("*/result.json"))) == 1
