"""The matrix of formats: how a file is made, what it must be as an image and as a label map, or how it is refused.

`docs/formats.md` holds the table of it. After a change here:

    python tests/benchmarks/data/variants.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[3]), str(Path(__file__).parent)]  # as pytest has it

DOCUMENT = Path(__file__).parents[3] / "docs" / "formats.md"
COMMAND = "python tests/benchmarks/data/variants.py"
BEGIN, END = f"<!-- Made by '{COMMAND}'. -->", "<!-- End of the table. -->"

COLOUR_LABEL = "a label image with 3 channels"


@dataclass(frozen=True)
class Variant:
    """One kind of file.

    Attributes:
        group, what: heading and line of the table.
        content: the file.
        image: what `decode_image` must give, type and every value; or words of the refusal.
        labels: the same of `decode_labels`, whose type is int32.
    """

    group: str
    what: str
    content: bytes
    image: np.ndarray | str
    labels: np.ndarray | str


def variant(
    group: str, what: str, content: bytes, image: np.ndarray | str, labels: np.ndarray | str | None = None
) -> Variant:
    """Where nothing else is said, grey is a label map of the same values, colour is none, refused is refused."""
    if labels is None:
        labels = COLOUR_LABEL if isinstance(image, np.ndarray) and image.ndim == 3 else image
    return Variant(group, what, content, image, labels)


def variants() -> list[Variant]:
    from variants_png_jpeg import png_jpeg_variants
    from variants_tiff import tiff_variants

    return [*tiff_variants(), *png_jpeg_variants()]


def table() -> str:
    """The matrix in Markdown."""
    return "\n".join([BEGIN, *_lines(variants()), "", END])


def _lines(matrix: list[Variant]) -> Iterator[str]:
    for group, members in groupby(matrix, key=lambda one: one.group):
        yield from ("", f"### {group}", "", "| file | as an image | as a label map |", "| --- | --- | --- |")
        for one in members:
            yield f"| {one.what} | {_image(one)} | {_labels(one)} |"


def _image(one: Variant) -> str:
    if isinstance(one.image, str):
        return f"refused: “{one.image}”"
    return f"{one.image.dtype} {'grey' if one.image.ndim == 2 else 'colour'}"


def _labels(one: Variant) -> str:
    return f"refused: “{one.labels}”" if isinstance(one.labels, str) else "ids as stored"


def main() -> None:
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    DOCUMENT.write_text(before + table() + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
