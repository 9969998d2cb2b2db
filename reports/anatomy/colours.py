"""The colour of each kind of error, the same in every picture: Okabe and Ito's, told apart without red and green."""

from __future__ import annotations

from benchmarks.metrics.mending import KINDS

COLOURS: dict[str, tuple[int, int, int]] = dict(
    zip(
        KINDS,
        ((213, 94, 0), (204, 121, 167), (230, 159, 0), (0, 114, 178), (240, 228, 66), (86, 180, 233)),
        strict=True,
    )
)


def hexadecimal(kind: str) -> str:
    """The colour of a kind as matplotlib takes it."""
    return "#{:02x}{:02x}{:02x}".format(*COLOURS[kind])
