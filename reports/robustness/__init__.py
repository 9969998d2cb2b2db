"""How the rows of a table stand up to worse images: `measure_table`, and what is written of it."""

from reports.robustness.files import RobustnessPaths, write_robustness_reports
from reports.robustness.measured import MeasuredTable, measure_table, read_measured
from reports.robustness.writing import summary_grid

__all__ = [
    "MeasuredTable",
    "RobustnessPaths",
    "measure_table",
    "read_measured",
    "summary_grid",
    "write_robustness_reports",
]
