"""Label maps for the tests of metrics."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


@st.composite
def pairs(draw: st.DrawFn, most: int = 5, side: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Two maps of one shape with few ids, so that overlaps, ties and empty maps are common."""
    shape = draw(st.tuples(st.integers(1, side), st.integers(1, side)))
    elements = st.integers(0, most)
    truth = draw(hnp.arrays(np.int32, shape, elements=elements))
    close = draw(hnp.arrays(np.int32, shape, elements=elements))
    # Half of the time the prediction is mostly the truth, so that there are matches to count.
    noise = draw(hnp.arrays(bool, shape, elements=st.booleans())) if draw(st.booleans()) else True
    return truth, np.where(noise, close, truth)


def row(*runs: tuple[int, int]) -> np.ndarray:
    """A one-row label map from runs of (id, length)."""
    return np.concatenate([np.full(length, index) for index, length in runs])[None]
