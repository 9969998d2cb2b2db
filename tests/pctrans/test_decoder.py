"""Eq. 2, eq. 4 and the decoder's parts; the decoder as a whole is in `test_decoder_literal.py`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch
from literal_layers import encoding, mlp
from torch import Tensor

from pctrans import PCTransConfig
from pctrans.decoder import Prediction, QueryDecoder, _attention_region
from pctrans.model import PCTrans
from pctrans.position import cell_centres, sinusoidal


def test_a_query_attends_inside_its_mask_or_everywhere_if_that_is_empty() -> None:
    logits = torch.full((1, 2, 4, 4), -5.0)
    logits[0, 0, :2, :2] = 5.0
    region = _attention_region(logits, (2, 2))
    assert region[0].tolist() == [[True, False, False, False], [True] * 4]
    logits[0, 1] = 0.0  # a soft mask of 0.5 is not above 0.5
    logits[0, 1, 3, 3] = 1.0
    assert _attention_region(logits, (4, 4))[0, 1].nonzero().tolist() == [[15]]


def test_sinusoidal_against_its_formula() -> None:
    encoded = sinusoidal(torch.tensor([[0.25, 0.75]]), 8, 20.0)[0].tolist()
    expected = []
    for value in (0.75, 0.25):  # y first
        for i in range(2):
            angle = value * 2 * math.pi / 20 ** (i / 2)
            expected += [math.sin(angle), math.cos(angle)]
    assert encoded == pytest.approx(expected, abs=1e-6)


def test_cell_centres_go_row_by_row() -> None:
    assert cell_centres(1, 2, torch.device("cpu")).tolist() == [[0.25, 0.5], [0.75, 0.5]]


@dataclass
class Depth:
    """What one layer was given and gave, beside the predictions before and after it."""

    queries: Tensor
    guide: Tensor
    output: Tensor
    before: Prediction
    after: Prediction


def run_depths(config: PCTransConfig) -> tuple[QueryDecoder, list[Depth]]:
    """A decoder with random weights on random features, observed layer by layer."""
    torch.manual_seed(0)
    model = PCTrans(config)
    for parameter in model.query_decoder.parameters():  # as it starts, offsets are near zero and T is one
        torch.nn.init.normal_(parameter, std=0.3)
    calls: list[tuple[Tensor, Tensor, Tensor]] = []
    for layer in model.query_decoder.layers:
        layer.register_forward_hook(lambda _, inputs, output: calls.append((inputs[0], inputs[2], output)))
    predictions = model(torch.rand(2, 3, 64, 64)).predictions
    return model.query_decoder, [
        Depth(*call, before, after) for call, (before, after) in zip(calls, pairwise(predictions), strict=True)
    ]


def test_eq_2_an_offset_moves_the_previous_centre_which_is_detached(tiny: PCTransConfig) -> None:
    decoder, depths = run_depths(tiny)
    assert len(depths) == tiny.decoder_layers
    for depth in depths:
        previous = depth.before.centres
        s = torch.log(previous / (1 - previous))
        expected = 1 / (1 + torch.exp(-(mlp(decoder.centre_offset, depth.output) + s)))
        torch.testing.assert_close(depth.after.centres, expected)
        assert (depth.after.centres - previous).abs().max() > 0.01  # there is something to see
    for depth in depths[1:]:  # the point loss sees a centre whose gradient goes through its own offset only
        [gradient] = torch.autograd.grad(
            depth.after.centres.sum(), depth.before.centres, allow_unused=True, retain_graph=True
        )
        assert gradient is None
        [gradient] = torch.autograd.grad(depth.after.centres.sum(), depth.output, retain_graph=True)
        assert gradient.abs().max() > 0


@pytest.mark.parametrize("kind", [2, 3])
def test_eq_4_the_guide_is_t_times_the_encoded_centre(kind: int, tiny: PCTransConfig) -> None:
    """T = MLP(f), but 1 before the first layer and for type 2."""
    decoder, depths = run_depths(tiny.model_copy(update={"attention_type": kind}))
    for index, depth in enumerate(depths):
        expected = encoding(depth.before.centres, tiny.hidden_dim, tiny.query_position_temperature)
        if kind == 3 and index > 0:
            expected = mlp(decoder.transform, depth.queries) * expected
        torch.testing.assert_close(depth.guide, expected, rtol=1e-4, atol=1e-5)


def test_ten_predictions_of_the_paper_s_decoder(tiny: PCTransConfig) -> None:
    model = PCTrans(tiny.model_copy(update={"decoder_layers": 9}))
    predictions = model(torch.rand(1, 3, 64, 96)).predictions
    assert len(predictions) == 10
    assert predictions[-1].mask_logits.shape == (1, 10, 8, 12)
    assert all(((p.centres > 0) & (p.centres < 1)).all() for p in predictions)


def test_inspection_has_the_weights_of_the_last_layer_inside_its_masks(tiny: PCTransConfig) -> None:
    torch.manual_seed(0)
    model = PCTrans(tiny).eval()
    images = torch.rand(1, 3, 64, 64)
    found = model.inspect(images)
    before_last = model(images).predictions[-2].mask_logits
    region = _attention_region(before_last, (8, 8)).view(1, 10, 8, 8)
    assert found.attention is not None and found.attention_stride == 8
    assert (found.attention[~region] == 0).all() and (found.attention[region] > 0).all()
    assert not region.all()
