"""What is done to images before a network and to label maps after it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pctrans.images import Normalise, drop_small, pad_to_multiple


def test_images_have_imagenet_s_mean_and_deviation() -> None:
    """Those that torchvision and transformers write into their preprocessors."""
    images = torch.rand(2, 3, 4, 5)
    normalised = Normalise()(images)
    for channel, (mean, deviation) in enumerate([(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)]):
        expected = (images[:, channel].double() - mean) / deviation
        torch.testing.assert_close(normalised[:, channel].double(), expected, rtol=1e-5, atol=1e-6)


def test_the_mean_is_no_weight() -> None:
    assert not Normalise().state_dict()


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([1, 7, 32]))
def test_padding_is_the_least_that_is_needed_and_zero(height: int, width: int, divisor: int) -> None:
    image = torch.ones(2, height, width)
    padded = pad_to_multiple(image, divisor)
    rows, columns = padded.shape[-2:]
    assert rows % divisor == columns % divisor == 0
    assert height <= rows < height + divisor and width <= columns < width + divisor
    assert torch.equal(padded[:, :height, :width], image) and padded.sum() == image.sum()


def test_padding_is_to_multiples_of_32_which_the_coarsest_map_wants() -> None:
    assert pad_to_multiple(torch.ones(3, 33, 64)).shape == (3, 64, 64)


@given(arrays(np.int64, (5, 6), elements=st.integers(0, 6)), st.integers(0, 8))
def test_small_objects_are_gone_and_the_rest_is_numbered_in_order(labels: np.ndarray, min_area: int) -> None:
    kept = [i for i in range(1, 7) if (labels == i).sum() > min_area]
    expected = np.zeros_like(labels)
    for number, id in enumerate(kept, 1):
        expected[labels == id] = number
    np.testing.assert_array_equal(drop_small(torch.from_numpy(labels), min_area).numpy(), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_padding_keeps_the_type(dtype: torch.dtype) -> None:
    assert pad_to_multiple(torch.ones(1, 5, 5, dtype=dtype)).dtype == dtype
