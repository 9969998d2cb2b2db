"""Make peer_targets.json: what the StarDist and Cellpose packages' own functions say about seeded label maps.

Neither is a dependency of this project. Run this in an environment of its own:

    python -m venv /tmp/peers && /tmp/peers/bin/pip install stardist==0.9.2 "cellpose==3.1.1.3"
    /tmp/peers/bin/python tests/golden/make_peer_targets.py
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest has it

from golden.make_stardist_matching import label_maps

SEEDS = range(3)
EVERY = 151
"""Of the foreground pixels, row by row, so many are passed over for each that is kept."""
RAYS = 32
OVERLAP = 0.4


def dense_labels(seed: int) -> np.ndarray:
    """Return the truth of `label_maps`, numbered without gaps."""
    return np.unique(label_maps(seed)[0], return_inverse=True)[1].reshape(96, 128).astype(np.uint16)


def main() -> None:
    """Write the golden numbers beside this file."""
    from cellpose.dynamics import masks_to_flows_cpu
    from stardist.geometry import star_dist
    from stardist.nms import non_maximum_suppression_sparse
    from stardist.utils import edt_prob

    cases = []
    for seed in SEEDS:
        labels = dense_labels(seed)
        pixels = np.argwhere(labels)
        probability, distances = edt_prob(labels), star_dist(labels, RAYS)
        row, column = pixels[::EVERY].T
        centres = pixels[::7]
        kept = non_maximum_suppression_sparse(
            distances[tuple(centres.T)], probability[tuple(centres.T)], centres, nms_thresh=OVERLAP
        )[0]
        flows = masks_to_flows_cpu(labels.astype(np.int32))[0][:, row, column].T
        case = {
            "probability": probability[row, column],
            "distances": distances[row, column],
            "flows": flows,
            "kept": kept,
        }
        cases.append({"seed": seed, **{name: np.round(value, 4).tolist() for name, value in case.items()}})
    golden = {"made_by": Path(__file__).name} | {name: version(name) for name in ("stardist", "cellpose")}
    lines = ",\n".join(f"  {json.dumps(case)}" for case in cases)
    text = json.dumps(golden, indent=1)[:-2] + f',\n "cases": [\n{lines}\n ]\n}}\n'
    Path(__file__).with_name("peer_targets.json").write_text(text)


if __name__ == "__main__":
    main()
