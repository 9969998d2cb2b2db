"""PCTrans as a whole; what is asked of every method is in `tests/baselines/test_every_method.py`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from scenes import squares

from benchmarks.metrics import image_metrics
from pctrans import PCTrans, PCTransConfig
from pctrans.config import BackboneConfig, InferenceConfig, LossWeights
from pctrans.criterion import comparison_map

OFF = {"semantic": 0.0, "discriminative": 0.0, "query_contrast": 0.0, "mask_contrast": 0.0}
ABLATIONS = {
    "full": {},
    "attention type 1": {"attention_type": 1},
    "attention type 2": {"attention_type": 2},
    "no self-attention layers": {"encoder_layers": 0},
    "inner product": {"mask_head": "inner_product", "relative_coordinates": False},
    "no coordinates": {"relative_coordinates": False},
    "no extra losses": {"loss_weights": LossWeights(**OFF)},
    "row 1": {
        "mask_head": "inner_product",
        "relative_coordinates": False,
        "loss_weights": LossWeights(**OFF),
    },
    "only QEC": {"loss_weights": LossWeights(mask_contrast=0)},
    "only MCC": {"loss_weights": LossWeights(query_contrast=0)},
    "released QEC": {"query_contrast_form": "released"},
    "masks at 1/4": {"mask_stride": 4},
}


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_parameter_gets_a_gradient(name: str, tiny: PCTransConfig, batch) -> None:
    torch.manual_seed(0)
    model = PCTrans(tiny.model_copy(update=ABLATIONS[name]))
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3)
    for _ in range(2):  # deformable attention starts with zero weights: before them, gradients begin a step later
        optimiser.step()
        optimiser.zero_grad()
        total = torch.stack(list(model.losses(*batch).values())).sum()
        total.backward()
        assert torch.isfinite(total)
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


def test_losses_are_named_and_weighted(tiny: PCTransConfig, batch) -> None:
    torch.manual_seed(0)
    model = PCTrans(tiny)
    torch.manual_seed(1)
    losses = model.losses(*batch)
    assert set(losses) == {
        "mask_bce", "mask_dice", "point", "discriminative", "semantic", "query_contrast", "mask_contrast",
    }  # fmt: skip
    doubled = LossWeights(**{name: 2 * value for name, value in tiny.loss_weights.model_dump().items()})
    model.config = tiny.model_copy(update={"loss_weights": doubled})
    torch.manual_seed(1)
    for name, value in model.losses(*batch).items():
        torch.testing.assert_close(value, 2 * losses[name], rtol=1e-4, atol=1e-5)


def test_a_batch_without_any_instance_can_be_trained_on(tiny: PCTransConfig, batch) -> None:
    model = PCTrans(tiny)
    losses = model.losses(batch[0], torch.zeros_like(batch[1]))
    total = torch.stack(list(losses.values())).sum()
    total.backward()
    assert torch.isfinite(total)
    assert losses["mask_bce"] == losses["point"] == losses["query_contrast"] == 0


def test_save_and_load_give_the_same_model(tiny: PCTransConfig, tmp_path: Path) -> None:
    model = PCTrans(tiny.model_copy(update={"query_temperature": 2.0})).eval()
    model.save_pretrained(tmp_path / "model")
    assert {path.name for path in (tmp_path / "model").iterdir()} >= {"model.safetensors", "config.json"}
    loaded = PCTrans.from_pretrained(tmp_path / "model").eval()
    assert loaded.config == model.config
    images = torch.rand(1, 3, 64, 64)
    expected, actual = (m(images).predictions[-1].mask_logits for m in (model, loaded))
    assert torch.equal(expected, actual)


def test_masks_at_a_quarter_are_twice_as_fine_and_compared_as_they_are(tiny: PCTransConfig, batch) -> None:
    model = PCTrans(tiny.model_copy(update={"mask_stride": 4}))
    output = model(batch[0])
    masks = output.predictions[-1].mask_logits
    assert masks.shape[-2:] == (16, 16) and output.pixel_embedding.shape[-2:] == (8, 8)
    assert torch.equal(comparison_map(masks, model.config), masks)
    assert comparison_map(masks, tiny).shape[-2:] == (32, 32)
    assert model.eval().segment(batch[0][..., :60, :50]).shape == (3, 60, 50)


def test_batch_entries_do_not_see_each_other(tiny: PCTransConfig) -> None:
    model = PCTrans(tiny).eval()
    images = torch.rand(2, 3, 64, 64)
    together = model(images).predictions[-1].mask_logits
    alone = model(images[1:]).predictions[-1].mask_logits
    torch.testing.assert_close(together[1:], alone, rtol=1e-3, atol=1e-3)


def test_unknown_and_contradictory_settings_are_errors() -> None:
    with pytest.raises(ValidationError, match="num_querys"):
        PCTransConfig(num_querys=3)  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="needs mask_head 'dynamic'"):
        PCTransConfig(mask_head="inner_product")
    with pytest.raises(ValidationError, match="no multiple"):
        PCTransConfig(hidden_dim=128, num_heads=6)


def test_the_paper_s_defaults() -> None:
    config = PCTransConfig()
    assert (config.encoder_layers, config.decoder_layers, config.num_queries) == (6, 9, 300)
    assert config.mask_channels == 16 and config.attention_type == 3
    weights = config.loss_weights
    assert (weights.mask, weights.point, weights.semantic) == (5, 5, 5)
    assert (weights.discriminative, weights.query_contrast, weights.mask_contrast) == (2, 2, 2)


@pytest.mark.slow
@pytest.mark.parametrize("head", ["dynamic", "inner_product"])
def test_a_model_overfits_two_images(head: str) -> None:
    torch.manual_seed(0)
    config = PCTransConfig(
        backbone=BackboneConfig(name="resnet18", width=16),
        hidden_dim=64,
        num_heads=4,
        num_queries=12,
        encoder_layers=1,
        encoder_feedforward=64,
        decoder_layers=3,
        decoder_feedforward=64,
        num_points=1024,
        mask_head=head,
        relative_coordinates=head == "dynamic",
        coordinate_unit=32,
        inference=InferenceConfig(binarise_threshold=0.5, group_threshold=0.5),
    )
    labels = torch.stack(
        [squares(128, [(8, 8), (8, 72), (72, 8), (72, 72)], 48), squares(128, [(8, 32), (72, 56)], 56)]
    )
    images = 0.1 + 0.8 * (labels > 0).float()[:, None].expand(-1, 3, -1, -1)
    images = images + 0.02 * torch.randn(images.shape)
    model = PCTrans(config)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    for step in range(400):
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 if step < 300 else 1e-4
        optimiser.zero_grad()
        torch.stack(list(model.losses(images, labels).values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    maps = model.eval().segment(images)
    for truth, predicted in zip(labels, maps, strict=True):
        assert image_metrics(truth.numpy(), predicted.numpy())["pq"] > 0.95
