"""BBBC039: both decodings against SciPy, and the zips against the extracted folders."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy import ndimage

from benchmarks.data import open_dataset
from benchmarks.data.bbbc039 import decode_mask
from benchmarks.errors import UserError

STEMS = {"training": ["IXMtest_A01_s1_w1AA", "IXMtest_A01_s1_w1BB"], "validation": ["v"], "test": ["t"]}


def reference(red: np.ndarray, decoding: str) -> set[frozenset[int]]:
    """Instances as sets of flat pixel indices, one colour after the other."""
    structure = np.ones((3, 3)) if decoding == "pea" else None
    found = set()
    for value in set(red.ravel().tolist()) - {0}:
        components, count = ndimage.label(red == value, structure)
        found |= {frozenset(np.flatnonzero(components == i + 1).tolist()) for i in range(count)}
    return {pixels for pixels in found if decoding == "official" or len(pixels) >= 25}


@settings(max_examples=50, deadline=None)
@given(arrays(np.uint8, (14, 14), elements=st.sampled_from([0, 0, 1, 1, 1, 200])), st.integers(1, 4))
def test_decodings_agree_with_scipy(red: np.ndarray, zoom: int) -> None:
    red = np.kron(red, np.ones((zoom, zoom), np.uint8))
    for decoding in ("pea", "official"):
        labels = decode_mask(red, decoding)
        ids = np.unique(labels[labels > 0])
        np.testing.assert_array_equal(ids, np.arange(1, len(ids) + 1))
        assert {frozenset(np.flatnonzero(labels == i).tolist()) for i in ids} == reference(red, decoding)


def test_hand_worked_mask() -> None:
    red = np.zeros((12, 24), np.uint8)
    red[0:6, 0:6] = 1  # touches the next, which has another colour: two nuclei
    red[0:6, 6:12] = 2
    red[6:12, 12:18] = 1  # corner to corner with ...
    red[0:6, 18:24] = 1  # ... this one: one nucleus only where diagonals connect
    red[9, 2] = 2  # a speck
    assert decode_mask(red, "official").max() == 5
    assert decode_mask(red, "pea").max() == 3


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "BBBC039"
    for name in ("images", "masks", "metadata"):
        (root / name).mkdir(parents=True)
    for split, stems in STEMS.items():
        (root / "metadata" / f"{split}.txt").write_text("\n".join(f"{stem}.png" for stem in stems))
        for stem in stems:
            rng = np.random.default_rng(list(stem.encode()))
            tifffile.imwrite(root / "images" / f"{stem}.tif", rng.integers(120, 4096, (30, 40)).astype(np.uint16))
            mask = np.zeros((30, 40, 4), np.uint8)
            mask[3:13, 3:13, 0], mask[3:13, 13:23, 0], mask[25, 25, 0] = 1, 2, 1
            mask[..., 1:] = rng.integers(0, 256, (30, 40, 3))
            Image.fromarray(mask).save(root / "masks" / f"{stem}.png")
    return root


def zip_up(root: Path, target: Path) -> Path:
    target.mkdir()
    for name in ("images", "masks", "metadata"):
        with zipfile.ZipFile(target / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}/", b"")
            for path in sorted((root / name).iterdir()):
                archive.write(path, f"{name}/{path.name}")
                archive.writestr(f"__MACOSX/{name}/._{path.name}", b"resource fork")
                archive.writestr(f"{name}/._{path.name}", b"resource fork")
            archive.writestr("../../evil.tif", b"climbs")
            archive.writestr(f"{name}/../v.tif", b"climbs")
    return target


def test_only_the_red_channel_counts(root: Path) -> None:
    dataset = open_dataset(f"bbbc039:{root}")
    assert (dataset.name, dataset.decoding, dataset.evaluation_split) == ("bbbc039", "pea", "test")
    assert dataset.ids("train") == tuple(STEMS["training"])
    expected = np.zeros((30, 40))
    expected[3:13, 3:13], expected[3:13, 13:23] = 1, 2
    np.testing.assert_array_equal(dataset.load("v").labels, expected)
    official = open_dataset(f"bbbc039:{root}?decoding=official").load("v").labels
    assert official is not None
    assert official.max() == 3


def test_zips_read_as_their_extracted_folders_and_write_nothing(root: Path, tmp_path: Path) -> None:
    zipped = zip_up(root, tmp_path / "zipped")
    before = sorted(tmp_path.rglob("*"))
    one, other = open_dataset(f"bbbc039:{root}"), open_dataset(f"bbbc039:{zipped}")
    other.validate()
    for id in (*one.ids("train"), *one.ids("test")):
        np.testing.assert_array_equal(one.load(id).image, other.load(id).image)
        np.testing.assert_array_equal(one.load(id).labels, other.load(id).labels)
    assert one.fingerprint == other.fingerprint
    assert one.fingerprint != open_dataset(f"bbbc039:{root}", decoding="official").fingerprint
    assert sorted(tmp_path.rglob("*")) == before


def test_bad_input_names_the_file(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no decoding 'ids'"):
        open_dataset(f"bbbc039:{root}?decoding=ids")
    zipped = zip_up(root, tmp_path / "zipped")
    content = bytearray((zipped / "masks.zip").read_bytes())
    content[120:140] = bytes(20)
    (zipped / "masks.zip").write_bytes(content)
    with pytest.raises(UserError, match=r"masks\.zip/.*\.png: cannot be unpacked"):
        open_dataset(f"bbbc039:{zipped}").validate()
    (zipped / "masks.zip").write_bytes(content[:500])
    with pytest.raises(UserError, match=r"masks\.zip: not a readable zip"):
        open_dataset(f"bbbc039:{zipped}")
    (zipped / "masks.zip").unlink()
    with pytest.raises(UserError, match=r"neither the folder masks/ nor masks\.zip"):
        open_dataset(f"bbbc039:{zipped}")
    (root / "masks" / "v.png").unlink()
    with pytest.raises(UserError, match=r"validation\.txt.*'v'.*no mask"):
        open_dataset(f"bbbc039:{root}")
