"""What every part of a training step, inference, metrics and the harness cost, now and in an earlier measurement."""

from __future__ import annotations

from benchmarks.measure.speed.scale import GROUPS, ScaleReport, measure_scale

__all__ = ["GROUPS", "ScaleReport", "measure_scale"]
