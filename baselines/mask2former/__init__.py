"""Mask2Former (Cheng et al., CVPR 2022) from `transformers`, behind the contract of the harness."""

from __future__ import annotations

from baselines.mask2former.config import Mask2FormerConfig, Mask2FormerInference, Mask2FormerLossWeights
from baselines.mask2former.model import Mask2Former

__all__ = ["Mask2Former", "Mask2FormerConfig", "Mask2FormerInference", "Mask2FormerLossWeights"]
