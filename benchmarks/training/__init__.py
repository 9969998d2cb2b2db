"""Training: batches and random numbers are functions of the seed and the iteration, so a run resumes exactly."""

from __future__ import annotations

from benchmarks.training.loop import TrainingReport, train
from benchmarks.training.nonfinite import NonFiniteLossError

__all__ = ["NonFiniteLossError", "TrainingReport", "train"]
