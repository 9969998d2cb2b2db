"""Exact outlines of pixels, made without the code under test: every side between inside and outside, chained."""

from __future__ import annotations

import numpy as np


def pixel_rings(mask: np.ndarray) -> list[np.ndarray]:
    """Chain the sides of pixels (H, W) bool that part inside from outside into closed rings of corners x, y."""
    padded = np.pad(mask, 1)
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for r, c in np.argwhere(mask):
        corners = [(c, r), (c + 1, r), (c + 1, r + 1), (c, r + 1)]
        neighbours = [padded[r, c + 1], padded[r + 1, c + 2], padded[r + 2, c + 1], padded[r + 1, c]]
        for side, outside in enumerate(not inside for inside in neighbours):
            if outside:
                following.setdefault(corners[side], []).append(corners[(side + 1) % 4])
    rings = []
    while following:
        start = next(iter(following))
        ring, at = [start], following[start].pop()
        while at != start:
            ring.append(at)
            at = following[at].pop()
        rings.append(np.array(ring, float))
        following = {corner: ends for corner, ends in following.items() if ends}
    return rings


def blobs(seed: int, shape: tuple[int, int] = (40, 50), count: int = 6) -> np.ndarray:
    """Labels of round objects with holes, in pieces and side by side; later ones lie on earlier ones."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.int32)
    for number in range(1, count + 1):
        r, c, radius = random.integers(0, shape[0]), random.integers(0, shape[1]), random.integers(4, 11)
        distance = np.hypot(rows - r, columns - c)
        labels[(distance < radius) & (distance > radius / 3)] = number
    return labels
