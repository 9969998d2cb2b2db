"""How seconds and peak memory grow with queries, crop, instances and image size."""

from __future__ import annotations

from benchmarks.measure.scaling.records import Record, Records
from benchmarks.measure.scaling.sweep import AXES, Axis, sweep

__all__ = ["AXES", "Axis", "Record", "Records", "sweep"]
