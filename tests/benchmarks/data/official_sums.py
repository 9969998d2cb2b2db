"""Writes the sums of a published data set from a copy: `python tests/benchmarks/data/official_sums.py COPY`."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

HEAD = """\
# BBBC039V1 as published. Made by 'python tests/benchmarks/data/official_sums.py COPY'.
title: BBBC039V1
url: https://data.broadinstitute.org/bbbc/BBBC039
licence: CC0 1.0 (dedicated to the public domain)
cite:
  - >-
    Ljosa, Sokolnicki, Carpenter: Annotated high-throughput microscopy image sets for validation. Nature Methods 9, 637
    (2012). https://doi.org/10.1038/nmeth.2083
  - >-
    Caicedo et al.: Evaluation of Deep Learning Strategies for Nucleus Segmentation in Fluorescence Images. Cytometry A
    95, 952-965 (2019). https://doi.org/10.1002/cyto.a.23863
"""


def sums_of(copy: Path, head: str = HEAD) -> str:
    """The YAML of the set in `copy`: `images/*.tif`, `masks/*.png` and the lists `metadata/*.txt`."""
    lines = [head + "# Bytes and SHA-256 of each file."]
    lines.append("files:")
    for folder, pattern in (("images", "*.tif"), ("masks", "*.png")):
        lines.append(f"  {folder}:")
        for path in sorted((copy / folder).glob(pattern)):
            content = path.read_bytes()
            lines.append(f"    {path.name}: [{len(content)}, '{hashlib.sha256(content).hexdigest()}']")
    lines += [
        "# SHA-256 of the names in each list, sorted, without suffix, joined by newlines.",
        "lists:",
        "  metadata:",
    ]
    for path in sorted((copy / "metadata").glob("*.txt")):
        names = sorted(Path(line.strip()).stem for line in path.read_text().splitlines() if line.strip())
        digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
        lines.append(f"    {path.name}: '{digest}'")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    target = Path(__file__).parents[3] / "benchmarks" / "data" / "official" / "bbbc039.yaml"
    target.write_text(sums_of(Path(sys.argv[1])))
