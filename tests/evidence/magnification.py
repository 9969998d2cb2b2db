"""From which size of objects on it pays to resize an image for a model: behind `CLOSE` of `--diameter auto`.

    python tests/evidence/magnification.py nuclei --data bbbc039:../shared/data/bbbc039 [--images 6]

Rescales images of the validation split, every so many, and prints for each scale how large the objects found are,
in diameters of the model's training objects, the mean PQ of the copies as they are, and of copies resized once so
that the objects found have the model's diameter.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from labelled import labelled_samples, segmenting
from skimage.transform import resize

from benchmarks.data import open_dataset
from benchmarks.data.sample import Sample
from benchmarks.metrics.scoring import score_image
from benchmarks.store.models.saved_model import load_model
from benchmarks.tiling.magnification import median_diameter, resize_labels, resized_shape, segment_resized

SCALES = (0.5, 0.65, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--images", type=int, default=6)
    arguments = parser.parse_args()
    saved = load_model(arguments.model, "cpu")
    assert saved.diameter is not None
    dataset = open_dataset(arguments.data)
    samples = labelled_samples(dataset, "val")
    samples = samples[:: max(1, len(samples) // arguments.images)][: arguments.images]
    segment = segmenting(saved)

    print(f"{len(samples)} images of {dataset.name}, validation split; mean PQ")
    print(f"{'scale':>5} {'found':>6} {'as it is':>9} {'resized':>8}")
    for scale in SCALES:
        found, plain, resized = [], [], []
        for sample in samples:
            image, truth = rescaled(sample, scale)
            labels = segment(image)[0]
            size = (median_diameter([labels]) or saved.diameter) / saved.diameter
            found.append(size)
            plain.append(score_image(truth, labels)["pq"])
            resized.append(score_image(truth, segment_resized(segment, image, 1 / size)[0])["pq"])
        print(f"{scale:>5} {np.mean(found):>6.2f} {np.mean(plain):>9.4f} {np.mean(resized):>8.4f}", flush=True)


def rescaled(sample: Sample, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Image (3, H, W) and labels (H, W) at another scale."""
    assert sample.labels is not None
    size = resized_shape(sample.labels.shape, scale)
    planes = [resize(plane, size, order=1, anti_aliasing=scale < 1) for plane in sample.image]
    return np.stack(planes).astype(np.float32).clip(0, 1), resize_labels(sample.labels, size)


if __name__ == "__main__":
    main()
