"""Microscopes' own formats, by bioio and its readers, which are optional packages."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data.decoding.limits import DAMAGED, check_bytes, check_size
from benchmarks.data.planes.choice import PlaneChoice, Stack, scene_index, several_scenes, take
from benchmarks.data.planes.pixel_size import PixelSize, pixel_size
from benchmarks.errors import UserError
from benchmarks.files import file_digest

_EXTRA = "pip install 'pctrans-bench[microscopes]'"
_MICROMETRE = "micrometer"


@dataclass(frozen=True)
class _Format:
    """How a format is read.

    Attributes:
        title: what people call it.
        module: the reader for bioio.
        install: what to do where it is not there.
        unit: of sizes without one: some readers give micrometres without saying so.
        uncalibrated: the size that a reader gives where the file knows none.
    """

    title: str
    module: str
    install: str = _EXTRA
    unit: str | None = _MICROMETRE
    uncalibrated: float | None = None


_FORMATS = {
    ".nd2": _Format("ND2", "bioio_nd2", uncalibrated=1.0),
    ".lif": _Format("LIF", "bioio_lif"),
    ".zarr": _Format("OME-Zarr", "bioio_ome_zarr", unit=None),
    ".czi": _Format(
        "CZI",
        "bioio_czi",
        f"{_EXTRA}, and `pip install bioio-czi`, which is no part of it as its licence is GPL-3.0. Or export the image "
        "as OME-TIFF",
    ),
}
MICROSCOPE_SUFFIXES = tuple(_FORMATS)


def is_microscope_file(path: Path) -> bool:
    """Whether a name is that of a format that is read by optional packages; OME-Zarr is a folder."""
    return path.suffix.lower() in _FORMATS


def microscope_digest(path: Path) -> str:
    """Return the SHA-256 (hex) of a file, or of all files of a folder with their names.

    Raises:
        UserError: it cannot be read.
    """
    try:
        if not path.is_dir():
            return file_digest(path)
        digest = hashlib.sha256()
        for file in sorted(one for one in path.rglob("*") if one.is_file()):
            digest.update(f"{file.relative_to(path).as_posix()}\0{file_digest(file)}\n".encode())
        return digest.hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}).") from error


def read_microscope_plane(path: Path, choice: PlaneChoice) -> np.ndarray:
    """Read the plane that was chosen.

    Returns:
        (H, W), or (H, W, 3) of red, green and blue, in the file's own type.

    Raises:
        UserError: the package that reads it is not installed, something is to be chosen and was not, or is not there,
            or the file is damaged.
    """
    image = _opened(path, choice)
    try:
        return take(_stack(image, str(path)), choice)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # readers raise whatever the lie in the file leads to
        raise _unreadable(path, error) from error


def microscope_pixel_size(path: Path, choice: PlaneChoice) -> PixelSize | None:
    """Read how large a pixel is; None where the file does not say."""
    image = _opened(path, choice)
    try:
        size, units = image.physical_pixel_sizes, image.dimension_properties
        kind = _FORMATS[path.suffix.lower()]
        if kind.uncalibrated is not None and kind.uncalibrated == size.X == size.Y:
            return None
        default = kind.unit
        return pixel_size(size.X, size.Y, *(str(axis.unit or default or "") for axis in (units.X, units.Y)))
    except Exception:  # what is beside the pixels must not keep anybody from them
        return None


def _opened(path: Path, choice: PlaneChoice) -> Any:
    """Open a file at the image that was chosen.

    Raises:
        UserError: see `read_microscope_plane`.
    """
    kind = _FORMATS[path.suffix.lower()]
    if missing := [module for module in ("bioio", kind.module) if find_spec(module) is None]:
        raise UserError(f"{path}: {kind.title} is read by {missing[0]}, which is not installed: {kind.install}.")
    try:
        reader = importlib.import_module(kind.module).Reader
        image = importlib.import_module("bioio").BioImage(path.resolve(), reader=reader)
        scenes = [str(scene) for scene in image.scenes]
    except Exception as error:
        raise _unreadable(path, error) from error
    if choice.scene is None and len(scenes) > 1:
        raise UserError(several_scenes(scenes, str(path)))
    image.set_scene(0 if choice.scene is None else scene_index(choice.scene, scenes, str(path)))
    return image


def _stack(image: Any, name: str) -> Stack:
    """Describe what bioio has opened; it gives every image the axes T, C, Z, Y, X, and S where pixels have samples."""
    sizes = {axis: int(image.dims[axis][0]) for axis in ("C", "Z", "T")}
    height, width = (int(image.dims[axis][0]) for axis in "YX")
    samples = "S" in image.dims.order
    check_size(height, width, name)
    check_bytes((height, width, int(image.dims["S"][0]) if samples else 1), image.dtype.itemsize, name)

    def load(chosen: Mapping[str, int]) -> np.ndarray:
        at = {axis: chosen.get(axis, 0) for axis in sizes}
        plane = np.asarray(image.get_image_dask_data("YXS" if samples else "YX", **at).compute())
        if samples and plane.shape[2] not in (1, 3):
            raise UserError(f"{name}: pixels of {plane.shape[2]} samples; expected grey or RGB. Export it as OME-TIFF.")
        return plane[..., 0] if samples and plane.shape[2] == 1 else plane

    names = [str(channel) for channel in image.channel_names or ()]
    return Stack(name, sizes, load, tuple(names) if len(names) == sizes["C"] and not samples else ())


def _unreadable(path: Path, error: Exception) -> UserError:
    title = _FORMATS[path.suffix.lower()].title
    return UserError(f"{path}: cannot be read as {title} ({error}): {DAMAGED}.")
