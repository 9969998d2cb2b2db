"""What is varied, over which values, and the sweep over them.

Each point is measured in a process of its own, so that their memory does not mix.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.errors import UserError
from benchmarks.machine.children import child_environment, python_for_shell
from benchmarks.measure.scaling.records import Record, Records

KILLED = -9
"""Exit status of a process that the system stopped, as it does where memory runs out."""


@dataclass(frozen=True)
class Axis:
    """One size that grows.

    Attributes:
        title: what people read.
        values: the values that are measured.
        area: whether the value is the side of a square, so that work has to grow with its square.
        training: whether a training step of PCTrans is measured, or else tiled inference of one image.
        stitching: whether a method without a network segments the tiles and finds every object, so that stitching is
            what takes the time: an untrained network paints nothing to stitch.
        fixed: the sizes that are not varied.
    """

    name: str
    title: str
    values: tuple[int, ...]
    area: bool = False
    training: bool = True
    stitching: bool = False
    fixed: dict[str, int] = field(default_factory=dict)

    def sizes(self, value: int) -> dict[str, int]:
        """Return all sizes at one value."""
        return self.fixed | {self.name: value}


IMAGE_SIDES = (512, 1024, 2048, 4096, 8192)
AXES = {
    axis.name: axis
    for axis in (
        Axis(
            "queries", "queries N", (100, 200, 400, 700, 1000), fixed={"crop": 256, "instances": 50},
        ),
        Axis(
            "crop", "side of the crop in pixels", (128, 192, 256, 384, 512, 768, 1024), area=True,
            fixed={"queries": 100, "instances": 50},
        ),
        Axis(
            "instances", "instances K", (1, 10, 30, 100, 200, 300), fixed={"queries": 300, "crop": 256},
        ),
        Axis(
            "image", "side of the image in pixels, network", IMAGE_SIDES, area=True, training=False,
            fixed={"queries": 100},
        ),
        Axis(
            "stitching", "side of the image in pixels, stitching", IMAGE_SIDES, area=True, training=False,
            stitching=True,
        ),
    )
}  # fmt: skip


def sweep(
    axes: Sequence[Axis],
    records: Records,
    *,
    scale: str,
    device: str,
    largest: int | None = None,
    told: Callable[[Record], None] = lambda _: None,
) -> None:
    """Measure what `records` has not yet, smaller values first.

    Args:
        largest: the largest value that is measured.
        told: called with each new point.
    """
    for axis in axes:
        for value in axis.values:
            if (largest is None or value <= largest) and (axis.name, value) not in records:
                record = _measured(axis, value, scale, device)
                records.add(record)
                told(record)


def _measured(axis: Axis, value: int, scale: str, device: str) -> Record:
    """Measure a point, or note that it does not fit the memory.

    Raises:
        UserError: the process failed for another reason.
    """
    point = ["-m", "benchmarks.measure.scaling.point", axis.name, str(value), scale, device]
    environment = child_environment(os.environ)
    done = subprocess.run(
        [sys.executable, *point], env=environment, capture_output=True, encoding="utf-8", errors="replace"
    )
    if done.returncode == 0:
        return Record.measured(axis.name, value, json.loads(done.stdout.splitlines()[-1]))
    if done.returncode == KILLED or "out of memory" in done.stderr.lower() or "can't allocate memory" in done.stderr:
        return Record(axis.name, value, None, 0, None, None, "does not fit the memory")
    last = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
    again = f"{python_for_shell()} {shlex.join(point)}"
    raise UserError(f"measuring {axis.name} = {value} failed: {last}. Repeat it alone with: {again}")
