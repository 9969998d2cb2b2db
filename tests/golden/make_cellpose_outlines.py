"""Make cellpose_outlines.json: the outlines that Cellpose would save of seeded label maps in its `_rois.zip`.

Cellpose's `outlines_list` takes, of each mask, the longest contour that OpenCV finds with `RETR_EXTERNAL` and
`CHAIN_APPROX_NONE`, and leaves out those of four points or fewer; `save_rois` makes a ROI of each. OpenCV is no
dependency of this project. Run this in an environment of its own:

    python -m venv /tmp/cv && /tmp/cv/bin/pip install opencv-python-headless==5.0.0.93 scipy
    /tmp/cv/bin/python tests/golden/make_cellpose_outlines.py

The label maps are built from the seeds alone, by `label_map`, which the test imports.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from scipy.ndimage import label

SEEDS = range(4)
SHORTEST = 5


def label_map(seed: int) -> np.ndarray:
    """Return (64, 80) uint16 of discs and bars without holes, many side by side or at the border; ids have gaps.

    The integer sequence of MT19937 is fixed by NumPy's compatibility policy.
    """
    random = np.random.RandomState(seed)
    rows, columns = np.mgrid[:64, :80]
    labels = np.zeros((64, 80), np.uint16)
    for index in range(14):
        row, column, radius = random.randint(64), random.randint(80), random.randint(3, 11)
        disc = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
        bar = (abs(rows - row) <= random.randint(3)) & (abs(columns - column) <= radius)
        here = (bar if random.randint(4) == 0 else disc) & (labels == 0)
        if _in_one_piece(here):
            labels[here] = 1 + 3 * index
    return labels


def _in_one_piece(mask: np.ndarray) -> bool:
    """Whether it is there, in one 8-connected piece and without a hole: what an outline alone can tell."""
    pieces, ground = label(mask, np.ones((3, 3)))[1], label(~np.pad(mask, 1))[1]
    return bool(pieces == 1 and ground == 1)


def main() -> None:
    """Write the golden outlines beside this file."""
    import cv2

    cases = []
    for seed in SEEDS:
        labels, outlines = label_map(seed), {}
        for id in np.unique(labels[labels > 0]).tolist():
            mask = (labels == id).astype(np.uint8)
            contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            longest = max(contours, key=len).squeeze(1)
            if len(longest) >= SHORTEST:
                outlines[id] = longest.tolist()
        cases.append({"seed": seed, "outlines": outlines})
    golden = {"made_by": Path(__file__).name, "opencv": version("opencv-python-headless"), "cases": cases}
    path = Path(__file__).with_name("cellpose_outlines.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
