"""How seconds and peak memory grow with queries, crop, instances and image size."""

from __future__ import annotations

from benchmarks.scaling.axes import AXES, Axis
from benchmarks.scaling.records import Record, Records
from benchmarks.scaling.sweep import sweep

__all__ = ["AXES", "Axis", "Record", "Records", "sweep"]
