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
from transformers import Mask2FormerForUniversalSegmentation, ResNetBackbone, ResNetConfig, SwinConfig
from transformers.models.mask2former.modeling_mask2former import Mask2FormerPreTrainedModel

from baselines.mask2former import Mask2Former, Mask2FormerConfig, Mask2FormerInference, inference
from baselines.mask2former.inference import distinct, paint_instances
from pctrans.backbone import PretrainedWeightsError

STAGES = ["stage1", "stage2", "stage3", "stage4"]


def build(**changes: Any) -> Mask2Former:
    torch.manual_seed(0)
    return Mask2Former(Mask2FormerConfig.model_validate(RECIPES["mask2former"].config | changes))


@pytest.fixture
def scene() -> tuple[Tensor, Tensor]:
    """Two images of 64 pixels with two instances and one."""
    torch.manual_seed(0)
    labels = torch.zeros(2, 64, 64, dtype=torch.long)
    labels[0, 4:20, 4:30], labels[0, 30:60, 30:50], labels[1, 20:40, 20:40] = 1, 2, 5
    return torch.rand(2, 3, 64, 64), labels


# --- Post-processing ---


def resized(logits: Tensor, height: int, width: int) -> list[list[float]]:
    """Bilinear with pixel centres at 0.5, edges repeated."""

    def around(i: int, size: int, source: int) -> tuple[int, int, float]:
        position = min(max((i + 0.5) * source / size - 0.5, 0.0), source - 1.0)
        low = math.floor(position)
        return low, min(low + 1, source - 1), position - low

    rows = []
    for y in range(height):
        top, bottom, v = around(y, height, logits.shape[0])
        row = []
        for x in range(width):
            left, right, u = around(x, width, logits.shape[1])
            upper = (1 - u) * logits[top, left].item() + u * logits[top, right].item()
            lower = (1 - u) * logits[bottom, left].item() + u * logits[bottom, right].item()
            row.append((1 - v) * upper + v * lower)
        rows.append(row)
    return rows


def distinct_literally(
    probabilities: list[float], mask_logits: list[Tensor], padded: int, size: tuple[int, int], s: Mask2FormerInference
) -> list[int]:
    """Best first, each with at least the share of its cells that no kept one has; cells as large as `padded` / h."""
    masks, scores = [], []
    for probability, logits in zip(probabilities, mask_logits, strict=True):
        stride = padded // len(logits)
        cells = {
            (y, x): 1 / (1 + math.exp(-value))
            for y, row in enumerate(logits.tolist())
            for x, value in enumerate(row)
            if y * stride < size[0] and x * stride < size[1] and 1 / (1 + math.exp(-value)) > s.mask_threshold
        }
        masks.append(set(cells))
        scores.append(probability * sum(cells.values()) / max(len(cells), 1))
    kept: list[int] = []
    for query in sorted(range(len(masks)), key=lambda q: -scores[q]):
        visible = masks[query].difference(*(masks[better] for better in kept))
        if masks[query] and len(visible) >= s.visible_share * len(masks[query]):
            kept.append(query)
    return sorted(kept)


def painted_literally(
    class_logits: Tensor, mask_logits: Tensor, padded: tuple[int, int], size: tuple[int, int], s: Mask2FormerInference
) -> list[list[int]]:
    probabilities = [math.exp(a) / (math.exp(a) + math.exp(b)) for a, b in class_logits.tolist()]
    likely = [q for q, probability in enumerate(probabilities) if probability > s.score_threshold]
    shown = distinct_literally([probabilities[q] for q in likely], [mask_logits[q] for q in likely], padded[0], size, s)
    queries = []
    for q in (likely[index] for index in shown):
        mask = [[1 / (1 + math.exp(-value)) for value in row] for row in resized(mask_logits[q], *padded)]
        inside = [v for row in mask[: size[0]] for v in row[: size[1]] if v > s.mask_threshold]
        queries.append((probabilities[q] * sum(inside) / len(inside) if inside else 0.0, mask))
    labels = [[0] * size[1] for _ in range(size[0])]
    for y in range(size[0]):
        for x in range(size[1]):
            best = 0.0
            for number, (score, mask) in enumerate(queries, 1):
                if mask[y][x] > s.mask_threshold and score * mask[y][x] > best:
                    best, labels[y][x] = score * mask[y][x], number
    areas = [sum(row.count(n) for row in labels) for n in range(len(queries) + 1)]
    kept = [n for n in range(1, len(queries) + 1) if areas[n] > s.min_area]
    return [[kept.index(n) + 1 if n in kept else 0 for n in row] for row in labels]


@pytest.mark.parametrize("chunk_values", [1, 3 * 32 * 32, 2**24])
@pytest.mark.parametrize("thresholds", [(0.5, 0.5), (0.2, 0.7), (0.9999, 0.5)])
@pytest.mark.parametrize("visible_share", [0.0, 0.8])
def test_post_processing_equals_its_definition(
    chunk_values: int, thresholds: tuple[float, float], visible_share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "_CHUNK_VALUES", chunk_values)
    torch.manual_seed(0)
    settings = Mask2FormerInference(
        score_threshold=thresholds[0], mask_threshold=thresholds[1], visible_share=visible_share, min_area=12
    )
    class_logits, mask_logits = torch.randn(12, 2), 3 * torch.randn(12, 8, 8) - 2
    painted, _ = paint_instances(class_logits, mask_logits, (32, 32), (27, 30), settings)
    assert painted.tolist() == painted_literally(class_logits, mask_logits, (32, 32), (27, 30), settings)
    assert painted.any() == (thresholds[0] < 0.9)


def test_post_processing_of_two_overlapping_masks() -> None:
    """Class probability 0.9 and mean 0.6 make 0.54, 0.8 and 0.9 make 0.72: the second wins where both are."""
    logit = torch.special.logit
    class_logits = torch.stack((logit(torch.tensor([0.9, 0.8, 0.4])), torch.zeros(3)), dim=1)
    masks = torch.full((3, 1, 6), 0.1)
    masks[0, 0, 0:4], masks[1, 0, 3:5], masks[2, 0, 5:6] = 0.6, 0.9, 0.99
    settings = Mask2FormerInference(visible_share=0.5, min_area=0)
    painted, confidence = paint_instances(class_logits, logit(masks), (1, 6), (1, 6), settings)
    assert painted.tolist() == [[1, 1, 1, 2, 2, 0]]  # the third is less likely an object than not
    assert confidence[0].tolist() == pytest.approx([0.54, 0.54, 0.54, 0.72, 0.72, 0])
    settings = Mask2FormerInference(min_area=2)
    painted, _ = paint_instances(class_logits, logit(masks), (1, 6), (1, 6), settings)
    assert painted.tolist() == [[1, 1, 1, 0, 0, 0]]


def test_of_any_number_of_duplicates_the_best_stays() -> None:
    """In one pass, three alike would share their pixels and all be dropped. What is dropped covers nothing."""
    logit = torch.special.logit
    masks = torch.full((4, 10), 0.1)
    masks[:3, :6] = torch.tensor([[0.8], [0.9], [0.7]])
    masks[3, 4:8] = 0.6  # half of it under the others
    probabilities = torch.full((4,), 0.9)
    found = [distinct(probabilities, logit(masks), Mask2FormerInference(visible_share=s)) for s in (0.0, 0.5, 0.51)]
    assert [kept.tolist() for kept in found] == [[0, 1, 2, 3], [1, 3], [1]]
    assert distinct(probabilities[:0], masks[:0], Mask2FormerInference()).tolist() == []


def test_one_image_of_one_coarse_pixel() -> None:
    assert build().eval().segment(torch.rand(1, 3, 32, 32)).shape == (1, 32, 32)


# --- Losses ---


def test_losses_sum_to_that_of_transformers(scene: tuple[Tensor, Tensor]) -> None:
    images, labels = scene
    model = build()
    torch.manual_seed(1)
    losses = model.losses(images, labels)
    masks = [torch.stack([(image == i).float() for i in image.unique() if i > 0]) for image in labels]
    torch.manual_seed(1)
    expected = model.network(
        model.normalise(images), mask_labels=masks, class_labels=[torch.zeros(len(m), dtype=torch.long) for m in masks]
    ).loss
    assert set(losses) == {"class", "mask_bce", "mask_dice"}
    torch.testing.assert_close(torch.stack(list(losses.values())).sum(), expected)


def test_class_loss_weighs_queries_without_an_object(scene: tuple[Tensor, Tensor]) -> None:
    """2 × the weighted mean of -log p, with weight 1 for matched queries and 0.1 for others, of each prediction."""
    images, labels = scene
    model = build()
    matchings: list[Any] = []
    model.network.criterion.matcher.register_forward_hook(lambda module, inputs, output: matchings.append(output))
    loss = model.losses(images, labels)["class"].item()
    *auxiliary, last = model(images)  # in training mode too: batch statistics, no other state
    expected = 0.0
    for prediction, matching in zip([last, *auxiliary], matchings, strict=True):
        weighted, weights = 0.0, 0.0
        for logits, (matched, _) in zip(prediction["class_queries_logits"], matching, strict=True):
            for query, log_p in enumerate(logits.log_softmax(-1).tolist()):
                is_object = query in matched.tolist()
                weight = 1.0 if is_object else 0.1
                weighted, weights = weighted - weight * log_p[0 if is_object else 1], weights + weight
        expected += 2 * weighted / weights
    assert loss == pytest.approx(expected, rel=1e-4)


def test_defaults_are_the_papers() -> None:
    config = Mask2FormerConfig(backbone={"name": "resnet18", "width": 8}, hidden_dim=32)
    criterion = Mask2Former(config).network.criterion
    assert (criterion.num_points, criterion.oversample_ratio, criterion.importance_sample_ratio) == (12544, 3, 0.75)
    assert criterion.weight_dict == {"loss_cross_entropy": 2, "loss_mask": 5, "loss_dice": 5}
    matcher = criterion.matcher
    assert (matcher.num_points, matcher.cost_class, matcher.cost_mask, matcher.cost_dice) == (12544, 2, 5, 5)
    torch.testing.assert_close(criterion.empty_weight, torch.tensor([1.0, 0.1]))


@pytest.mark.parametrize("layers", [1, 4])
def test_a_prediction_before_the_decoder_and_after_each_layer(layers: int) -> None:
    model = build(decoder_layers=layers)
    predictions = model(torch.rand(1, 3, 64, 64))
    assert len(predictions) == layers + 1 == len(model.network.model.transformer_module.decoder.layers) + 1
    assert all(p["masks_queries_logits"].shape == (1, 10, 16, 16) for p in predictions)
    assert all(p["class_queries_logits"].shape == (1, 10, 2) for p in predictions)


# --- Weights ---


def expected_deviation(name: str, weight: Tensor) -> float:
    """Of the original code's weights, by the layers' names in `transformers`."""
    fan_in, fan_out = weight[0].numel(), len(weight) * weight[0, 0].numel() if weight.ndim > 1 else 0
    if any(part in name for part in ("mask_projection", "adapter_", "layer_1")):  # c2_xavier_fill
        return math.sqrt(1 / fan_in)
    if "mask_embedder" in name or "class_predictor" in name:  # PyTorch's own
        return math.sqrt(1 / (3 * fan_in))
    if any(part in name for part in ("q_proj", "k_proj", "v_proj")):  # one matrix for the three
        return math.sqrt(2 / (fan_in + 3 * fan_out))
    if "sampling_offsets" in name or "attention_weights" in name:
        return 0.0
    if "embed" in name or "queries_features" in name:
        return 1.0
    return math.sqrt(2 / (fan_in + fan_out))


def test_random_weights_are_the_originals() -> None:
    """Not those of `transformers`, whose pixel decoder waits for a checkpoint."""
    model = build(hidden_dim=64, num_queries=30, encoder_layers=2, decoder_layers=2)
    checked = 0
    for name, weight in model.named_parameters():
        if weight.ndim > 1 and not name.startswith("backbone."):
            expected = expected_deviation(name, weight)
            assert weight.std().item() == pytest.approx(expected, rel=0.2, abs=1e-6), name
            checked += 1
        elif "norm" in name and name.endswith("weight"):
            assert (weight == 1).all(), name
    assert checked > 40
    feedforward = model.network.model.pixel_level_module.decoder.encoder.layers[0].fc1
    assert feedforward.bias.std().item() == pytest.approx(math.sqrt(1 / (3 * 64)), rel=0.5)


def test_random_weights_do_not_depend_on_what_transformers_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rules change from release to release: 5.17 drew queries and mask head so small that PQ suffered."""
    usual = build()

    def other(self: Any, module: torch.nn.Module) -> None:
        for parameter in module.parameters(recurse=False):
            torch.nn.init.constant_(parameter, math.nan)

    monkeypatch.setattr(Mask2FormerPreTrainedModel, "_init_weights", other)
    model = build()
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    for name, parameter in model.named_parameters():
        spread = usual.get_parameter(name).std()
        if parameter.numel() > 100:
            assert parameter.std().item() == pytest.approx(spread.item(), rel=0.35, abs=1e-6), name


def test_first_masks_depend_on_the_pixel() -> None:
    """The deviation of mask logits over the pixels; it was 0.09 with the weights of `transformers`."""
    model = build(hidden_dim=64, num_queries=30)
    first = model(torch.rand(2, 3, 128, 128))[0]["masks_queries_logits"]
    assert first.flatten(2).std(-1).mean() > 0.3


def test_backbone_parameters_go_by_that_name() -> None:
    model = build()
    found = {name for name, _ in model.named_parameters() if name.startswith("backbone.")}
    assert found == {f"backbone.{name}" for name, _ in model.backbone.named_parameters()}
    assert not any("encoder.embedder" in name for name, _ in model.named_parameters() if name not in found)
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in model.network.parameters())


def test_nothing_is_stored_twice(tmp_path: Path) -> None:
    model = build()
    model.save_pretrained(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    assert sum(t.numel() for t in stored.values()) == sum(t.numel() for t in model.network.state_dict().values())


def test_pretrained_backbone(tmp_path: Path) -> None:
    resnet = ResNetBackbone(resnet_of_width(8))
    resnet.save_pretrained(tmp_path)
    model = build(backbone={"name": "resnet18", "width": 8, "pretrained": str(tmp_path)})
    encoder = model.network.model.pixel_level_module.encoder.state_dict()
    assert all(torch.equal(encoder[name], value) for name, value in resnet.state_dict().items())
    with pytest.raises(PretrainedWeightsError, match="has layer_type basic"):
        build(backbone={"name": "resnet50", "width": 8, "pretrained": str(tmp_path)})


def resnet_of_width(width: int) -> ResNetConfig:
    sizes = [width * 2**i for i in range(4)]
    return ResNetConfig(
        embedding_size=width, hidden_sizes=sizes, depths=[2] * 4, layer_type="basic", out_features=STAGES
    )


def tiny_swin() -> SwinConfig:
    return SwinConfig(embed_dim=8, depths=[1] * 4, num_heads=[1, 1, 2, 2], window_size=4, out_features=STAGES)


def write_checkpoint(folder: Path, backbone: Any, **settings: Any) -> Mask2FormerForUniversalSegmentation:
    """A Mask2Former with sizes unlike the recipe's, in the layout of a hub checkpoint."""
    sizes = {"hidden_dim": 64, "feature_size": 64, "mask_feature_size": 64, "num_attention_heads": 2}
    sizes |= {"encoder_layers": 2, "encoder_feedforward_dim": 48, "decoder_layers": 3, "dim_feedforward": 40}
    config = transformers.Mask2FormerConfig(
        backbone_config=backbone, **{"num_labels": 3, "num_queries": 10} | sizes | settings
    )
    network = Mask2FormerForUniversalSegmentation(config)
    network.save_pretrained(folder)
    return network


@pytest.mark.parametrize("backbone", [resnet_of_width(8), tiny_swin()], ids=["resnet", "swin"])
def test_a_model_of_a_checkpoint_outlives_it(backbone: Any, tmp_path: Path, scene: tuple[Tensor, Tensor]) -> None:
    images, labels = scene
    original = write_checkpoint(tmp_path / "checkpoint", backbone).state_dict()
    model = build(checkpoint=str(tmp_path / "checkpoint"))
    new = {name for name, value in model.network.state_dict().items() if not torch.equal(value, original[name])}
    assert new == {"class_predictor.weight", "class_predictor.bias", "criterion.empty_weight"}
    assert (model.config.hidden_dim, model.config.num_heads, model.config.decoder_layers) == (64, 2, 2)

    torch.stack(list(model.losses(images, labels).values())).sum().backward()
    model.save_pretrained(tmp_path / "model")
    shutil.rmtree(tmp_path / "checkpoint")
    loaded = Mask2Former.from_pretrained(tmp_path / "model")
    assert loaded.config == model.config.model_copy(update={"checkpoint": None})
    state = loaded.state_dict()
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert torch.equal(loaded.segment(images), model.eval().segment(images))
    loaded.save_pretrained(tmp_path / "again")
    assert Mask2Former.from_pretrained(tmp_path / "again").config == loaded.config


def test_queries_and_losses_are_the_configurations_not_the_checkpoints(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path, resnet_of_width(8), num_labels=1, no_object_weight=0.7, dropout=0.3)
    model = build(checkpoint=str(tmp_path), num_queries=17)
    assert model.max_instances == 17 and model(torch.rand(1, 3, 64, 64))[-1]["class_queries_logits"].shape[1] == 17
    torch.testing.assert_close(model.network.criterion.empty_weight, torch.tensor([1.0, 0.1]))
    assert torch.equal(model.network.class_predictor.weight, checkpoint.class_predictor.weight)
    assert model.network.config.dropout == 0 and model.network.criterion.num_points == 64


def test_a_checkpoint_that_cannot_be_had_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for source in ("facebook/mask2former-swin-small-coco-instance", str(tmp_path / "nowhere"), str(tmp_path)):
        with pytest.raises(PretrainedWeightsError, match=rf"(?s)'{source}'.*local folder.*checkpoint to null"):
            build(checkpoint=source)


def test_a_checkpoint_of_another_model_is_an_error(tmp_path: Path) -> None:
    ResNetBackbone(resnet_of_width(8)).save_pretrained(tmp_path / "resnet")
    with pytest.raises(PretrainedWeightsError, match=r"type 'resnet'.*backbone\.pretrained"):
        build(checkpoint=str(tmp_path / "resnet"))
    write_checkpoint(tmp_path / "wide", resnet_of_width(16))
    with pytest.raises(PretrainedWeightsError, match=r"has hidden_sizes \[16, .*width 8"):
        build(checkpoint=str(tmp_path / "wide"))


def test_a_checkpoint_that_lacks_weights_is_an_error(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, resnet_of_width(8))
    weights = load_file(tmp_path / "model.safetensors")
    name = next(name for name in weights if "mask_projection" in name)
    lacking = {key: value for key, value in weights.items() if key != name}
    save_file(lacking, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(PretrainedWeightsError, match=f"lacks 1 weights.*'{name}'"):
        build(checkpoint=str(tmp_path))
    save_file(lacking | {name: torch.zeros(3)}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(PretrainedWeightsError, match=f"1 of another shape.*'{name}'"):
        build(checkpoint=str(tmp_path))


def test_two_sources_of_backbone_weights_are_an_error() -> None:
    with pytest.raises(ValidationError, match=r"backbone\.pretrained"):
        Mask2FormerConfig(backbone={"pretrained": "microsoft/resnet-50"}, checkpoint="x/y")
