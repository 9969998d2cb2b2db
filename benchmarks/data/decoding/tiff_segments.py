"""Check the strips or tiles of a TIFF before they are decoded: all are there, none is larger than the page says."""

from __future__ import annotations

import math
import mmap

import imagecodecs
import numpy as np
import tifffile

from benchmarks.data.decoding.limits import DAMAGED
from benchmarks.data.decoding.png_jpeg import stated_size
from benchmarks.errors import UserError

_JPEG, _LERC = 7, 34887
# Compressions whose streams state a size, which decoders believe, with Pillow's name for each.
_STREAMS = {_JPEG: "JPEG", 34712: "JPEG2000", 50001: "WEBP", 34927: "WEBP"}


def check_planes(file: tifffile.TiffFile, name: str) -> None:
    """Check that a file of one series has the planes that ImageJ or tifffile wrote in its description.

    Both store planes one after the other behind a single directory; where some were cut off, tifffile returns the
    first.

    Raises:
        UserError: some planes are missing.
    """
    series, page = file.series[0], file.series[0].keyframe
    there = math.prod(series.shape) // page.size
    stated = 1
    if file.imagej_metadata:
        stated = file.imagej_metadata.get("images", 1)
    elif file.shaped_metadata:
        shape = tuple(file.shaped_metadata[0].get("shape", ()))
        # Another program may have cropped the image and kept the description.
        if shape[-len(page.shape) :] == page.shape:
            stated = math.prod(shape) // page.size
    if stated > there:
        raise UserError(f"{name}: its description says {stated} planes, and {there} of them are there: {DAMAGED}.")


def check_segments(series: tifffile.TiffPageSeries, content: bytes | mmap.mmap, name: str) -> None:
    """Check the strips or tiles of each page.

    tifffile fills what is missing with zeros, and JPEG decoders fill what was cut off with grey.

    Raises:
        UserError: a strip or tile is missing, empty or cut short, or states a wrong size.
    """
    pages = [page for page in series.pages if page is not None]
    if len(pages) < len(series.pages):
        raise UserError(f"{name}: {len(series.pages) - len(pages)} of its planes lie in other files; save them as one.")
    for page in pages:
        _check_page(page, series.keyframe, content, name)


def _check_page(
    page: tifffile.TiffPage | tifffile.TiffFrame, keyframe: tifffile.TiffPage, content: bytes | mmap.mmap, name: str
) -> None:
    expected = math.prod(keyframe.chunked)
    spans = list(zip(page.dataoffsets, page.databytecounts, strict=False))[:expected]
    present = sum(count > 0 and offset > 0 for offset, count in spans)
    if present < expected and not _is_one_block(keyframe, spans, expected):
        raise UserError(f"{name}: {expected - present} of its {expected} strips or tiles are missing: {DAMAGED}.")
    compression = int(keyframe.compression)
    if compression == 1:
        return
    for index, (offset, count) in enumerate(spans):
        if offset + count > len(content):
            raise UserError(
                f"{name}: strip or tile {index + 1} of {expected} goes past the end of the file: {DAMAGED}."
            )
        if compression in _STREAMS or compression == _LERC:
            _check_stream(content[offset : offset + count], index, keyframe, name)


def _is_one_block(keyframe: tifffile.TiffPage, spans: list[tuple[int, int]], expected: int) -> bool:
    """Tell whether pixels without compression follow each other, so that wrong counts of strips do no harm."""
    listed = len(spans) == expected or sum(count for _, count in spans) >= keyframe.nbytes
    return bool(keyframe.is_contiguous) and listed


def _check_stream(data: bytes, index: int, page: tifffile.TiffPage, name: str) -> None:
    """Refuse a stream that states another size than the page, before the decoder allocates memory for it."""
    _, _, (_, height, width, samples) = page.decode(None, index)
    if page.compression == _LERC:
        shape = (height, width, samples) if samples > 1 else (height, width)
        # The data are decoded twice, as LERC reports pixels without a value only beside the decoded ones.
        _, valid = imagecodecs.lerc_decode(data, masks=True, out=np.empty(shape, page.dtype))
        if valid is not None and not valid.all():
            raise UserError(f"{name}: LERC with pixels that have no value; expected a value everywhere.")
        return
    if page.compression == _JPEG and not data.rstrip(b"\0").endswith(b"\xff\xd9"):
        raise UserError(f"{name}: strip or tile {index + 1} is JPEG without an end: {DAMAGED}.")
    stated = stated_size(data, _STREAMS[int(page.compression)])
    # The last strip may be coded at the height of the others.
    if stated[1] != width or stated[0] not in (height, page.rowsperstrip):
        raise UserError(
            f"{name}: strip or tile {index + 1} holds {stated[0]} x {stated[1]} pixels where {height} x {width} "
            f"are expected: {DAMAGED}."
        )
