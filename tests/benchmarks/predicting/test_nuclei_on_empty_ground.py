"""The model that comes with the package finds nothing where nothing is, however an empty image is stretched."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from benchmarks.data.normalisation import normalise
from benchmarks.tiling import segment_image
from pctrans import PCTrans

DRAWN = np.random.default_rng(0)
EMPTY = {
    "noise of a camera": 200 + 10 * DRAWN.standard_normal((200, 260)),
    "counts": DRAWN.poisson(3, (200, 260)),
    "a smooth gradient": 500 + 6000 * gaussian_filter(DRAWN.standard_normal((200, 260)), 30),
    "one value": np.full((200, 260), 700),
}


@pytest.mark.parametrize("name", EMPTY)
def test_no_nuclei_in(name: str) -> None:
    model = PCTrans.from_pretrained("nuclei").eval()
    image = normalise(EMPTY[name].astype(np.uint16), name)
    assert segment_image(model.segment, image, tile=192, overlap=64).max() == 0


def test_without_the_semantic_branch_there_would_be_many() -> None:
    """Else the test above could not fail."""
    model = PCTrans.from_pretrained("nuclei").eval()
    blind = model.config.inference.model_copy(update={"semantic_threshold": None})
    model.config = model.config.model_copy(update={"inference": blind})
    image = normalise(EMPTY["noise of a camera"].astype(np.uint16), "noise")
    assert segment_image(model.segment, image, tile=192, overlap=64).max() > 10
