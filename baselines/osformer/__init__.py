"""OSFormer: one-stage camouflaged instance segmentation with transformers (Pei et al., ECCV 2022)."""

from baselines.osformer.config import OSFormerConfig
from baselines.osformer.model import OSFormer

__all__ = ["OSFormer", "OSFormerConfig"]
