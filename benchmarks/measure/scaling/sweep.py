"""Measuring the points of some axes, each in a process of its own, so that their memory does not mix."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence

from benchmarks.errors import UserError
from benchmarks.machine.children import child_environment, python_for_shell
from benchmarks.measure.scaling.axes import Axis
from benchmarks.measure.scaling.records import Record, Records

KILLED = -9


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
        largest: values above are left out.
        told: called with each new point.
    """
    for axis in axes:
        for value in axis.values:
            if (largest is None or value <= largest) and (axis.name, value) not in records:
                record = _measured(axis, value, scale, device)
                records.add(record)
                told(record)


def _measured(axis: Axis, value: int, scale: str, device: str) -> Record:
    """A point, or the note that it does not fit the memory.

    Raises:
        UserError: the process failed for another reason.
    """
    point = ["-m", "benchmarks.measure.scaling.point", axis.name, str(value), scale, device]
    environment = child_environment(os.environ)
    done = subprocess.run([sys.executable, *point], env=environment, capture_output=True, text=True)
    if done.returncode == 0:
        return Record.measured(axis.name, value, json.loads(done.stdout.splitlines()[-1]))
    if done.returncode == KILLED or "out of memory" in done.stderr.lower() or "can't allocate memory" in done.stderr:
        return Record(axis.name, value, None, 0, None, None, "does not fit the memory")
    last = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
    again = f"{python_for_shell()} {shlex.join(point)}"
    raise UserError(f"measuring {axis.name} = {value} failed: {last}. Repeat it alone with: {again}")
