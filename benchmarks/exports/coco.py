"""Objects of all images as one COCO file of instances.

Masks are run lengths: COCO's polygons have no holes, and its own decoder does not promise to fill them exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.exports.outlines import ObjectMask, object_masks

_CATEGORY = {"id": 1, "name": "object", "supercategory": ""}


class CocoFile:
    """A COCO document that grows by images; ids count from 1 in the order of the images and of the ids of labels."""

    def __init__(self) -> None:
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def add(self, file_name: str, labels: np.ndarray) -> None:
        """Add an image.

        Args:
            file_name: name of its file.
            labels: (H, W) integers, 0 background.
        """
        height, width = labels.shape
        image = len(self._images) + 1
        self._images.append({"id": image, "file_name": file_name, "width": width, "height": height})
        for one in object_masks(labels):
            self._annotations.append(
                {
                    "id": len(self._annotations) + 1,
                    "image_id": image,
                    "category_id": _CATEGORY["id"],
                    "segmentation": {"size": [height, width], "counts": run_lengths(one, height, width)},
                    "area": int(np.count_nonzero(one.mask)),
                    "bbox": [one.left, one.top, one.mask.shape[1], one.mask.shape[0]],
                    "iscrowd": 0,
                    "label": one.label,
                }
            )

    def document(self) -> dict[str, Any]:
        """Return what is written as JSON; `label` of an annotation is the id in the label map."""
        return {
            "info": {"description": "Instances found by pctrans-bench predict"},
            "licenses": [],
            "images": self._images,
            "annotations": self._annotations,
            "categories": [_CATEGORY],
        }


def run_lengths(one: ObjectMask, height: int, width: int) -> list[int]:
    """Return COCO's run lengths of an object: down the columns, pixels outside and inside in turn, outside first.

    Args:
        one: the object.
        height, width: of the whole label map.
    """
    columns = np.pad(one.mask, ((1, 1), (0, 0))).astype(np.int8)
    steps = np.diff(columns, axis=0).T
    offsets = (one.left + np.arange(one.mask.shape[1])) * height + one.top
    begins, ends = ((steps == step).nonzero() for step in (1, -1))
    starts, stops = begins[1] + offsets[begins[0]], ends[1] + offsets[ends[0]]
    # A run that ends at the bottom goes on where the next column begins at the top.
    apart = starts[1:] != stops[:-1]
    starts, stops = starts[np.r_[True, apart]], stops[np.r_[apart, True]]
    borders = np.stack([starts, stops], axis=1).ravel()
    counts = np.diff(borders, prepend=0, append=height * width).tolist()
    return counts if counts[-1] else counts[:-1]
