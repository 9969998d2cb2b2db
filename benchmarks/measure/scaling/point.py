"""One point of a sweep, in a process of its own: `python -m benchmarks.measure.scaling.point AXIS VALUE SCALE DEVICE`.

It prints JSON: the seconds of each run, and the peak memory above that before the first run and in all.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch

from benchmarks.contract import Segmenter
from benchmarks.machine.allocator import keep_freed_memory
from benchmarks.machine.environment import peak_memory_bytes, reset_peak_memory
from benchmarks.measure.scaling.sweep import AXES
from benchmarks.measure.step import TimedStep, repeat
from benchmarks.plan.methods import get_method
from benchmarks.plan.nested import merge
from benchmarks.plan.resolving import model_at
from benchmarks.plan.scales import scale_overrides
from benchmarks.plan.settings import TestingSettings, TrainingSettings
from benchmarks.plan.starting import without_pretrained
from benchmarks.tiling import segment_image
from benchmarks.training.batches import Batch

MOST_RUNS = 5
BUDGET = 10.0
"""Seconds after which no further run is started; at least two are timed."""
PATTERN = 64
"""Side of the square that holds one object of the image that is segmented in tiles."""


def measure(axis_name: str, value: int, scale: str, device: str) -> dict[str, Any]:
    """Measure the seconds of each run and the peak memory at one value of an axis."""
    axis = AXES[axis_name]
    keep_freed_memory()
    torch.manual_seed(0)
    sizes = axis.sizes(value)
    run = training_run(sizes, scale, device) if axis.training else inference_run(axis.stitching, value, scale, device)
    reset_peak_memory(device)
    before = peak_memory_bytes(device)
    series = repeat(axis_name, run, most=MOST_RUNS, budget=BUDGET)
    peak = peak_memory_bytes(device)
    # A machine that is short of memory takes pages from a process while it works.
    return {"seconds": series.seconds, "added_bytes": max(0, peak - before), "peak_bytes": peak}


def training_run(sizes: dict[str, int], scale: str, device: str) -> Callable[[], object]:
    """Return a function that takes a training step of PCTrans on one crop with these sizes."""
    settings = TrainingSettings(batch_size=1, crop=sizes["crop"], precision="float32")
    step = TimedStep(_pctrans(scale, sizes["queries"]), settings, device)
    labels = torch.from_numpy(discs(sizes["crop"], sizes["instances"]))[None]
    images = (labels > 0).float()[:, None].expand(-1, 3, -1, -1).contiguous()
    batch = Batch(("discs",), images, labels)
    return lambda: step.take(batch)


def inference_run(stitching: bool, side: int, scale: str, device: str) -> Callable[[], object]:
    """Return a function that segments one image full of discs in tiles."""
    sections = scale_overrides(scale, "nuclei", "pctrans")
    tile = TrainingSettings(**sections["training"]).crop
    testing = TestingSettings(**sections["testing"])
    pattern = (discs(PATTERN, 1) > 0).astype(np.float32)
    image = np.broadcast_to(np.tile(pattern, (side // PATTERN, side // PATTERN)), (3, side, side))
    if stitching:
        segmenter = get_method("watershed").build(model_at("watershed", scale, "nuclei"))
    else:
        segmenter = cast(Segmenter, _pctrans(scale, AXES["image"].fixed["queries"]).to(device).eval())

    def segment() -> np.ndarray:
        return segment_image(
            segmenter.segment, image, tile=tile, overlap=testing.overlap, batch_size=testing.batch_size, device=device
        )

    return segment


def _pctrans(scale: str, queries: int) -> torch.nn.Module:
    config = merge(without_pretrained(model_at("pctrans", scale, "nuclei")), {"num_queries": queries})
    model = get_method("pctrans").build(config)
    assert isinstance(model, torch.nn.Module)
    return model


def discs(side: int, count: int) -> np.ndarray:
    """Draw `count` discs on the smallest square grid that holds them; returns a label map (side, side) int64."""
    lines = int(np.ceil(np.sqrt(count)))
    pitch = side / lines
    labels = np.zeros((side, side), np.int64)
    rows, columns = np.mgrid[:side, :side] + 0.5
    cell = (rows // pitch).astype(np.int64) * lines + (columns // pitch).astype(np.int64)
    inside = (rows % pitch - pitch / 2) ** 2 + (columns % pitch - pitch / 2) ** 2 < (0.35 * pitch) ** 2
    labels[inside & (cell < count)] = cell[inside & (cell < count)] + 1
    return labels


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4])))
