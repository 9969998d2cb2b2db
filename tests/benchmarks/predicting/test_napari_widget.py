"""napari's way to `predict`; napari itself is not needed, its manifest's checker is used where it is installed."""

from __future__ import annotations

import importlib
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from benchmarks.data import read_labels
from benchmarks.errors import UserError
from benchmarks.predicting.napari_widget import segment_layer
from benchmarks.predicting.options import PredictOptions
from benchmarks.predicting.user_images import predict_images

MANIFEST = Path(importlib.import_module("benchmarks.predicting").__file__ or "").parent / "napari.yaml"


def nuclei() -> np.ndarray:
    """Bright discs of 26 pixels on a dark ground, 16 bit."""
    rows, columns = np.indices((100, 130))
    image = np.full((100, 130), 300, np.uint16)
    for y, x in ((30, 30), (35, 90), (75, 60)):
        image[(rows - y) ** 2 + (columns - x) ** 2 < 13**2] = 2500
    return image


@pytest.mark.parametrize("invert", [False, True])
def test_a_layer_is_segmented_as_its_file(tmp_path: Path, invert: bool) -> None:
    image = 5000 - nuclei() if invert else nuclei()
    Image.fromarray(image).save(tmp_path / "a.png")
    options = PredictOptions(invert=invert, diameter=26.0)
    list(predict_images(Path("nuclei"), [tmp_path / "a.png"], tmp_path / "out", device="cpu", options=options))
    found = segment_layer(image, invert=invert, diameter=26.0)
    assert found.max() >= 3 and found.dtype == np.int32
    assert np.array_equal(found, read_labels(tmp_path / "out" / "labels" / "a.tif"))


def test_alpha_is_left_out_and_stacks_are_refused() -> None:
    grey = (nuclei() // 10).astype(np.uint8)
    colour = np.stack([grey, grey, grey, np.full_like(grey, 255)], axis=-1)
    assert np.array_equal(segment_layer(colour), segment_layer(colour[..., :3]))
    faint = colour.copy()
    faint[..., :3] = grey[..., None] // 5  # a screenshot: grey is stretched as predict stretches it, not divided by 255
    assert np.array_equal(segment_layer(faint), segment_layer(grey // 5))
    with pytest.raises(UserError, match=r"shape \(5, 100, 130\): expected one plane"):
        segment_layer(np.stack([grey] * 5))


def test_the_manifest_names_what_is_there() -> None:
    manifest = yaml.safe_load(MANIFEST.read_text())
    (command,) = manifest["contributions"]["commands"]
    module, _, name = command["python_name"].partition(":")
    assert getattr(importlib.import_module(module), name) is segment_layer
    (widget,) = manifest["contributions"]["widgets"]
    assert widget["command"] == command["id"]
    (entry,) = distribution("pctrans-bench").entry_points.select(group="napari.manifest")
    assert entry.value == "benchmarks.predicting:napari.yaml"


def test_napari_takes_the_manifest() -> None:
    npe2 = pytest.importorskip("npe2", reason="napari's plugin engine is not installed: pip install npe2")
    manifest = npe2.PluginManifest.from_file(MANIFEST)
    manifest.validate_imports()
