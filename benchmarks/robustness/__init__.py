"""Finished models on test images that were made worse: definitions in `corruptions`, scores by `measure_robustness`."""

from benchmarks.robustness.corruptions import KINDS, STRENGTHS, corrupt, restore
from benchmarks.robustness.measuring import CONDITIONS, measure_robustness

__all__ = ["CONDITIONS", "KINDS", "STRENGTHS", "corrupt", "measure_robustness", "restore"]
