"""StarDist: star-convex polygons (Schmidt et al., MICCAI 2018)."""

from baselines.stardist.config import StarDistConfig
from baselines.stardist.model import StarDist

__all__ = ["StarDist", "StarDistConfig"]
