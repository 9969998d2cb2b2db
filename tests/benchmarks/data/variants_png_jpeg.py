"""The PNG, JPEG and .npy part of the matrix of formats."""

from __future__ import annotations

import io
from collections.abc import Iterator

import imagecodecs
import numpy as np
from encoders import encode_png16, interlaced_png, orientation_exif, packed_png, pillow, with_palette
from PIL import Image
from variants import Variant, variant
from variants_tiff import COLOUR8, COLOUR16, GREY8, GREY16, MASK, MAY_CHANGE, PALETTE, SIZE, TURNS, WAVE, WAVES

FILTERS = [y % 5 for y in range(SIZE[0])]


def png_jpeg_variants() -> Iterator[Variant]:
    yield from _png()
    yield from _jpeg()
    yield from _npy()
    yield variant("Other files", "GIF", pillow(GREY8, "GIF"), "not a PNG, TIFF or JPEG file")
    yield variant("Other files", "BMP", pillow(GREY8, "BMP"), "not a PNG, TIFF or JPEG file")
    yield variant("Other files", "JPEG 2000", pillow(GREY8, "JPEG2000"), "not a PNG, TIFF or JPEG file")
    yield variant("Other files", "WebP", pillow(COLOUR8, "WEBP"), "not a PNG, TIFF or JPEG file")
    yield variant("Other files", "empty", b"", "it is empty")


def _png() -> Iterator[Variant]:
    group = "PNG"
    for depth in (1, 2, 4):
        values = GREY8 % 2**depth
        yield variant(group, f"grey, {depth} bit", packed_png(values, depth), values)
    yield variant(group, "grey, 8 bit", pillow(GREY8, "PNG"), GREY8)
    yield variant(group, "grey, 16 bit", pillow(GREY16, "PNG"), GREY16)
    yield variant(group, "RGB, 8 bit", pillow(COLOUR8, "PNG"), COLOUR8)
    yield variant(group, "RGB, 16 bit", encode_png16(COLOUR16, FILTERS), COLOUR16)
    rgba = np.dstack([COLOUR16, GREY16])
    yield variant(group, "RGBA, 16 bit", encode_png16(rgba, FILTERS), COLOUR16, "a label image with 4 channels")
    pair = np.dstack([GREY16, GREY16[::-1]])
    yield variant(
        group, "grey with alpha, 16 bit", encode_png16(pair, FILTERS), GREY16, "a label image with 2 channels"
    )
    rgba = np.dstack([COLOUR8, GREY8])
    yield variant(group, "RGBA, 8 bit", pillow(rgba, "PNG"), COLOUR8, "a label image with 4 channels")
    content = pillow(COLOUR8, "PNG", transparency=tuple(COLOUR8[0, 0].tolist()))
    yield variant(group, "RGB with a transparent colour", content, COLOUR8, "a label image with 4 channels")
    yield from _png_palettes(group)
    for number, turn in TURNS.items():
        content = pillow(GREY16, "PNG", exif=orientation_exif(number))
        yield variant(group, f"EXIF orientation {number}", content, turn(GREY16))
    frames = pillow(GREY8, "PNG", save_all=True, append_images=[Image.fromarray(GREY8[::-1])])
    yield variant(group, "animated", frames, "an animated PNG; expected one image")
    broken = bytearray(pillow(GREY8, "PNG"))
    broken[len(broken) // 2] ^= 1
    yield variant(group, "one bit flipped", bytes(broken), "cannot be read as PNG")
    yield variant(group, "cut short", pillow(GREY8, "PNG")[:-200], "cannot be read as PNG")
    for array, what in ((COLOUR8, "8-bit RGB"), (COLOUR16, "16-bit RGB"), (GREY16[..., None], "16-bit grey")):
        yield variant(group, f"interlaced, {what}", interlaced_png(array), array.squeeze())


def _png_palettes(group: str) -> Iterator[Variant]:
    for depth in (1, 2, 4, 8):
        indices = GREY8 & (2**depth - 1)
        content = pillow(with_palette(indices, PALETTE[: 2**depth]), "PNG", bits=depth)
        yield variant(group, f"palette, {depth} bit", content, PALETTE[indices], indices)
    content = pillow(with_palette(GREY8, PALETTE), "PNG", transparency=3)
    yield variant(group, "palette with a transparent index", content, PALETTE[GREY8], GREY8)
    content = pillow(with_palette(GREY8, np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)), "PNG")
    yield variant(group, "palette of greys", content, GREY8)


def _jpeg() -> Iterator[Variant]:
    group = "JPEG"
    for array, what in ((WAVE, "grey"), (WAVES, "RGB")):
        for progressive in (False, True):
            content = pillow(array, "JPEG", quality=90, progressive=progressive)
            how = f"{what}, {'progressive' if progressive else 'baseline'}"
            yield variant(group, how, content, imagecodecs.jpeg8_decode(content), MAY_CHANGE)
    for number, turn in TURNS.items():
        content = pillow(WAVE, "JPEG", exif=orientation_exif(number))
        yield variant(group, f"EXIF orientation {number}", content, turn(imagecodecs.jpeg8_decode(content)), MAY_CHANGE)
    cmyk = pillow(Image.fromarray(WAVES).convert("CMYK"), "JPEG")
    yield variant(group, "CMYK", cmyk, "a JPEG of colours CMYK; expected grey or RGB")
    deep = imagecodecs.jpeg8_encode(GREY16 % 4096, bitspersample=12)
    yield variant(group, "12 bit", deep, "cannot be read as JPEG (no header of an 8-bit JPEG)")
    yield variant(group, "cut short", pillow(WAVE, "JPEG")[:-100], "cannot be read as JPEG")


def _npy() -> Iterator[Variant]:
    group = ".npy"
    for array, what in ((GREY16, "uint16"), (GREY16.astype(np.int64), "int64"), (GREY8.astype(np.float32), "float32")):
        yield variant(group, what, _saved(array), array)
    yield variant(group, "bool", _saved(MASK), MASK.astype(np.uint8))
    yield variant(group, "Fortran order", _saved(np.asfortranarray(GREY16)), GREY16)
    yield variant(group, "(height, width, 3)", _saved(COLOUR8), COLOUR8)
    four = np.dstack([COLOUR8, GREY8])
    yield variant(group, "(height, width, 4)", _saved(four), "4 channels of uint8", "a label image with 4 channels")
    yield variant(group, "four axes", _saved(np.zeros((2, 2, 2, 2))), "expected one image")
    yield variant(group, "text", _saved(np.array([["a"]])), "pixel type <U1 is not supported")
    pickled = io.BytesIO()
    np.save(pickled, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    yield variant(group, "objects", pickled.getvalue(), "never unpickled")
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)})
    yield variant(group, "8 TB by its header", header.getvalue(), "at most 1 GiB is read")


def _saved(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()
