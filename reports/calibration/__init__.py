"""Whether scores of a table's rows can be believed: `calibrate_table`, and what is written of it."""

from reports.calibration.calibrated import CalibratedTable, calibrate_table, read_calibrated
from reports.calibration.files import CalibrationPaths, write_calibration_reports
from reports.calibration.writing import summary_grid

__all__ = [
    "CalibratedTable",
    "CalibrationPaths",
    "calibrate_table",
    "read_calibrated",
    "summary_grid",
    "write_calibration_reports",
]
