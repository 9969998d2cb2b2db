"""Segmenting a user's own images with a saved model."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.data import read_image
from benchmarks.errors import UserError
from benchmarks.files import write_atomic
from benchmarks.label_files import write_labels
from benchmarks.measurements import measurement_columns, object_measurements
from benchmarks.metrics import relabel
from benchmarks.prediction import save_overlay, segment_sample
from benchmarks.saved_model import load_model

IMAGE_SUFFIXES = {".png", ".tif", ".tiff"}


def find_images(inputs: Sequence[str], stems: Path | None = None) -> list[Path]:
    """The image files that files, folders and globs name, sorted.

    Args:
        stems: a text file with one name a line; only images of these stems are kept, and all must be there.

    Raises:
        UserError: an input without images, two images of one stem, or a listed stem that is missing.
    """
    files: dict[str, Path] = {}
    for text in inputs:
        for path in _matching(text):
            known = files.setdefault(path.stem, path)
            if known.resolve() != path.resolve():
                raise UserError(f"{known} and {path} have the same stem, so their results would have the same name.")
    if stems is not None:
        wanted = read_stems(stems)
        if missing := [stem for stem in wanted if stem not in files]:
            raise UserError(f"{stems} names {missing[0]}, but none of the inputs is an image of that name.")
        files = {stem: files[stem] for stem in wanted}
    return [files[stem] for stem in sorted(files)]


def read_stems(path: Path) -> list[str]:
    """Stems from a text file, one a line, with or without extension.

    Raises:
        UserError: the file cannot be read or is empty.
    """
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a list of names: {error}") from error
    names = [Path(line).stem if Path(line).suffix.lower() in IMAGE_SUFFIXES else line for line in lines if line]
    if not names:
        raise UserError(f"{path} is empty: expected one name a line.")
    return names


def predict_images(
    model: Path,
    images: Sequence[Path],
    out: Path,
    *,
    device: str,
    tile: int | None = None,
    flips: bool = False,
    min_size: int = 0,
    overwrite: bool = False,
) -> Iterator[int]:
    """Segment image by image into labels/, overlays/ and, at the end, objects.csv; yields object counts.

    Args:
        tile: side of the tiles in pixels; None for the model's training crop.
        flips: let mirrored views vote, whether or not the model's job did.
        min_size: objects of fewer pixels are dropped.

    Raises:
        UserError: no such model, an image that cannot be read, or results that are there already.
    """
    targets = {path: out / "labels" / f"{path.stem}.tif" for path in images}
    if not overwrite and (there := [str(t) for t in targets.values() if t.exists()]):
        raise UserError(f"{there[0]} is there already; give another --out folder, or --overwrite.")
    saved = load_model(model, device)
    testing = saved.testing.model_copy(update={"flips": flips or saved.testing.flips})
    rows: list[dict[str, Any]] = []
    for path, target in targets.items():
        image = read_image(path)
        labels = segment_sample(saved.segmenter, image, tile or saved.tile, testing, device)
        labels = drop_small(labels, min_size)
        write_labels(target, labels)
        save_overlay(out / "overlays" / f"{path.stem}.png", image, labels)
        rows += [{"image": path.name, **row} for row in object_measurements(labels, image)]
        yield int(labels.max(initial=0))
    table = pd.DataFrame(rows, columns=["image", *measurement_columns(intensity=True)])
    write_atomic(out / "objects.csv", table.to_csv(index=False))


def drop_small(labels: np.ndarray, min_size: int) -> np.ndarray:
    """Remove objects of fewer than `min_size` pixels from (H, W) labels 0..K and renumber without gaps."""
    areas = np.bincount(labels.ravel())
    areas[0] = max(areas[0], min_size)
    return relabel(np.where(areas[labels] >= min_size, labels, 0))[0].astype(np.int32)


def _matching(text: str) -> list[Path]:
    path = Path(text).expanduser()
    if path.is_dir():
        found = [file for file in path.iterdir() if not file.name.startswith(".")]
    else:
        found = [path] if path.is_file() else [Path(name) for name in glob.glob(str(path), recursive=True)]  # noqa: PTH207
    images = sorted(file for file in found if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file())
    if not images:
        raise UserError(f"'{text}' names no PNG or TIFF image: expected a file, a folder or a glob.")
    return images
