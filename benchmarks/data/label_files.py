"""Label maps as files: one for each image, found by stem."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import tifffile

from benchmarks.data.reading import SUFFIXES, stem_of
from benchmarks.errors import UserError
from benchmarks.files import atomic_path

_LISTED = ", ".join(SUFFIXES)


_ORIGIN = "made of "


def write_labels(path: Path, labels: np.ndarray, *, origin: str | None = None) -> None:
    """Write (H, W) integer labels as a compressed TIFF, 16 bit where the ids fit, else 32 bit.

    Args:
        origin: ASCII words that say what the labels were made of, to be read by `origin_of`.
    """
    dtype = np.uint16 if labels.max(initial=0) < 2**16 else np.uint32
    described = None if origin is None else _ORIGIN + origin
    with atomic_path(path) as temporary:
        tifffile.imwrite(temporary, labels.astype(dtype), compression="zlib", description=described)


def origin_of(path: Path) -> str | None:
    """Return what a label map says that it was made of; None where there is none, it is damaged or does not say."""
    try:
        with tifffile.TiffFile(path) as file:
            description = file.pages.first.description
    except Exception:  # tifffile raises whatever the lie in the file leads to
        return None
    return description.removeprefix(_ORIGIN) if description.startswith(_ORIGIN) else None


def label_files(folder: Path, stems: Collection[str] | None = None) -> dict[str, Path]:
    """Find the label maps of a folder by stem, sorted; hidden files (macOS leaves `._*`) are not data.

    Args:
        stems: the images to find, which the folder must have; None for all.

    Raises:
        UserError: there is no folder or no label map in it, one is missing, or two share a stem.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: not a folder, expected one of label maps ({_LISTED})")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        if (stem := stem_of(path.name)) in files:
            raise UserError(
                f"{folder}: {files[stem].name} and {path.name} have the same stem, and only one "
                "label map an image can be scored: keep one of them"
            )
        files[stem] = path
    if not files:
        raise UserError(f"{folder}: no label map found, expected files ending in {_LISTED}")
    return files if stems is None else _only(files, stems, folder)


def _only(files: Mapping[str, Path], stems: Collection[str], folder: Path) -> dict[str, Path]:
    if missing := [stem for stem in stems if stem not in files]:
        raise UserError(f"{folder}: no label map for {', '.join(missing)}, which the list of images names")
    return {stem: path for stem, path in files.items() if stem in set(stems)}
