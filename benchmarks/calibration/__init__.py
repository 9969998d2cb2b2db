"""What became of the objects of each score: from a finished job's label maps, their scores and the truth."""

from benchmarks.calibration.measuring import measure_calibration

__all__ = ["measure_calibration"]
