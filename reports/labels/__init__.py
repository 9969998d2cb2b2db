"""How good the rows of a table are with how many training images: results folders of several shares, as curves."""

from reports.labels.collected import LabelTable, collect_labels
from reports.labels.files import LabelPaths, label_grid, write_label_reports

__all__ = ["LabelPaths", "LabelTable", "collect_labels", "label_grid", "write_label_reports"]
