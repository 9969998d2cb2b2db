"""The matrix of formats: equal pixels or a refusal with the words that the documentation has, never a third thing."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from variants import BEGIN, COMMAND, DOCUMENT, END, Variant, table, variants

from benchmarks.data.reading import decode_image, decode_labels
from benchmarks.errors import UserError

MATRIX = variants()
# Pillow stretches packed grey, takes a palette in the lower bits for black, and reads half of a miscounted strip.
PILLOW_DIFFERS = r"\b[1246] bit|lower bits|one strip where two"


def named(one: Variant) -> str:
    return f"{one.group}, {one.what}"


@pytest.mark.parametrize("one", MATRIX, ids=named)
def test_image_has_equal_pixels_or_is_refused(one: Variant) -> None:
    if isinstance(one.image, str):
        with pytest.raises(UserError) as error:
            decode_image(one.content, "folder/x.tif")
        assert one.image in str(error.value)
        assert str(error.value).startswith("folder/x.tif: ")
    else:
        image = decode_image(one.content, "x")
        assert image.dtype == one.image.dtype
        np.testing.assert_array_equal(image, one.image)


@pytest.mark.parametrize("one", MATRIX, ids=named)
def test_label_map_has_equal_ids_or_is_refused(one: Variant) -> None:
    if isinstance(one.labels, str):
        with pytest.raises(UserError) as error:
            decode_labels(one.content, "folder/x.tif")
        assert one.labels in str(error.value)
        assert str(error.value).startswith("folder/x.tif: ")
    else:
        labels = decode_labels(one.content, "x")
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(labels, one.labels)


def test_pillow_shows_the_same_picture() -> None:
    """Of all that both read with 8 bits a channel, orientation, polarity, palettes and associated alpha included."""
    compared = 0
    for one in MATRIX:
        if isinstance(one.image, str) or one.image.dtype != np.uint8 or re.search(PILLOW_DIFFERS, one.what):
            continue
        try:
            picture = ImageOps.exif_transpose(Image.open(io.BytesIO(one.content)))
        except OSError:
            continue
        expected = one.image if one.image.ndim == 3 else np.dstack([one.image] * 3)
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), expected, err_msg=named(one))
        compared += 1
    assert compared >= 50


@pytest.mark.parametrize("one", [one for one in MATRIX if not isinstance(one.image, str)], ids=named)
def test_a_file_that_was_cut_short_has_equal_pixels_or_is_refused(one: Variant) -> None:
    whole = len(one.content)
    for end in (whole - 1, whole - 40, whole * 2 // 3, whole // 3):
        try:
            image = decode_image(one.content[:end], "x")
        except UserError as error:
            assert str(error).startswith("x: ")
        else:  # what is missing was no pixel
            np.testing.assert_array_equal(image, one.image)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(MATRIX), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=3))
def test_damaged_files_are_read_or_refused_but_never_crash(one: Variant, damage: list[tuple[int, int]]) -> None:
    content = bytearray(one.content)
    for place, value in damage:
        if place < len(content):
            content[place] = value
    for read in (decode_image, decode_labels):
        try:
            read(bytes(content), "x")
        except UserError as error:
            assert str(error).startswith("x: ")


def test_the_matrix_is_large_and_its_lines_are_distinct() -> None:
    assert len(MATRIX) >= 60
    assert len({named(one) for one in MATRIX}) == len(MATRIX)


def test_the_documented_table_is_the_matrix() -> None:
    documented = DOCUMENT.read_text(encoding="utf-8")
    assert table() in documented, f"{DOCUMENT} is not of this matrix: {COMMAND}"
    assert documented.count(BEGIN) == documented.count(END) == 1


def test_one_pixel_means_the_same_whatever_the_compression() -> None:
    """Twins of the table that differ only in how they are packed are the same image and the same label map."""
    twins: dict[str, list[Variant]] = {}
    for one in MATRIX:
        if one.what.endswith(("; none", "; lzw")):
            twins.setdefault(named(one).rpartition(";")[0], []).append(one)
    pairs = [pair for pair in twins.values() if len(pair) == 2 and not isinstance(pair[0].image, str)]
    assert len(pairs) >= 15
    for plain, packed in pairs:
        np.testing.assert_array_equal(decode_image(plain.content, "x"), decode_image(packed.content, "x"))
        if not isinstance(plain.labels, str):
            np.testing.assert_array_equal(decode_labels(plain.content, "x"), decode_labels(packed.content, "x"))
