"""What a model shows and says of images of any size, against what its forward pass gives."""

from __future__ import annotations

import pytest
import torch
from literal_inference import literal_instances
from literal_maps import bilinear

from pctrans import PCTrans, PCTransConfig
from pctrans.config import InferenceConfig
from pctrans.decoder import _attention_region
from pctrans.images import pad_to_multiple
from pctrans.inspection import Inspection
from pctrans.model import PCTransOutput

SIZE = (37, 70)  # padded to 64 × 96; cells of 4, 8 and 16 pixels: 10 × 18, 5 × 9 and 3 × 5


def looked_at(config: PCTransConfig, seed: int = 0) -> tuple[PCTrans, torch.Tensor, PCTransOutput]:
    """A model, two images, and what its forward pass makes of them."""
    torch.manual_seed(seed)
    model = PCTrans(config).eval()
    images = torch.rand(2, 3, *SIZE)
    with torch.no_grad():
        return model, images, model(pad_to_multiple(images))


@pytest.fixture
def seen(tiny: PCTransConfig) -> tuple[Inspection, PCTransOutput]:
    model, images, output = looked_at(tiny)
    return model.inspect(images), output


def test_inspection_is_the_last_prediction_cut_to_the_image(seen: tuple[Inspection, PCTransOutput]) -> None:
    found, output = seen
    last = output.predictions[-1]
    torch.testing.assert_close(found.mask_logits, bilinear(last.mask_logits, (16, 24))[..., :10, :18])
    torch.testing.assert_close(found.queries, last.queries)
    torch.testing.assert_close(found.pixel_embedding, output.pixel_embedding[..., :5, :9])
    assert found.embedding_stride == 8


@pytest.mark.parametrize(("layers", "stride"), [(1, 32), (2, 16), (3, 8), (4, 32)])
def test_attention_is_that_of_the_last_layer_cell_by_cell(layers: int, stride: int, tiny: PCTransConfig) -> None:
    """It is where the mask before the last layer is, and nowhere else; levels go from coarse to fine, and again."""
    model, images, output = looked_at(tiny.model_copy(update={"decoder_layers": layers}))
    found = model.inspect(images)
    shape = (64 // stride, 96 // stride)
    cells = (-(-SIZE[0] // stride), -(-SIZE[1] // stride))
    region = _attention_region(output.predictions[-2].mask_logits, shape).unflatten(-1, shape)
    assert found.attention is not None and found.attention_stride == stride
    assert torch.equal(found.attention > 0, region[..., : cells[0], : cells[1]])


def test_one_image_s_part(seen: tuple[Inspection, PCTransOutput]) -> None:
    both, _ = seen
    part = both.of_image(1)
    for name in ("mask_logits", "queries", "pixel_embedding", "attention"):
        assert torch.equal(getattr(part, name), getattr(both, name)[1]), name
    assert (part.embedding_stride, part.attention_stride) == (8, 8)
    masks, embedding = torch.rand(2, 3, 4, 5), torch.rand(2, 6, 4, 5)
    bare = Inspection(masks, None, embedding, 4, None, None).of_image(0)
    assert torch.equal(bare.mask_logits, masks[0]) and torch.equal(bare.pixel_embedding, embedding[0])
    assert (bare.queries, bare.attention, bare.attention_stride) == (None, None, None)


def test_an_inspected_model_forgets_the_call(tiny: PCTransConfig) -> None:
    model, images, _ = looked_at(tiny)
    model.inspect(images)
    assert not model.query_decoder.last_cross_attention._forward_hooks


def test_instance_maps_of_images_of_any_size(tiny: PCTransConfig) -> None:
    """Evidence is the last masks at 1/4 and the semantic logits at 1/8, cut; objects are cut to the image's pixels."""
    thresholds = InferenceConfig(min_area=5, group_threshold=0.6)
    changes = {"inference": thresholds, "coordinate_unit": 32.0}  # which makes masks that are several objects
    model, images, output = looked_at(tiny.model_copy(update=changes), seed=1)
    masks = bilinear(output.predictions[-1].mask_logits, (16, 24))[..., :10, :18]
    evidence, semantic = model.evidence(images)
    torch.testing.assert_close(evidence, masks)
    assert output.semantic_logits is not None
    assert torch.equal(semantic, output.semantic_logits[..., :5, :9])
    expected = torch.stack([literal_instances(m, (40, 72), thresholds) for m in evidence])[:, : SIZE[0], : SIZE[1]]
    assert expected.amax((1, 2)).min() > 1
    assert torch.equal(model.segment(images), expected)
