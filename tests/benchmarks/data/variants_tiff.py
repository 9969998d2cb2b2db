"""The TIFF part of the matrix of formats."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import imagecodecs
import numpy as np
from encoders import first_segment, pillow, pillow_pixels, retagged, strip_tiff, tiff, with_palette
from PIL import Image
from variants import Variant, variant

RNG = np.random.default_rng(17)
SIZE = (32, 48)
GREY8 = RNG.integers(0, 256, SIZE).astype(np.uint8)
GREY16 = RNG.integers(0, 65536, SIZE).astype(np.uint16)
GREY12 = GREY16 % 4096
COLOUR8 = RNG.integers(0, 256, (*SIZE, 3)).astype(np.uint8)
COLOUR16 = RNG.integers(0, 65536, (*SIZE, 3)).astype(np.uint16)
PALETTE = RNG.integers(0, 256, (256, 3)).astype(np.uint8)
MASK = GREY8 > 127
# Smooth, so that lossy codecs have something to keep.
WAVE = (127 + 100 * np.sin(np.add.outer(np.arange(SIZE[0]), np.arange(SIZE[1])) / 9)).astype(np.uint8)
WAVES = np.dstack([WAVE, WAVE[::-1], 255 - WAVE])

LOSSLESS = {"lzw": "LZW", "zlib": "deflate", "zstd": "zstd", "lzma": "LZMA", "packbits": "PackBits"}
MAY_CHANGE = "which may change ids"
NOT_READ = "is not read; read are none, LZW"


def tiff_variants() -> Iterator[Variant]:
    yield from _compressions()
    yield from _types()
    yield from _photometric()
    yield from _channels()
    yield from _orientations()
    yield from _layouts()


def _compressions() -> Iterator[Variant]:
    group = "TIFF: compression"
    for name, title in {"": "none", **LOSSLESS}.items():
        for array, what in ((GREY8, "grey, 8 bit"), (GREY16, "grey, 16 bit"), (COLOUR16, "RGB, 16 bit")):
            yield variant(group, f"{title}; {what}", tiff(array, compression=name or None), array)
    yield variant(group, "old deflate (32946)", retagged(tiff(GREY8, compression="zlib"), Compression=32946), GREY8)
    yield variant(group, "LZW, written by libtiff", pillow(GREY16, compression="tiff_lzw"), GREY16)
    yield variant(group, "LZW with predictor", tiff(GREY16, compression="lzw", predictor=2), GREY16)
    floats = GREY16.astype(np.float32)
    yield variant(group, "deflate with floating-point predictor", tiff(floats, compression="zlib", predictor=3), floats)
    for name, title in {"tiff_ccitt": "RLE", "group3": "group 3", "group4": "group 4"}.items():
        content = pillow(MASK, compression=name)
        yield variant(group, f"CCITT, {title}; 1 bit", content, MASK.astype(np.uint8))
    yield from _lossy_compressions(group)
    for name, title in {"jpegxl": "JPEG XL", "jpegxr": "JPEG XR", "png": "PNG"}.items():
        yield variant(group, title, tiff(GREY8, compression=name), NOT_READ)
    yield variant(group, "old JPEG (6)", retagged(tiff(GREY8, compression="jpeg"), Compression=6), NOT_READ)
    yield variant(group, "an unknown number", retagged(tiff(GREY8, compression="zlib"), Compression=4711), NOT_READ)


def _lossy_compressions(group: str) -> Iterator[Variant]:
    for array, what in ((WAVE, "grey"), (WAVES, "YCbCr")):
        content = pillow(array, compression="jpeg")
        yield variant(group, f"JPEG; {what}", content, pillow_pixels(content), MAY_CHANGE)
    content = tiff(WAVES, compression="jpeg", tile=(16, 16))
    yield variant(group, "JPEG; RGB in tiles", content, pillow_pixels(content), MAY_CHANGE)
    yield variant(
        group, "JPEG; 12 bit", tiff(GREY12, compression="jpeg", bitspersample=12), "within JPEG; expected uint8"
    )
    for array, what in ((GREY8, "grey, 8 bit"), (GREY16, "grey, 16 bit"), (COLOUR16, "RGB, 16 bit")):
        content = tiff(array, compression="jpeg2000")
        yield variant(group, f"JPEG 2000, lossless; {what}", content, array, MAY_CHANGE)
    stream = imagecodecs.jpeg2k_encode(WAVE, level=30, codecformat="j2k")
    content = strip_tiff([stream], *SIZE, SIZE[0], compression=34712)
    yield variant(group, "JPEG 2000, lossy", content, pillow_pixels(stream), MAY_CHANGE)
    signed = tiff(GREY8.astype(np.int16), compression="jpeg2000")
    yield variant(group, "JPEG 2000; signed", signed, "within JPEG 2000; expected uint8 or uint16")
    content = tiff(COLOUR8, compression="webp", compressionargs={"lossless": True})
    yield variant(group, "WebP, lossless; RGB", content, COLOUR8, MAY_CHANGE)
    content = tiff(WAVES, compression="webp", compressionargs={"level": 60, "lossless": False})
    yield variant(group, "WebP, lossy; RGB", content, pillow_pixels(first_segment(content)), MAY_CHANGE)
    for array, what in ((GREY16, "grey, 16 bit"), (COLOUR8, "RGB"), (GREY16.astype(np.float32), "float32")):
        yield variant(group, f"LERC; {what}", tiff(array, compression="lerc"), array, MAY_CHANGE)
    holes = imagecodecs.lerc_encode(GREY8, masks=MASK)
    content = strip_tiff([holes], *SIZE, SIZE[0], compression=34887)
    yield variant(group, "LERC with pixels without a value", content, "pixels that have no value")


def _types() -> Iterator[Variant]:
    group = "TIFF: bits and types"
    for bits in (2, 4, 6):
        array = GREY8 % 2**bits
        yield variant(group, f"{bits} bit", tiff(array, bitspersample=bits), array)
    for bits in (10, 12, 14):
        array = GREY16 % 2**bits
        yield variant(group, f"{bits} bit, packed", tiff(array, bitspersample=bits), array)
    for kind in (np.uint32, np.uint64):
        array = GREY16.astype(kind) * 3
        yield variant(group, np.dtype(kind).name, tiff(array, compression="lzw"), array)
    for kind in (np.int8, np.int16, np.int32):
        array = GREY8.astype(np.int16).astype(kind) - kind(3)
        yield variant(group, np.dtype(kind).name, tiff(array, compression="lzw"), array, "the negative value")
        array = (GREY8 // 2).astype(kind)
        yield variant(group, f"{np.dtype(kind).name}, none below 0", tiff(array, compression="lzw"), array)
    for kind in (np.float16, np.float32, np.float64):
        array = GREY8.astype(kind)
        yield variant(group, f"{np.dtype(kind).name}, whole numbers", tiff(array, compression="zlib"), array)
        array = array / kind(2)
        yield variant(group, f"{np.dtype(kind).name}, fractions", tiff(array), array, "save whole-number ids")
    large = np.full(SIZE, 2**31, np.uint32)
    yield variant(group, "ids above 2147483647", tiff(large), large, "the largest that is read is 2147483647")
    apart = np.full(SIZE, 2**24 + 2, np.float32)
    yield variant(group, "float32 ids above 16777216", tiff(apart), apart, "keeps ids apart only up to 16777216")
    yield variant(group, "complex", tiff(GREY8.astype(np.complex64)), "pixels of complex64")


def _photometric() -> Iterator[Variant]:
    group = "TIFF: photometric interpretation"
    for compression in (None, "lzw"):
        how = compression or "none"
        for array, what in ((GREY8, "8 bit"), (GREY16, "16 bit")):
            content = tiff(array, photometric="miniswhite", compression=compression)
            yield variant(group, f"MinIsWhite, {what}; {how}", content, np.iinfo(array.dtype).max - array, array)
    content = tiff(GREY12, photometric="miniswhite", bitspersample=12)
    yield variant(group, "MinIsWhite, 12 bit packed", content, 4095 - GREY12, GREY12)
    yield variant(group, "MinIsWhite, 1 bit", tiff(MASK, photometric="miniswhite"), (~MASK).astype(np.uint8), MASK)
    signed = GREY8.view(np.int8) & 127
    content = tiff(signed, photometric="miniswhite", compression="lzw")
    yield variant(group, "MinIsWhite, int8", content, -1 - signed, signed)
    content = tiff(GREY8.astype(np.float32), photometric="miniswhite")
    yield variant(group, "MinIsWhite, float", content, "no standard defines for floats", GREY8)
    table = PALETTE.T.astype(np.uint16)
    for scale, what in ((257, "16-bit colours"), (256, "colours × 256"), (1, "colours in the lower bits")):
        for compression in (None, "lzw"):
            content = tiff(GREY8, photometric="palette", colormap=table * scale, compression=compression)
            yield variant(group, f"palette, {what}; {compression or 'none'}", content, PALETTE[GREY8], GREY8)
    yield variant(group, "palette, by libtiff", pillow(with_palette(GREY8, PALETTE)), PALETTE[GREY8], GREY8)
    indices = GREY8 % 16
    colours = [(320, "H", 48, (table[:, :16] * 257).ravel().tolist(), True)]
    content = retagged(tiff(indices, bitspersample=4, extratags=colours), PhotometricInterpretation=3)
    yield variant(group, "palette, 4 bit", content, PALETTE[indices], indices)
    content = tiff(GREY8.astype(np.uint32) << 23, extratags=[(320, "H", 768, table.ravel().tolist(), True)])
    content = retagged(content, PhotometricInterpretation=3)
    yield variant(group, "palette, 32 bit", content, "palette indices of uint32; expected up to 16 bits")
    greys = tiff(GREY8, photometric="palette", colormap=np.tile(np.arange(256, dtype=np.uint16)[::-1] * 257, (3, 1)))
    yield variant(group, "palette of greys", greys, 255 - GREY8, GREY8)
    refused = "is not read; expected MinIsBlack"
    four = np.dstack([COLOUR8, GREY8])
    yield variant(group, "CMYK", tiff(four, photometric="separated"), refused)
    yield variant(group, "CIELab", tiff(COLOUR8, photometric="cielab"), refused)
    yield variant(group, "YCbCr without JPEG", retagged(tiff(COLOUR8), PhotometricInterpretation=6), refused)
    yield variant(group, "colour filter array", retagged(tiff(GREY8), PhotometricInterpretation=32803), refused)


def _channels() -> Iterator[Variant]:
    group = "TIFF: channels"
    advice = "expected grey or RGB, with at most a declared alpha"
    four = np.dstack([COLOUR8, GREY8])
    for compression in (None, "lzw", "webp"):
        options = {"compressionargs": {"lossless": True}} if compression == "webp" else {}
        content = tiff(four, extrasamples=["unassalpha"], compression=compression, **options)
        labels = MAY_CHANGE if compression == "webp" else "a label image with 4 channels"
        yield variant(group, f"RGB with alpha; {compression or 'none'}", content, COLOUR8, labels)
    deep = np.dstack([COLOUR16, GREY16])
    content = tiff(deep, extrasamples=["unassalpha"], compression="lzw")
    yield variant(group, "RGB with alpha, 16 bit", content, COLOUR16, "a label image with 4 channels")
    content = tiff(np.dstack([GREY16, GREY16]), photometric="minisblack", planarconfig="contig", extrasamples=[2])
    yield variant(group, "grey with alpha", content, GREY16, "a label image with 2 channels")
    yield from _premultiplied(group)
    content = tiff(four, extrasamples=["unspecified"])
    words = f"unspecified ({GREY8.min()} to {GREY8.max()}); {advice}"
    yield variant(group, "RGB with a fourth, unspecified channel", content, words, "a label image with 4 channels")
    content = tiff(np.dstack([GREY16, GREY12]), photometric="minisblack", planarconfig="contig")
    yield variant(group, "grey with a second, unspecified channel", content, advice, "a label image with 2 channels")
    for compression in (None, "lzw"):
        for count in (2, 4, 5):
            planes = np.stack([GREY16] * (count - 1) + [GREY12])
            content = tiff(planes, imagej=True, metadata={"axes": "CYX"}, compression=compression)
            words = f"{count} channels of uint16: channel 1"
            labels = f"a label image with {count} channels"
            yield variant(group, f"CYX, {count} channels; {compression or 'none'}", content, words, labels)
        content = tiff(np.moveaxis(COLOUR16, 2, 0), imagej=True, metadata={"axes": "CYX"}, compression=compression)
        yield variant(group, f"CYX, 3 channels; {compression or 'none'}", content, COLOUR16)
    planes = np.moveaxis(COLOUR16, 2, 0)
    for compression in (None, "lzw"):
        content = tiff(planes, photometric="rgb", planarconfig="separate", compression=compression)
        yield variant(group, f"RGB in planes; {compression or 'none'}", content, COLOUR16)
    grey = np.dstack([GREY8] * 3)
    yield variant(group, "RGB, three equal channels", tiff(grey), GREY8, "The channels are equal: save one of them")


def _premultiplied(group: str) -> Iterator[Variant]:
    # 255 / 51 = 5, so that multiples of 5 are multiplied and divided without rounding.
    colours = COLOUR8 // 5 * 5
    alpha = np.where(MASK, 51, 255).astype(np.uint8)
    content = tiff(
        np.dstack([(colours.astype(int) * alpha[..., None] // 255).astype(np.uint8), alpha]), extrasamples=[1]
    )
    yield variant(group, "RGB with associated alpha", content, colours, "a label image with 4 channels")
    opaque = np.dstack([COLOUR8, np.full(SIZE, 255, np.uint8)])
    content = tiff(opaque, extrasamples=["assocalpha"], compression="lzw")
    yield variant(group, "RGB with associated alpha, opaque", content, COLOUR8, "a label image with 4 channels")


def _orientations() -> Iterator[Variant]:
    group = "TIFF: orientation"
    for number, turn in TURNS.items():
        for compression in (None, "lzw"):
            content = tiff(GREY8, extratags=[(274, "H", 1, number, True)], compression=compression)
            yield variant(group, f"{number}; {compression or 'none'}", content, turn(GREY8))
    content = tiff(COLOUR8, extratags=[(274, "H", 1, 6, True)])
    yield variant(group, "6; RGB", content, np.rot90(COLOUR8, -1))
    content = tiff(GREY8, extratags=[(274, "H", 1, 0, True)])
    yield variant(group, "0, which means nothing", content, GREY8)


# Words of the EXIF standard: which side of the picture the first row and the first column of the file are.
TURNS = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a.swapaxes(0, 1), 2),
    8: lambda a: np.rot90(a, 1),
}


def _layouts() -> Iterator[Variant]:
    group = "TIFF: layout"
    yield variant(group, "tiles", tiff(GREY16, tile=(16, 16), compression="zstd"), GREY16)
    yield variant(group, "several strips", tiff(GREY16, rowsperstrip=5, compression="lzw"), GREY16)
    yield variant(group, "big-endian", tiff(GREY16, byteorder=">", compression="zlib"), GREY16)
    yield variant(group, "BigTIFF", tiff(GREY16, bigtiff=True), GREY16)
    yield variant(group, "OME", tiff(GREY16, ome=True), GREY16)
    yield variant(group, "ImageJ", tiff(GREY16, imagej=True), GREY16)
    stack = np.stack([GREY8] * 5)
    yield variant(group, "stack of planes", tiff(stack, photometric="minisblack"), "expected one plane")
    zc = tiff(np.zeros((3, 2, *SIZE), np.uint8), imagej=True, metadata={"axes": "ZCYX"})
    yield variant(group, "stack with channels", zc, "expected one plane")
    pages = pillow(GREY8, save_all=True, append_images=[Image.fromarray(COLOUR8)])
    yield variant(group, "pages of different kinds", pages, "holds 2 images; expected one")
    yield from _incomplete(group)


def _incomplete(group: str) -> Iterator[Variant]:
    half = SIZE[0] // 2
    first, second = (zlib.compress(part.tobytes()) for part in (GREY8[:half], GREY8[half:]))
    yield variant(group, "strips, made by hand", strip_tiff([first, second], *SIZE, half), GREY8)
    yield variant(group, "a strip that is missing", strip_tiff([first], *SIZE, half), "strips or tiles are missing")
    yield variant(group, "a strip that is empty", strip_tiff([first, b""], *SIZE, half), "strips or tiles are missing")
    plain = strip_tiff([GREY8[:half].tobytes()], *SIZE, half, compression=1) + bytes(GREY8.nbytes)
    yield variant(group, "a strip that is missing before other bytes", plain, "strips or tiles are missing")
    whole = strip_tiff([GREY8.tobytes()], *SIZE, half, compression=1)
    yield variant(group, "one strip where two are stated", whole, GREY8)
    padded = strip_tiff([first, zlib.compress(GREY8[half:].tobytes() + bytes(SIZE[1]))], *SIZE, half)
    yield variant(group, "a strip with more rows than are left", padded, "cannot be read as TIFF")
    cut = strip_tiff([first, second], *SIZE, half)[:-5]
    yield variant(group, "a strip that was cut short", cut, "goes past the end of the file")
    stream = imagecodecs.jpeg8_encode(WAVE)
    content = strip_tiff([stream[: len(stream) // 2]], *SIZE, SIZE[0], compression=7)
    yield variant(group, "JPEG that was cut short inside", content, "is JPEG without an end")
    for encode, compression, what in (
        (imagecodecs.jpeg8_encode, 7, "JPEG"),
        (imagecodecs.jpeg2k_encode, 34712, "JPEG 2000"),
    ):
        content = strip_tiff([encode(np.zeros((64, 96), np.uint8))], *SIZE, SIZE[0], compression=compression)
        yield variant(group, f"{what} of another size than the page", content, "holds 64 x 96 pixels where 32 x 48")
