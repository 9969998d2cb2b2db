"""Why a row loses: what each kind of error costs, from stored label maps or from counts stored before."""

from __future__ import annotations

from reports.anatomy.console import render_anatomy
from reports.anatomy.dissected import DissectedTable, dissect_table, read_dissected
from reports.anatomy.files import AnatomyPaths, write_anatomy

__all__ = ["AnatomyPaths", "DissectedTable", "dissect_table", "read_dissected", "render_anatomy", "write_anatomy"]
