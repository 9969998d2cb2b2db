"""The query decoder against its transcription from section 3.2: outputs and gradients of all its parameters."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from literal_decoder import literal_decoder, may_attend
from literal_layers import encoding
from torch import Tensor

from pctrans import PCTransConfig
from pctrans.decoder import Prediction, QueryDecoder, _attention_region
from pctrans.pixel_decoder import PixelFeatures
from pctrans.position import cell_centres

DIM = 16
SMALL = PCTransConfig(
    hidden_dim=DIM, num_heads=2, num_queries=6, decoder_layers=5, decoder_feedforward=12, mask_channels=4,
    dynamic_channels=3, coordinate_unit=8.0,
)  # fmt: skip
VARIANTS = {
    "type 1": {"attention_type": 1},
    "type 2": {"attention_type": 2},
    "type 3": {},
    "inner product": {"mask_head": "inner_product", "relative_coordinates": False},
    "no coordinates": {"relative_coordinates": False},
    "masks at 1/4": {"mask_stride": 4},
}


def random_decoder(config: PCTransConfig) -> QueryDecoder:
    """With all parameters random: as it starts, T is one and offsets are almost zero whatever the query."""
    decoder = QueryDecoder(config)
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.4 if parameter.dim() > 1 else 0.7)
    return decoder


def random_features(mask_stride: int) -> PixelFeatures:
    """Two images of 64 × 96 pixels; memory, pixel embedding and mask map are random, positions those of the cells."""
    shapes = [(2, 3), (4, 6), (8, 12)]
    positions = [encoding(cell_centres(h, w, torch.device("cpu")), DIM, 10000.0) for h, w in shapes]
    finest = (8, 12) if mask_stride == 8 else (16, 24)
    return PixelFeatures(
        levels=[torch.randn(2, h * w, DIM) for h, w in shapes],
        positions=positions,
        shapes=shapes,
        pixel_embedding=torch.randn(2, DIM, 8, 12),
        mask_map=torch.randn(2, DIM, *finest),
    )


def in_float64(features: PixelFeatures) -> PixelFeatures:
    return replace(
        features,
        levels=[x.double() for x in features.levels],
        positions=[x.double() for x in features.positions],
        pixel_embedding=features.pixel_embedding.double(),
        mask_map=features.mask_map.double(),
    )


def projection(predictions: list[Prediction]) -> Tensor:
    """A random linear function of all that is predicted at all depths, the same for every caller."""
    torch.manual_seed(7)
    total = torch.zeros((), dtype=torch.float64)
    for p in predictions:
        for part in (p.queries, p.centres, p.mask_logits):
            total = total + (torch.randn(part.shape, dtype=torch.float64) * part).sum() / part[0, 0].numel() ** 0.5
    return total


def leaves(decoder: QueryDecoder, features: PixelFeatures) -> dict[str, Tensor]:
    inputs = {f"level {i}": level for i, level in enumerate(features.levels)} | {"mask map": features.mask_map}
    return dict(decoder.named_parameters()) | {name: tensor.requires_grad_() for name, tensor in inputs.items()}


@pytest.mark.parametrize("name", VARIANTS)
def test_predictions_and_gradients(name: str) -> None:
    """Eq. 2 and 4, what is detached, who is masked where, which level, which position, in all depths."""
    torch.manual_seed(1)
    config = SMALL.model_copy(update=VARIANTS[name])
    decoder = random_decoder(config)
    features = random_features(config.mask_stride)
    exact, exact_features = deepcopy(decoder).double(), in_float64(features)
    ours, theirs = leaves(decoder, features), leaves(exact, exact_features)
    actual, expected = decoder(features), literal_decoder(exact, exact_features, config)
    assert len(actual) == len(expected) == config.decoder_layers + 1
    for found, wanted in zip(actual, expected, strict=True):
        for part in ("queries", "centres", "mask_logits"):
            scale = getattr(wanted, part).abs().max().item()
            torch.testing.assert_close(
                getattr(found, part).double(), getattr(wanted, part), rtol=1e-4, atol=1e-5 * max(scale, 1.0)
            )
    gradients = torch.autograd.grad(projection(actual), list(ours.values()))
    references = torch.autograd.grad(projection(expected), list(theirs.values()))
    largest = max(reference.abs().max().item() for reference in references)
    for leaf, gradient, reference in zip(ours, gradients, references, strict=True):
        scale = reference.abs().max().item()
        # A softmax does not see what is added to all logits of a query: the biases of keys have no gradient.
        assert scale > 1e-6 * largest or ("key" in leaf and leaf.endswith("bias")), leaf
        torch.testing.assert_close(
            gradient.double(),
            reference,
            rtol=2e-3,
            atol=2e-4 * scale + 1e-6 * largest,
            msg=lambda m, leaf=leaf: f"{leaf}: {m}",
        )


@pytest.mark.parametrize("shape", [(2, 3), (4, 6), (8, 12)])
def test_attention_regions_of_the_problem_are_of_all_kinds(shape: tuple[int, int]) -> None:
    """Some empty, some partial: else the comparison above says little about masking."""
    torch.manual_seed(1)
    decoder, features = random_decoder(SMALL), random_features(8)
    masks = torch.cat([p.mask_logits for p in decoder(features)], dim=1)
    region = _attention_region(masks, shape)
    assert torch.equal(region, may_attend(masks, shape))
    inside = torch.nn.functional.interpolate(masks, size=shape, mode="bilinear").flatten(2) > 0
    assert (~inside.any(-1)).any()
    assert (region.any(-1) & ~region.all(-1)).any()
