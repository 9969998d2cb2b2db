"""Figures under other protocols: stored predictions are scored once more, and nothing is predicted again."""

from __future__ import annotations

from benchmarks.protocol.rescoring import POOLED, Score, disagreement, open_decodings, rescore
from benchmarks.protocol.variants import FAMILIES, OWN, Choice, Variant, choose

__all__ = [
    "FAMILIES",
    "OWN",
    "POOLED",
    "Choice",
    "Score",
    "Variant",
    "choose",
    "disagreement",
    "open_decodings",
    "rescore",
]
