"""What `predict` gains by continuing images that fit a tile at their border: behind `predicting/small_images.py`.

    python tests/evidence/small_images.py nuclei --data bbbc039:../shared/data/bbbc039 [--windows 40]

Cuts windows of random sizes below the model's tile out of images of the validation split, and prints the mean PQ of the
model on them as networks fill them up, with black, and continued, with the standard error of the difference.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from labelled import labelled_samples, segmenting

from benchmarks.data import open_dataset
from benchmarks.metrics import relabel
from benchmarks.metrics.scoring import score_image
from benchmarks.predicting.small_images import segment_continued
from benchmarks.store.models.saved_model import load_model
from pctrans.images import SIZE_DIVISOR


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--windows", type=int, default=40)
    arguments = parser.parse_args()
    saved = load_model(arguments.model, "cpu")
    samples = labelled_samples(open_dataset(arguments.data), "val")
    generator = np.random.default_rng(0)
    segment = segmenting(saved)

    black, continued = [], []
    while len(black) < arguments.windows:
        sample = samples[generator.integers(len(samples))]
        assert sample.labels is not None
        height, width = (int(side) for side in generator.integers(saved.tile // 2, saved.tile, 2))
        if height % SIZE_DIVISOR == 0 and width % SIZE_DIVISOR == 0:
            continue
        rows, columns = sample.labels.shape
        top, left = int(generator.integers(rows - height + 1)), int(generator.integers(columns - width + 1))
        window = (slice(top, top + height), slice(left, left + width))
        truth = relabel(sample.labels[window])[0]
        if not truth.any():
            continue
        image = np.ascontiguousarray(sample.image[(slice(None), *window)])
        black.append(score_image(truth, segment(image)[0])["pq"])
        continued.append(score_image(truth, segment_continued(segment, image, saved.tile)[0])["pq"])
    gain = np.array(continued) - np.array(black)
    error = gain.std(ddof=1) / len(gain) ** 0.5
    print(f"{len(gain)} windows, validation split; PQ: black {np.mean(black):.4f}, continued {np.mean(continued):.4f}")
    print(f"difference {gain.mean():+.4f} ± {error:.4f} (standard error)")


if __name__ == "__main__":
    main()
