"""The anatomy of a finished job's errors, from its stored label maps and the truth; nothing is predicted again."""

from __future__ import annotations

from benchmarks.anatomy.grouping import GROUPS
from benchmarks.anatomy.measuring import measure_errors

__all__ = ["GROUPS", "measure_errors"]
