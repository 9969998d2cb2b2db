"""What a model loses on copies of images that people have: other bits, inverted, rescaled.

    python tests/evidence/copies.py MODEL --data bbbc039:../shared/data/bbbc039 [--images 10]

Takes the first images of the test split by name that have objects, writes copies of each, segments them by `predict`
and prints the mean PQ of each kind of copy, and the difference from the images as they are. The truth of a rescaled
copy is the truth, rescaled by the nearest pixel.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import tifffile
from labelled import labelled_samples
from skimage.transform import resize

from benchmarks.data import open_dataset
from benchmarks.data.label_files import write_labels
from benchmarks.data.sample import Sample
from benchmarks.metrics.scoring import mean_scores
from benchmarks.predicting.options import PredictOptions
from benchmarks.predicting.user_images import predict_images
from benchmarks.store.scores import score_folders
from benchmarks.tiling.magnification import resize_labels, resized_shape

Pixels = np.ndarray
"""(H, W) or (H, W, 3) in [0, 1]."""


def _whole(image: Pixels, kind: type[np.unsignedinteger]) -> np.ndarray:
    return (image * np.iinfo(kind).max).round().astype(kind)


def _rescaled(factor: float) -> Callable[[Pixels], np.ndarray]:
    def rescale(image: Pixels) -> np.ndarray:
        size = (*resized_shape(image.shape[:2], factor), *image.shape[2:])
        return _whole(resize(image, size, order=1, anti_aliasing=factor < 1).clip(0, 1), np.uint16)

    return rescale


COPIES: dict[str, tuple[Callable[[Pixels], np.ndarray], float]] = {
    "16 bit": (lambda image: _whole(image, np.uint16), 1.0),
    "8 bit": (lambda image: _whole(image, np.uint8), 1.0),
    "inverted": (lambda image: _whole(1 - image, np.uint16), 1.0),
    "inverted, --invert": (lambda image: _whole(1 - image, np.uint16), 1.0),
    **{f"rescaled by {factor}": (_rescaled(factor), factor) for factor in (0.33, 0.5, 0.75, 1.5, 2.0)},
}
"""How the pixels of each copy are made, and its scale."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--images", type=int, default=10)
    arguments = parser.parse_args()
    dataset = open_dataset(arguments.data)
    samples = labelled_samples(dataset, "test")[: arguments.images]
    print(f"{len(samples)} images of {dataset.name}, test split; mean PQ")
    print(f"{'copy':<18} {'as it is':>9} {'change':>8} {'--diameter auto':>16} {'change':>8}")
    first: float | None = None
    with tempfile.TemporaryDirectory() as folder:
        for name, (make, factor) in COPIES.items():
            cells = []
            for diameter in (None, "auto"):
                place = Path(folder) / f"{name} {diameter}"
                pq = _score(arguments.model, samples, make, factor, place, diameter, invert=name.endswith("--invert"))
                first = pq if first is None else first
                cells += [f"{pq:.4f}", f"{pq - first:+.4f}"]
            print(f"{name:<18} {cells[0]:>9} {cells[1]:>8} {cells[2]:>16} {cells[3]:>8}", flush=True)


def _score(
    model: Path,
    samples: list[Sample],
    make: Callable[[Pixels], np.ndarray],
    factor: float,
    folder: Path,
    diameter: Literal["auto"] | None,
    *,
    invert: bool,
) -> float:
    paths = []
    for sample in samples:
        assert sample.labels is not None
        image = sample.image[0] if np.ptp(sample.image, axis=0).max() == 0 else sample.image.transpose(1, 2, 0)
        path = folder / "images" / f"{sample.id}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, make(image), photometric="rgb" if image.ndim == 3 else "minisblack")
        truth = resize_labels(sample.labels, resized_shape(sample.labels.shape, factor))
        write_labels(folder / "truth" / f"{sample.id}.tif", truth)
        paths.append(path)
    options = PredictOptions(diameter=diameter, invert=invert)
    for one in predict_images(model, paths, folder / "out", device="cpu", options=options):
        if one.problem:
            raise SystemExit(one.problem)
    return mean_scores(score_folders(folder / "truth", folder / "out" / "labels")[0])["pq"]


if __name__ == "__main__":
    main()
