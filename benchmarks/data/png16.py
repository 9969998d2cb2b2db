"""PNG with 16 bits in each of several channels, which Pillow cuts down to 8.

A 12-bit camera's colour image would be left with 4 bits. Source: PNG specification (third edition), clause 9
(filtering) and 11.2.1 (IHDR).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {2: 3, 4: 2, 6: 4}
_HEADER = struct.Struct(">IIBBBBB")
_SUB, _UP, _AVERAGE, _PAETH = 1, 2, 3, 4


def png_size(content: bytes) -> tuple[int, int]:
    """Height and width that a PNG's header claims."""
    width, height, *_ = _header(content)
    return height, width


def is_deep_png(content: bytes) -> bool:
    """Whether the PNG has several channels of 16 bits."""
    _, _, depth, colour, *_ = _header(content)
    return depth == 16 and colour in _CHANNELS


def decode_deep_png(content: bytes) -> np.ndarray:
    """Decode a PNG for which `is_deep_png` holds.

    Returns:
        (H, W, C) uint16; C is 2 (grey, alpha), 3 or 4.

    Raises:
        ValueError: interlaced, or damaged.
    """
    width, height, _, colour, _, _, interlace = _header(content)
    if interlace:
        raise ValueError("16-bit colour with interlacing is not supported, save it without")
    pixel = 2 * _CHANNELS[colour]
    size = height * (1 + width * pixel)
    inflater = zlib.decompressobj()
    data = inflater.decompress(b"".join(_data_chunks(content)), size)
    if len(data) != size:
        raise ValueError(f"{len(data)} bytes of pixels where {size} were expected")
    rows = np.frombuffer(data, dtype=np.uint8).reshape(height, 1 + width * pixel)
    decoded = _unfilter(rows[:, 0], rows[:, 1:].reshape(height, width, pixel))
    return decoded.view(">u2").reshape(height, width, -1).astype(np.uint16)


def _header(content: bytes) -> tuple[int, ...]:
    if content[12:16] != b"IHDR" or len(content) < 33:
        raise ValueError("no header")
    return _HEADER.unpack_from(content, 16)


def _data_chunks(content: bytes) -> Iterator[bytes]:
    position = len(PNG_MAGIC)
    while position + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, position)
        kind = content[position + 4 : position + 8]
        body = content[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", content.ljust(position + 12 + length), position + 8 + length)
        if zlib.crc32(kind + body) != checksum:
            raise ValueError(f"chunk {kind!r} does not match its checksum")
        if kind == b"IDAT":
            yield body
        position += 12 + length


def _unfilter(filters: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Undo the row filters: (H,) filter types and (H, W, bytes a pixel) filtered bytes to plain bytes.

    A pixel needs its left, upper and upper-left neighbours, so all pixels of one anti-diagonal are
    independent: H + W vectorised steps instead of H * W.
    """
    if filters.max(initial=0) > _PAETH:
        raise ValueError(f"unknown row filter {filters.max()}")
    height, width, pixel = rows.shape
    # A border of zeros stands above and to the left.
    out = np.zeros((height + 1, width + 1, pixel), dtype=np.int16)
    for diagonal in range(height + width - 1):
        y = np.arange(max(0, diagonal - width + 1), min(height, diagonal + 1))
        x = diagonal - y
        left, above, corner = out[y + 1, x], out[y, x + 1], out[y, x]
        kind = filters[y][:, None]
        predicted = np.select(
            [kind == _SUB, kind == _UP, kind == _AVERAGE, kind == _PAETH],
            [left, above, (left + above) >> 1, _paeth(left, above, corner)],
            default=0,
        )
        out[y + 1, x + 1] = (rows[y, x] + predicted) & 0xFF
    return np.ascontiguousarray(out[1:, 1:].astype(np.uint8))


def _paeth(left: np.ndarray, above: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Whichever neighbour is nearest to left + above - corner; ties in that order."""
    to_left, to_above = np.abs(above - corner), np.abs(left - corner)
    to_corner = np.abs(left + above - 2 * corner)
    nearest = np.where(to_above <= to_corner, above, corner)
    return np.where((to_left <= to_above) & (to_left <= to_corner), left, nearest)
