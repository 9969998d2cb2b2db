"""Make stardist_matching.json: what StarDist's own `matching` says about seeded label maps.

StarDist is no dependency of this project. Run this in an environment of its own:

    python -m venv /tmp/stardist && /tmp/stardist/bin/pip install stardist==0.9.2
    /tmp/stardist/bin/python tests/golden/make_stardist_matching.py

The label maps are built from the seeds alone, by `label_maps`, which the test imports.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

SEEDS = range(12)
THRESHOLDS = [percent / 100 for percent in range(50, 100, 5)]
FIGURES = ("tp", "fp", "fn", "accuracy", "f1", "panoptic_quality", "mean_matched_score")


def label_maps(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a truth and a prediction, (96, 128) uint16, of jittered, missed and invented discs.

    Ids have gaps. The integer sequence of MT19937 is fixed by NumPy's compatibility policy.
    """
    random = np.random.RandomState(seed)
    rows, columns = np.mgrid[:96, :128]
    truth, prediction = np.zeros((2, 96, 128), np.uint16)
    for index in range(random.randint(5, 30)):
        row, column, radius = random.randint(96), random.randint(128), random.randint(4, 14)
        shift_row, shift_column, grown = random.randint(-3, 4, size=3)
        fate = random.randint(10)
        if fate != 0:
            truth[(rows - row) ** 2 + (columns - column) ** 2 < radius**2] = 1 + 3 * index
        if fate != 1:
            moved = (rows - row - shift_row) ** 2 + (columns - column - shift_column) ** 2
            prediction[moved < (radius + grown) ** 2] = 7 + 2 * index
    return truth, prediction


def main() -> None:
    """Write the golden numbers beside this file."""
    from stardist.matching import matching

    cases: list[dict[str, Any]] = []
    for seed in SEEDS:
        results = matching(*label_maps(seed), thresh=THRESHOLDS)
        figures = {name: [float(getattr(result, name)) for result in results] for name in FIGURES}
        cases.append({"seed": seed, **figures})
    golden = {
        "made_by": Path(__file__).name,
        "stardist": version("stardist"),
        "numpy": version("numpy"),
        "thresholds": THRESHOLDS,
    }
    lines = ",\n".join(f"  {json.dumps(case)}" for case in cases)
    text = json.dumps(golden, indent=1)[:-2] + f',\n "cases": [\n{lines}\n ]\n}}\n'
    Path(__file__).with_name("stardist_matching.json").write_text(text)


if __name__ == "__main__":
    main()
