"""The paper's figures as data: which rows of which table a figure shows, and how.

A figure is a YAML file beside this module; its jobs are jobs of its table, so nothing is trained twice.
`compute_figure` loads the trained models and stores what they show under OUT/figures/<name>/; `reports.figures`
draws it from there.
"""

from __future__ import annotations

from benchmarks.figures.computing import compute_figure, is_computed
from benchmarks.figures.planning import figure_plan
from benchmarks.figures.specification import FigureSpec, list_figures, load_figure, read_figure

__all__ = ["FigureSpec", "compute_figure", "figure_plan", "is_computed", "list_figures", "load_figure", "read_figure"]
