"""Finding the image files that a user names, by files, folders, globs and lists of names."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from benchmarks.data.decoding.limits import MAX_LIST_BYTES
from benchmarks.data.planes.microscope import is_microscope_file
from benchmarks.data.planes.reading import image_stem
from benchmarks.data.reading import IMAGE_SUFFIXES, read_bytes
from benchmarks.data.sources import parse_split
from benchmarks.errors import UserError


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
            known = files.setdefault(image_stem(path.name), path)
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
        names = parse_split(read_bytes(path, MAX_LIST_BYTES))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} cannot be read as a list of names: {error}") from error
    if not names:
        raise UserError(f"{path} is empty: expected one name a line.")
    return names


def _globbed(path: Path) -> list[Path]:
    """Find the files of a glob; the folders at its beginning that are there are no pattern, whatever their names."""
    literal, rest = Path(path.anchor), list(path.parts[len(Path(path.anchor).parts) :])
    while rest and (literal / rest[0]).is_dir():
        literal /= rest.pop(0)
    pattern = str(Path(glob.escape(str(literal)), *rest))
    return [Path(name) for name in glob.glob(pattern, recursive=True)]  # noqa: PTH207


def _matching(text: str) -> list[Path]:
    path = Path(text).expanduser()
    if path.is_dir() and not _is_image(path):
        found = [file for file in path.iterdir() if not file.name.startswith(".")]
    else:
        found = [path] if path.exists() else _globbed(path)
    images = sorted(file for file in found if _is_image(file))
    if not images:
        raise UserError(
            f"'{text}' names no PNG, TIFF or JPEG image, nor one of a microscope: expected a file, a folder or a glob."
        )
    return images


def _is_image(path: Path) -> bool:
    """Whether a file, or a folder of OME-Zarr, is named as an image."""
    if path.is_dir():
        return path.suffix.lower() == ".zarr"
    return path.is_file() and (path.suffix.lower() in IMAGE_SUFFIXES or is_microscope_file(path))
