"""Files that are small on the disk and huge in memory are refused before memory is taken."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import h5py
import imagecodecs
import numpy as np
import pytest
from encoders import PNG_COLOURS, png, retagged, strip_tiff, tiff

from benchmarks.data.cvppp import _groups, _read_array
from benchmarks.data.decoding.limits import MAX_BYTES, MAX_LIST_BYTES, MAX_PIXELS, check_bytes
from benchmarks.data.sources import ZipSource, read_split
from benchmarks.errors import UserError

SIDE = int(MAX_PIXELS**0.5) + 1
ALLOWED = 300 * 2**20

MEASURE = """
import json, resource, sys
from pathlib import Path
from benchmarks.data.cvppp import _read_array
from benchmarks.data.decoding.files import decode
from benchmarks.data.sources import ZipSource
from benchmarks.errors import UserError

def read(path):
    if path.suffix == ".zip":
        return ZipSource(path, "").read("a.tif")
    if path.suffix == ".h5":
        return _read_array(path, "/A1/label")
    return decode(path.read_bytes(), str(path))

said = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        read(path)
        words = "read"
    except UserError as error:
        words = str(error)
    said[path.name] = words, 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
print(json.dumps(said))
"""


def inflating(size: int) -> bytes:
    """Zeros, deflated a thousandfold. Blocks that begin anew after a full flush may be repeated."""
    packer = zlib.compressobj(9)
    first, block = (packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + block * (size // 2**20 - 1) + packer.flush()


def restated(stream: bytes, marker: bytes, offset: int, layout: str, side: int) -> bytes:
    """A JPEG or JPEG 2000 stream that states another height and width, `offset` bytes after a marker."""
    start = stream.index(marker) + offset
    return stream[:start] + struct.pack(layout, side, side) + stream[start + struct.calcsize(layout) :]


def stream_tiff(stream: bytes, compression: int) -> bytes:
    return strip_tiff([stream], 8, 8, 8, compression=compression)


def bombs() -> Iterator[tuple[str, bytes, str]]:
    zeros = np.zeros((8, 8), np.uint8)
    jpeg, jpeg2000 = imagecodecs.jpeg8_encode(zeros), imagecodecs.jpeg2k_encode(zeros, codecformat="j2k")
    yield "pixels.png", png(SIDE, SIDE, 8, 0, bytes(100)), "million are read"
    yield "deep.png", png(SIDE - 1, SIDE - 1, 16, PNG_COLOURS[4], bytes(100)), "cannot be read as PNG"
    yield "pixels.tif", strip_tiff([inflating(2**20)], SIDE, SIDE, SIDE), "million are read"
    wide = np.zeros((8, 8), np.float64)
    content = retagged(tiff(wide, compression="zlib"), ImageWidth=2**14, ImageLength=2**13, RowsPerStrip=2**13)
    yield "bytes.tif", retagged(content, SamplesPerPixel=4), "GiB"
    yield "strip.tif", stream_tiff(inflating(2**30), 8), "cannot be read as TIFF"
    yield "zstd.tif", stream_tiff(imagecodecs.zstd_encode(bytes(2**28)), 50000), "cannot be read as TIFF"
    yield "jpeg.tif", stream_tiff(restated(jpeg, b"\xff\xc0", 5, ">HH", 9000), 7), "9000 x 9000 pixels where 8 x 8"
    stream = restated(jpeg2000, b"\xff\x51", 6, ">II", 9000)
    yield "jpeg2000.tif", stream_tiff(stream, 34712), "9000 x 9000 pixels where 8 x 8"
    yield (
        "lerc.tif",
        stream_tiff(imagecodecs.lerc_encode(np.zeros((9000, 9000), np.uint8)), 34887),
        "cannot be read as TIFF",
    )
    tile = strip_tiff([b"0"], 8, 8, 8, tag322=2**20, tag323=2**20, tag324=8, tag325=1)
    yield "tile.tif", tile, "GiB"
    yield "axes.npy", npy_header((2, 2**20, 2**20)), "at most 1 GiB"
    yield "overflow.npy", npy_header((2**33, 2**31)), "at most 1 GiB"
    yield "short.npy", npy_header((2**13, 2**13)), "cannot be read as a plain .npy"
    yield "huge.jpg", restated(jpeg, b"\xff\xc0", 5, ">HH", SIDE), "million are read"
    yield "lying.zip", zipped(inflating(2**31), 100), "cannot be unpacked"
    yield "honest.zip", zipped(inflating(2**31), 2**31), "at most"


def npy_header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def zipped(deflated: bytes, claimed: int) -> bytes:
    """A zip of one member a.tif, deflated already (with zlib's frame), whose header claims a size."""
    raw = deflated[2:-4]
    fields = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0, 0, len(raw), claimed, 5, 0)
    entry = b"PK\3\4" + fields + b"a.tif" + raw
    listed = b"PK\1\2" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, 0) + b"a.tif"
    return entry + listed + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(listed), len(entry), 0)


def write_hdf5(folder: Path) -> None:
    with h5py.File(folder / "axes.h5", "w") as file:
        file.create_dataset("A1/label", (64, 64, 2**20), np.int64, chunks=(64, 64, 1), compression="gzip")
    with h5py.File(folder / "chunk.h5", "w") as file:
        file.create_dataset("A1/label", (8, 8), np.int64, maxshape=(None, None), chunks=(2**14, 2**14))


def test_bombs_are_refused_in_little_memory(tmp_path: Path) -> None:
    expected = {"axes.h5": "GiB", "chunk.h5": "GiB"}
    write_hdf5(tmp_path)
    for name, content, words in bombs():
        (tmp_path / name).write_bytes(content)
        expected[name] = words
    # Alone, as this process has held the bombs.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", MEASURE, str(tmp_path)]
    said = json.loads(subprocess.run(command, capture_output=True, check=True, text=True, env=environment).stdout)
    assert said.keys() == expected.keys()
    for name, (words, taken) in said.items():
        assert expected[name] in words, (name, words)
        assert name in words
        assert taken < ALLOWED, (name, taken)


def test_a_split_list_is_bounded(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "lists.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.txt", bytes(MAX_LIST_BYTES + 1))
    with pytest.raises(UserError, match=r"lists\.zip/train\.txt: unpacks to \d+ bytes; at most"):
        read_split(ZipSource(tmp_path / "lists.zip", ""), "train.txt")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_compressions_that_cannot_be_bounded_are_refused(tmp_path: Path, compression: int) -> None:
    with zipfile.ZipFile(tmp_path / "images.zip", "w", compression) as archive:
        archive.writestr("a.tif", b"x")
    with pytest.raises(UserError, match=r"images\.zip/a\.tif: zip compression \d+ is not read; expected deflate"):
        ZipSource(tmp_path / "images.zip", "").read("a.tif")


def test_the_product_of_all_axes_counts() -> None:
    check_bytes((2**13, 2**14, 4), 2, "x")
    assert MAX_BYTES == 2**13 * 2**14 * 4 * 2
    with pytest.raises(UserError, match=r"x: its header says 8192 x 16384 x 5 values of 16 bits, 1\.2 GiB"):
        check_bytes((2**13, 2**14, 5), 2, "x")
    with pytest.raises(UserError, match="GiB"):
        check_bytes((np.int64(2**33), np.int64(2**31)), 1, "x")


def damaged(content: bytes, count: int) -> Iterator[bytes]:
    """The content with a few bytes changed, or cut short."""
    rng = random.Random(0)
    for _ in range(count):
        changed = bytearray(content)
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        yield bytes(changed[: rng.randrange(len(changed))] if rng.random() < 0.1 else changed)


def test_a_damaged_zip_is_read_or_refused_in_words(tmp_path: Path) -> None:
    stream, path = io.BytesIO(), tmp_path / "lists.zip"
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.txt", "a\nb\n" * 50)
        archive.writestr("images/x.tif", b"123" * 100)
    refused = 0
    for content in damaged(stream.getvalue(), 600):
        path.write_bytes(content)
        try:
            source = ZipSource(path, "images")
            for name in source.names:
                source.read(name)
            read_split(source, "train.txt")
        except UserError as error:
            refused += 1
            assert "lists.zip" in str(error)
    assert refused > 300


def test_a_damaged_hdf5_file_is_read_or_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "truth.h5"
    with h5py.File(path, "w") as file:
        file["/A1/plant001/label"] = np.arange(400, dtype=np.uint8).reshape(20, 20)
    refused = 0
    for content in damaged(path.read_bytes(), 600):
        path.write_bytes(content)
        try:
            _groups(path, "label")
            _read_array(path, "/A1/plant001/label")
        except UserError as error:
            refused += 1
            assert "truth.h5" in str(error)
    assert refused > 100
