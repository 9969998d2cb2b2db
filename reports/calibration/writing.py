"""What is said of calibration, as sentences and as tables of plain text for Markdown, terminal and page."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.metrics.calibration import BINS
from reports.calibration.calibrated import CalibratedRow, CalibratedTable
from reports.cells import Figure

Grid = tuple[list[str], list[list[str]]]
DASH = "–"

HOW = (
    "An object's score is the mean, over its pixels, of how sure the method is of them. PCTrans: the mean soft value "
    "of its group; Mask2Former: class probability times mean mask probability; OSFormer: objectness times mean mask "
    "value, lowered by matrix NMS; StarDist: the object probability; Cellpose and Discriminative: the probability of "
    "foreground, which says nothing of how objects are told apart. An object is right if it matches a true one, "
    "IoU > 0.5. Bins are ten of equal width. The expected calibration error (ECE) is the mean over objects of how far "
    "their bin's mean score is from the share of its objects that are right; in brackets its 95 % bootstrap interval "
    "over images. Where few objects fill a bin, chance adds to it, so that small errors look larger than they are. "
    "After ± stands the standard deviation over seeds. Ranked AP is the area under the precision over recall of all "
    "objects ranked by score, as COCO takes it, without its limit of 100 objects an image; it is not the AP of the "
    "other tables, which know no scores."
)


def summary_grid(table: CalibratedTable) -> Grid:
    """A line for each row: its objects, their mean score, the share that is right, ECE and the ranked AP."""
    headings = ["#", table.spec.row_heading, "seeds", "objects", "mean score", "right", "score − right", "ECE"]
    headings += ["ranked AP50", "ranked AP"]
    lines = []
    for row in table.examined:
        objects, score, matched, _ = row.sums.sum(axis=0)
        low, high = row.error_interval
        interval = f" [{low:.4f}, {high:.4f}]" if math.isfinite(low) else ""
        at_half, over_thresholds = row.ranked
        lines.append(
            [
                str(row.row.number),
                row.row.label,
                str(len(row.jobs)),
                str(int(objects)),
                _share(score, objects),
                _share(matched, objects),
                f"{(score - matched) / objects:+.3f}" if objects else DASH,
                printed(row.error) + interval,
                printed(at_half),
                printed(over_thresholds),
            ]
        )
    return headings, lines


def bin_grid(row: CalibratedRow) -> Grid:
    """A line for each bin that has objects, over all images and seeds."""
    headings = ["score", "objects", "mean score", "right", "mean IoU of these"]
    return headings, [
        [bin_name(place), str(int(objects)), _share(score, objects), _share(matched, objects), _share(iou, matched)]
        for place, (objects, score, matched, iou) in enumerate(row.sums.tolist())
        if objects
    ]


def bin_name(place: int) -> str:
    """The scores of a bin, in words."""
    return f"{place / BINS:.1f} to {(place + 1) / BINS:.1f}"


def printed(figure: Figure | None) -> str:
    """A figure with its spread over seeds."""
    if figure is None or math.isnan(figure.mean):
        return DASH
    return f"{figure.mean:.4f}" + ("" if figure.std is None else f" ± {figure.std:.4f}")


def sentences(table: CalibratedTable) -> list[str]:
    """What a reader should take from the figures."""
    rows = [(row, row.error) for row in table.examined]
    measured = [(row, error.mean) for row, error in rows if error is not None and row.sums[:, 0].any()]
    found = []
    if measured:
        row, error = min(measured, key=lambda one: one[1])
        found.append(f"Smallest calibration error: {row.row.label} ({error:.4f}).")
    if again := sum(row.scored_again for row in table.examined):
        found.append(
            f"{again} label maps were stored without scores: these are of the objects that the saved models, "
            "segmenting the images again, find in their places."
        )
    return found + [
        f"Row {row.number} ({row.label}) is left out: its method gives its objects no scores."
        for row in table.scoreless
    ]


def _share(part: float | np.floating, whole: float | np.floating) -> str:
    return f"{part / whole:.3f}" if whole else DASH
