"""The protocols behind published figures of these metrics, each as a change of this project's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from benchmarks.metrics import METRICS, ContingencyTable
from benchmarks.metrics.aji import aji_cellpose, aji_pea, aji_plus
from benchmarks.metrics.dice import dice_zero_if_empty, symmetric_best_dice_max
from benchmarks.metrics.matching import f1_at_least_half, panoptic_quality_at_least_half

Compute = Callable[[ContingencyTable], float]

FAMILIES: Mapping[str, Compute] = {
    name: METRICS[name].compute for name in ("aji", "dice", "f1", "pq", "sbd", "abs_dic")
}
"""The metrics that are compared, as this project computes them."""

_RELEASED = "code released with PEA (weih527/Pixel-Embedded-Affinity) and PCTrans (qic999/PCTrans)"
"""Repositories on GitHub. Their code adds 1e-6 to the matches that SQ divides by; PQ here leaves that out."""


@dataclass(frozen=True)
class Variant:
    """One way to compute figures from predictions and their truth.

    Attributes:
        name: key in files.
        title: heading of a column.
        what: how it differs from this project's own.
        source: who scores this way.
        metrics: how each metric that it affects is computed.
        decoding: decoding of the truth; None for the job's.
        pooled: whether metrics pool all images (`benchmarks.metrics.derived.pool`) or are means over images.
        foreground: whether predictions are multiplied by the truth's foreground mask.
        leak: whether the method could not know that mask, so that the protocol is not fair.
    """

    name: str
    title: str
    what: str
    source: str
    metrics: Mapping[str, Compute]
    decoding: str | None = None
    pooled: bool = False
    foreground: bool = False
    leak: bool = False


OWN = Variant(
    name="own",
    title="own",
    what="AJI with each truth's best prediction, IoU > 0.5, the lower direction of SBD, 1 where both maps are empty, "
    "the job's decoding of the truth, predictions as they are, means over images",
    source="this project",
    metrics=FAMILIES,
)

SINGLE_CHANGES = (
    Variant(
        name="aji_plus",
        title="AJI+",
        what="AJI with a one-to-one assignment",
        source="Graham et al., HoVer-Net, 2019",
        metrics={"aji": aji_plus},
    ),
    Variant(
        name="aji_pea",
        title="PEA's AJI",
        what="AJI where a prediction is gone once a truth took it, and a truth with nothing left to overlap takes the "
        "first prediction",
        source=_RELEASED,
        metrics={"aji": aji_pea},
    ),
    Variant(
        name="aji_cellpose",
        title="Cellpose's AJI",
        what="AJI with a one-to-one assignment that has as many pairs of IoU ≥ 0.5 as possible, over the pixels that "
        "are foreground in either map",
        source="Stringer et al., Cellpose, 2021: metrics.aggregated_jaccard_index",
        metrics={"aji": aji_cellpose},
    ),
    Variant(
        name="dice_empty_0",
        title="empty is 0",
        what="Dice of an image without true or predicted foreground is 0, not 1",
        source=_RELEASED,
        metrics={"dice": dice_zero_if_empty},
    ),
    Variant(
        name="iou_at_least_half",
        title="IoU ≥ 0.5",
        what="an IoU of exactly 0.5 is a match",
        source="StarDist",
        metrics={"f1": f1_at_least_half, "pq": panoptic_quality_at_least_half},
    ),
    Variant(
        name="sbd_max",
        title="SBD max",
        what="the higher direction of SBD, not the lower",
        source="the CVPPP challenge until late 2021",
        metrics={"sbd": symmetric_best_dice_max},
    ),
    Variant(
        name="decoding_official",
        title="official truth",
        what="truth: 4-connected components of one colour, all kept",
        source="BBBC039",
        metrics=FAMILIES,
        decoding="official",
    ),
    Variant(
        name="decoding_pea",
        title="PEA's truth",
        what="truth: 8-connected components of one colour, those under 25 pixels dropped",
        source=_RELEASED,
        metrics=FAMILIES,
        decoding="pea",
    ),
    Variant(
        name="pooled",
        title="pooled",
        what="all images as one, not a mean over images (not for |DiC|: a sum over images is another quantity)",
        source="Kirillov et al., panoptic segmentation, 2019; StarDist's matching_dataset",
        metrics={name: compute for name, compute in FAMILIES.items() if name != "abs_dic"},
        pooled=True,
    ),
    Variant(
        name="foreground",
        title="masked",
        what="predictions times the truth's foreground mask",
        source=f"{_RELEASED}, on CVPPP, which gives that mask with its images",
        metrics=FAMILIES,
        foreground=True,
    ),
)

RELEASED_NUCLEI = Variant(
    name="released",
    title="as released",
    what="the whole evaluation of PEA and PCTrans on BBBC039: PEA's truth and AJI, IoU > 0.5, Dice 0 where both maps "
    "are empty, means over images; where that code stops at an empty map, as this project",
    source=_RELEASED,
    metrics={name: FAMILIES[name] for name in ("f1", "pq")} | {"aji": aji_pea, "dice": dice_zero_if_empty},
    decoding="pea",
)

RELEASED_LEAVES = Variant(
    name="released",
    title="as released",
    what="the whole evaluation of PEA and PCTrans on CVPPP A1: predictions times the truth's foreground mask, the "
    "lower direction of SBD, means over images; that code takes the highest id for a count, here objects are counted",
    source=_RELEASED,
    metrics={name: FAMILIES[name] for name in ("sbd", "abs_dic")},
    foreground=True,
)

_GIVES_FOREGROUND = "cvppp-a1"


@dataclass(frozen=True)
class Choice:
    """The variants of one data set.

    Attributes:
        variants: those that apply, this project's own first.
        refused: those that do not, each with the reason.
    """

    variants: tuple[Variant, ...]
    refused: tuple[tuple[Variant, str], ...]


def choose(*, data: str, decoding: str, decodings: tuple[str, ...], protocol: str) -> Choice:
    """Choose the variants that apply to a data set.

    Args:
        data: name of the data set; only CVPPP A1 gives the foreground with its images.
        decoding: decoding of the truth that the jobs were scored with; it is not a variant of itself.
        decodings: all decodings that the data set has.
        protocol: "nuclei" or "leaves", which selects the released evaluation.
    """
    single = [variant for variant in SINGLE_CHANGES if variant.decoding is None or variant.decoding in decodings]
    refused = [variant for variant in SINGLE_CHANGES if variant not in single]
    released = RELEASED_LEAVES if protocol == "leaves" else RELEASED_NUCLEI
    if released.decoding and released.decoding not in decodings:
        released = replace(released, decoding=None, what=f"{released.what}; labels of {data} hold ids")
    changes = [variant for variant in (*single, released) if variant is released or variant.decoding != decoding]
    return Choice(
        (OWN, *(_marked(variant, data) for variant in changes)),
        tuple((variant, f"labels of {data} hold ids, which is one decoding") for variant in refused),
    )


def _marked(variant: Variant, data: str) -> Variant:
    """Mark the variant as a leak where it tells the method what its users cannot."""
    if not variant.foreground or data == _GIVES_FOREGROUND:
        return variant
    reason = f"{data} gives no such mask: a leak, as it tells the method where objects are"
    return replace(variant, title=f"{variant.title} (leak)", what=f"{variant.what}; {reason}", leak=True)
