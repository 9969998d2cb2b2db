"""How the network starts: as the released code's does, but for centres on a grid."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from pctrans import PCTrans, PCTransConfig
from pctrans.config import BackboneConfig
from pctrans.decoder import QueryDecoder
from pctrans.position import uniform_points

PAPER = PCTransConfig(decoder_layers=2, encoder_layers=1, backbone=BackboneConfig(name="resnet18", width=8))


@pytest.fixture
def model() -> PCTrans:
    """D = 128 and 300 queries, few layers."""
    torch.manual_seed(0)
    return PCTrans(PAPER)


def first_centres(decoder: QueryDecoder) -> Tensor:
    """Before the first layer, (N, 2)."""
    return decoder.reference_point(decoder.position).sigmoid().detach()


@pytest.mark.parametrize("count", [37, 80, 300, 600])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_centres_are_uniform_for_every_seed(count: int, seed: int) -> None:
    """No place of the image is farther than 0.8 / sqrt(N) from one; a square grid has 0.71 / sqrt(N)."""
    torch.manual_seed(seed)
    decoder = QueryDecoder(PAPER.model_copy(update={"num_queries": count, "decoder_layers": 1}))
    centres = first_centres(decoder)
    line = torch.linspace(0, 1, 101)
    places = torch.cartesian_prod(line, line)
    farthest = torch.cdist(places, centres).amin(1).max().item()
    assert farthest <= 0.8 / math.sqrt(count)


@pytest.mark.parametrize("count", range(1, 20))
def test_few_points_lie_evenly_in_near_square_rows(count: int) -> None:
    """Rows as high as each other, points of a row as wide; rows differ by one point at most."""
    points = uniform_points(count)
    assert points.shape == (count, 2)
    heights = sorted(set(points[:, 1].tolist()))
    assert heights == pytest.approx([(row + 0.5) / len(heights) for row in range(len(heights))])
    assert len(heights) == round(math.sqrt(count))
    lengths = []
    for height in heights:
        places = points[points[:, 1] == height, 0]
        lengths.append(len(places))
        assert places.tolist() == pytest.approx([(i + 0.5) / len(places) for i in range(len(places))])
    assert max(lengths) - min(lengths) <= 1


def test_what_the_reference_point_does_not_read_yet_can_be_learned(model: PCTrans) -> None:
    """All hidden units but the four that make the start are Xavier's."""
    weight = model.query_decoder.reference_point.layers[0].weight
    others, bound = weight[4:], xavier_bound(weight)
    assert others.std(1).tolist() == pytest.approx([bound / math.sqrt(3)] * len(others), rel=0.3)
    assert others.abs().max() <= bound


def test_the_first_prediction_has_these_centres_and_layers_keep_them_near(model: PCTrans) -> None:
    torch.manual_seed(1)
    predictions = model(torch.rand(1, 3, 64, 64)).predictions
    start = first_centres(model.query_decoder)
    torch.testing.assert_close(predictions[0].centres[0], start)
    spacing = 1 / math.sqrt(PAPER.num_queries)
    for layer, prediction in enumerate(predictions[1:], 1):
        moved = (prediction.centres[0] - start).norm(dim=-1)
        assert 0 < moved.mean() < 0.5 * layer * spacing


def test_the_transform_is_one_whatever_the_query(model: PCTrans) -> None:
    """So that type 3 of table 3 starts as type 2."""
    queries = 5 * torch.randn(4, PAPER.hidden_dim)
    assert torch.equal(model.query_decoder.transform(queries), torch.ones(4, PAPER.hidden_dim))


def xavier_bound(weight: Tensor) -> float:
    """Glorot and Bengio 2010: uniform up to sqrt(6 / (fan in + fan out))."""
    return math.sqrt(6 / (weight.shape[0] + weight.shape[1]))


def own_starts(model: PCTrans) -> set[str]:
    """What does not start by Xavier's rule, and is tested by itself: centres, offsets, T, sampling of points."""
    special = {"reference_point.layers.0", "reference_point.layers.1", "centre_offset.layers.2", "transform.layers.1"}
    names = {f"query_decoder.{name}" for name in special}
    return names | {
        name for name, _ in model.named_modules() if name.endswith(("sampling_offsets", "attention_weights"))
    }


def test_linear_layers_start_by_xavier_s_rule_without_biases(model: PCTrans) -> None:
    """Attention, feed-forward, encoder and the MLPs of controller, transform and centres."""
    checked = 0
    for name, layer in model.named_modules():
        if not isinstance(layer, (nn.Linear, nn.MultiheadAttention)) or name in own_starts(model):
            continue
        weight, bias = (
            (layer.in_proj_weight, layer.in_proj_bias)
            if isinstance(layer, nn.MultiheadAttention)
            else (layer.weight, layer.bias)
        )
        bound = xavier_bound(weight)
        assert 0.95 * bound < weight.abs().max() <= bound, name
        assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05), name
        assert not bias.any(), name
        checked += 1
    # Two decoder layers (6 projections and one more in the first, 2 of self-attention, 2 of feed-forward), one of the
    # encoder (2 projections, 2 of feed-forward), and of the MLPs the controller 3, offset 2, transform 1.
    assert checked == 2 * (6 + 2 + 2) + 1 + (2 + 2) + (3 + 2 + 1)


def test_offsets_start_small(model: PCTrans) -> None:
    last = model.query_decoder.centre_offset.layers[-1]
    assert last.weight.std().item() == pytest.approx(0.01, rel=0.2) and not last.bias.any()


def test_level_embeddings_have_a_standard_deviation_of_one(model: PCTrans) -> None:
    """The released code's; DETR's descendants have 0.02 or so."""
    assert model.pixel_decoder.level_embedding.std().item() == pytest.approx(1, abs=0.15)


def test_first_masks_depend_on_the_pixel() -> None:
    """By PyTorch's own start the standard deviation over pixels was 0.02, with Xavier's 0.2 and more."""
    torch.manual_seed(0)
    model = PCTrans(PAPER.model_copy(update={"coordinate_unit": 32.0, "num_queries": 80}))
    masks = model(torch.rand(1, 3, 256, 256)).predictions[0].mask_logits
    assert masks.flatten(2).std(-1).mean() > 0.1
