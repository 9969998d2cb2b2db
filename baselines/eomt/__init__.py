"""EoMT (Kerssies et al., CVPR 2025) from `transformers`, behind the contract of the harness."""

from __future__ import annotations

from baselines.eomt.config import EoMTConfig
from baselines.eomt.model import EoMT

__all__ = ["EoMT", "EoMTConfig"]
