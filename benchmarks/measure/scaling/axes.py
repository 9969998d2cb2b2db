"""What is varied, over which values, and what stays as it is meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Axis:
    """One size that grows.

    Attributes:
        title: for people.
        values: that are measured.
        area: whether the value is the side of a square, so that work has to grow with its square.
        training: a training step of PCTrans; else tiled inference of one image.
        stitching: in tiled inference, a method without a network that finds every object, so that stitching is what
            takes the time: an untrained network paints nothing to stitch.
        fixed: the sizes that are not varied.
    """

    name: str
    title: str
    values: tuple[int, ...]
    area: bool = False
    training: bool = True
    stitching: bool = False
    fixed: dict[str, int] = field(default_factory=dict)

    def sizes(self, value: int) -> dict[str, int]:
        """All sizes at one value."""
        return self.fixed | {self.name: value}


IMAGE_SIDES = (512, 1024, 2048, 4096, 8192)
AXES = {
    axis.name: axis
    for axis in (
        Axis(
            "queries", "queries N", (100, 200, 400, 700, 1000), fixed={"crop": 256, "instances": 50},
        ),
        Axis(
            "crop", "side of the crop in pixels", (128, 192, 256, 384, 512, 768, 1024), area=True,
            fixed={"queries": 100, "instances": 50},
        ),
        Axis(
            "instances", "instances K", (1, 10, 30, 100, 200, 300), fixed={"queries": 300, "crop": 256},
        ),
        Axis(
            "image", "side of the image in pixels, network", IMAGE_SIDES, area=True, training=False,
            fixed={"queries": 100},
        ),
        Axis(
            "stitching", "side of the image in pixels, stitching", IMAGE_SIDES, area=True, training=False,
            stitching=True,
        ),
    )
}  # fmt: skip
