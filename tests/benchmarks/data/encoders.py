"""Image files made by Pillow, tifffile and imagecodecs, and by hand where none of them can."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import tifffile
from PIL import Image

PNG_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}


def tiff(array: np.ndarray, **options: Any) -> bytes:
    """What tifffile writes; grey is MinIsBlack and three channels are RGB where `options` say nothing else."""
    options.setdefault("photometric", "rgb" if array.ndim == 3 and array.shape[2] in (3, 4) else "minisblack")
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, **options)
    return stream.getvalue()


def pillow(image: np.ndarray | Image.Image, kind: str = "TIFF", **options: Any) -> bytes:
    """What Pillow writes."""
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, kind, **options)
    return stream.getvalue()


def pillow_pixels(content: bytes) -> np.ndarray:
    """What Pillow reads."""
    return np.asarray(Image.open(io.BytesIO(content)))


def retagged(content: bytes, **values: int) -> bytes:
    """A TIFF with other values of some tags, by their names."""
    stream = io.BytesIO(content)
    with tifffile.TiffFile(stream, mode="r+") as file:
        for name, value in values.items():
            file.pages.first.tags[name].overwrite(value)
        stream.seek(0)
        return stream.read()


def first_segment(content: bytes) -> bytes:
    """The compressed bytes of the first strip or tile of a TIFF."""
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        page = file.pages.first
        return content[page.dataoffsets[0] :][: page.databytecounts[0]]


def with_palette(indices: np.ndarray, colours: np.ndarray) -> Image.Image:
    """A palette image of Pillow's from (H, W) indices and (N, 3) colours, both uint8."""
    image = Image.fromarray(indices, mode="L")
    image.putpalette(colours.ravel().tolist())
    return image


def orientation_exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[274] = orientation
    return exif


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, interlace: int = 0) -> bytes:
    """A PNG from its filtered rows."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    packed = zlib.compress(rows)
    halves = chunk(b"IDAT", packed[:9]) + chunk(b"IDAT", packed[9:])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + halves + chunk(b"IEND", b"")


# First row and column, and steps between rows and columns, of the seven passes. Source: PNG specification, clause 8.
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def interlaced_png(array: np.ndarray) -> bytes:
    """Interlaced PNG of (H, W, C) uint8 or uint16, without filters."""
    height, width, channels = array.shape
    passes = (array[y::down, x::right] for y, x, down, right in ADAM7)
    rows = b"".join(b"\0" + row.astype(array.dtype.newbyteorder(">")).tobytes() for one in passes for row in one)
    return png(width, height, 8 * array.dtype.itemsize, PNG_COLOURS[channels], rows, interlace=1)


def packed_png(array: np.ndarray, depth: int) -> bytes:
    """Grey PNG of 1, 2 or 4 bits, from (H, W) values."""
    rows = b""
    for row in array:
        bits = "".join(format(int(value), f"0{depth}b") for value in row)
        bits += "0" * (-len(bits) % 8)
        rows += b"\0" + bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    return png(array.shape[1], array.shape[0], depth, 0, rows)


def encode_png16(array: np.ndarray, filters: list[int]) -> bytes:
    """16-bit PNG, encoded byte by byte after the specification; `filters` are the rows' filter types."""
    height, width, channels = array.shape
    pixel, plain = 2 * channels, array.astype(">u2").view(np.uint8).reshape(height, -1).astype(int)
    data = bytearray()
    for y in range(height):
        data.append(filters[y])
        for i in range(width * pixel):
            a = plain[y, i - pixel] if i >= pixel else 0
            b = plain[y - 1, i] if y else 0
            c = plain[y - 1, i - pixel] if y and i >= pixel else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            data.append(int(plain[y, i] - [0, a, b, (a + b) // 2, paeth][filters[y]]) % 256)
    return png(width, height, 16, PNG_COLOURS[channels], bytes(data))


def strip_tiff(
    strips: list[bytes], height: int, width: int, rows: int, *, compression: int = 8, bits: int = 8, **tags: int
) -> bytes:
    """A grey TIFF from compressed strips of `rows` rows, whatever they hold; `tags` are further ones, as tag259=3."""
    values = {256: width, 257: height, 258: bits, 259: compression, 262: 1, 277: 1, 278: rows}
    values |= {int(tag.removeprefix("tag")): value for tag, value in tags.items()}
    start = 8 + 2 + 12 * (len(values) + 2) + 4
    data = start + 8 * len(strips)
    offsets = [data + sum(map(len, strips[:i])) for i in range(len(strips))]
    entries = {tag: (1, value) for tag, value in values.items()}
    many = len(strips) > 1
    entries[273] = (len(strips), start if many else offsets[0])
    entries[279] = (len(strips), start + 4 * len(strips) if many else len(strips[0]))
    body = b"".join(struct.pack("<HHII", tag, 4, *entries[tag]) for tag in sorted(entries))
    arrays = struct.pack(f"<{2 * len(strips)}I", *offsets, *map(len, strips))
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4) + arrays + b"".join(strips)
