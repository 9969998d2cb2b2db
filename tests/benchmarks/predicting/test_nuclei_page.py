"""The page of the built-in model: what it tells a user to type is run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from benchmarks.data import open_dataset
from benchmarks.data.label_files import write_labels
from benchmarks.metrics.scoring import score_image

PAGE = Path(__file__).parents[3] / "docs/nuclei.md"


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Puts my-image.tif and my-truth.tif where the examples look for them; returns the truth."""
    sample = open_dataset("synthetic-nuclei").load("test-0000")
    assert sample.labels is not None
    tifffile.imwrite(tmp_path / "my-image.tif", (sample.image[0] * 65535).round().astype(np.uint16))
    write_labels(tmp_path / "my-truth.tif", sample.objects)
    monkeypatch.chdir(tmp_path)
    return sample.labels


def test_the_examples_run_one_after_the_other(images: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for block in blocks:
        exec(block, names)
    assert len(blocks) == 2
    assert names["scores"] == score_image(images, names["labels"])
    assert names["scores"]["pq"] > 0.6
    said = capsys.readouterr().out
    assert f"{names['labels'].max()} nuclei" in said
    assert Image.open("overlay.png").size == images.shape[::-1]
