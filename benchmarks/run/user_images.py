"""Segmenting a user's own images with a saved model."""

from __future__ import annotations

import glob
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.data import read_image, read_labels
from benchmarks.data.label_files import write_labels
from benchmarks.data.reading import IMAGE_SUFFIXES
from benchmarks.data.sources import parse_split
from benchmarks.errors import UserError
from benchmarks.files import remove_leftovers, write_atomic, write_json
from benchmarks.machine.memory import explaining_lack_of_memory
from benchmarks.metrics import relabel
from benchmarks.run.measurements import measurement_columns, object_measurements
from benchmarks.run.prediction import save_overlay, segment_sample
from benchmarks.store.saved_model import find_model, load_model

PREDICT_FILE = "predict.json"


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
        names = parse_split(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a list of names: {error}") from error
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

    The same call continues where an earlier one stopped: images that have labels are only measured.

    Args:
        tile: side of the tiles in pixels; None for the model's training crop.
        flips: let mirrored views vote, whether or not the model's job did.
        min_size: objects of fewer pixels are dropped.
        overwrite: segment again what is there.

    Raises:
        UserError: no such model, an image that cannot be read, or results that were made otherwise.
    """
    saved = load_model(model, device)
    tile = tile or saved.tile
    flips = flips or saved.testing.flips
    targets = {path: out / "labels" / f"{path.stem}.tif" for path in images}
    options = {"model": _digest(model), "tile": tile, "flips": flips, "min_size": min_size}
    done = set() if overwrite else _done_before(out, options, list(targets.values()))
    for folder in (out, out / "labels", out / "overlays"):
        remove_leftovers(folder)
    write_json(out / PREDICT_FILE, options)
    testing = saved.testing.model_copy(update={"flips": flips, "overlap": min(saved.testing.overlap, tile // 2)})
    rows: list[dict[str, Any]] = []
    for path, target in targets.items():
        image = read_image(path)
        if target in done:
            labels = read_labels(target)
        else:
            with explaining_lack_of_memory(
                f"{path}: segmenting its {image.shape[1]}×{image.shape[2]} pixels in tiles of {tile}",
                "Take a smaller --tile, or cut the image into parts.",
            ):
                labels = segment_sample(saved.segmenter, image, tile, testing, device, saved.precision)
            labels = drop_small(labels, min_size)
            save_overlay(out / "overlays" / f"{path.stem}.png", image, labels)
            write_labels(target, labels)
        rows += [{"image": path.name, **row} for row in object_measurements(labels, image)]
        yield int(labels.max(initial=0))
    table = pd.DataFrame(rows, columns=["image", *measurement_columns(intensity=True)])
    write_atomic(out / "objects.csv", table.to_csv(index=False))


def _digest(model: Path) -> str:
    """SHA-256 of configuration and weights; a method without training has no weights."""
    files = (find_model(model) / name for name in ("config.json", "model.safetensors"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file())).hexdigest()


def _done_before(out: Path, options: dict[str, Any], targets: Sequence[Path]) -> set[Path]:
    """The label maps that an earlier call with the same options left."""
    there = {target for target in targets if target.exists()}
    try:
        before = json.loads((out / PREDICT_FILE).read_text())
    except (OSError, ValueError):
        before = None
    if there and before != options:
        raise UserError(
            f"{min(there)} is there already, and was not made with this model and these options; give another "
            "--out folder, or --overwrite."
        )
    return there


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
