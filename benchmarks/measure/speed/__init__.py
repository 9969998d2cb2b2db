"""What the harness costs: every part of a training step, inference, metrics, and how two measurements compare."""

from __future__ import annotations

from benchmarks.measure.speed.suite import GROUPS, ScaleReport, measure_scale

__all__ = ["GROUPS", "ScaleReport", "measure_scale"]
