"""Cellpose: flows to the centres of objects (Stringer et al., Nature Methods 2021)."""

from baselines.cellpose.config import CellposeConfig
from baselines.cellpose.model import Cellpose

__all__ = ["Cellpose", "CellposeConfig"]
