"""Pictures of the paper's figures, drawn from what `benchmarks.figures` stored in a results folder."""

from __future__ import annotations

from reports.figures.drawing import draw_figure

__all__ = ["draw_figure"]
