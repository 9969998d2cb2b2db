"""What each row loses to each kind of error, and how that differs from the reference row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

from benchmarks.anatomy import GROUPS
from benchmarks.errors import UserError
from benchmarks.metrics.mending import KINDS
from benchmarks.store.anatomy import FateCounts
from reports.anatomy.dissected import DissectedRow, DissectedTable, loss_name
from reports.comparisons import significant_side
from reports.pairing import paired_scores
from reports.statistics import holm, paired_difference


@dataclass(frozen=True)
class RowLosses:
    """What one row loses, as means over images, then over seeds.

    Attributes:
        number, label, seeds: of the row.
        pq: share of 1 - PQ of each kind; they add up to `pq_lost`.
        pq_alone: PQ gained if that kind alone were mended.
        ap: share of 1 - AP of each kind.
        assd, hd95: over the images that have a match, pixels; None where none has.
        merges, splits: predictions that hold several truths, truths in which several predictions lie, of all images.
    """

    number: int
    label: str
    seeds: int
    pq: dict[str, float]
    pq_alone: dict[str, float]
    ap: dict[str, float]
    assd: float | None
    hd95: float | None
    merges: float
    splits: float

    @property
    def pq_lost(self) -> float:
        return sum(self.pq.values())

    @property
    def ap_lost(self) -> float:
        return sum(self.ap.values())


@dataclass(frozen=True)
class Difference:
    """What a row loses to a kind less what the reference does: above 0, the row loses more to it.

    Attributes:
        low, high: 95 % paired bootstrap interval, over images and seeds; NaN for one image.
        p, p_holm: of the signed-rank test over images, by itself and corrected over all rows and kinds.
        images, seeds: how many the rows share.
    """

    number: int
    label: str
    kind: str
    effect: float
    low: float
    high: float
    p: float
    rank_biserial: float
    images: int
    seeds: int
    p_holm: float = 1.0

    @property
    def sign(self) -> int:
        """1 where the row loses significantly more, -1 where it loses less, else 0."""
        return significant_side(self.p_holm, self.low, self.high, self.rank_biserial)


@dataclass(frozen=True)
class Differences:
    """All differences from the reference, one family; `unpaired` says why rows could not be compared."""

    reference: DissectedRow | None
    found: tuple[Difference, ...]
    unpaired: tuple[str, ...]


def row_losses(table: DissectedTable) -> list[RowLosses]:
    """Average the costs of every row that has a job."""
    return [_losses(row) for row in table.rows if row.jobs]


def differences(table: DissectedTable) -> Differences:
    """Compare every row with the reference, kind by kind; Holm's correction is over rows and kinds."""
    reference, found, unpaired = table.reference, [], []
    for row in table.rows:
        if reference is None or not row.jobs or row is reference:
            continue
        try:
            found += [_difference(row, reference, kind) for kind in KINDS]
        except UserError as error:
            unpaired.append(str(error))
    corrected = holm([one.p for one in found])
    return Differences(
        reference,
        tuple(replace(one, p_holm=float(p)) for one, p in zip(found, corrected, strict=True)),
        tuple(dict.fromkeys(unpaired)),
    )


def group_fates(row: DissectedRow) -> dict[str, FateCounts]:
    """Add up the fates of the truths in each group, over images and seeds; a group without any is left out."""
    found = {}
    for name in GROUPS:
        parts = [image.errors.groups[name] for job in row.jobs for image in job.images if name in image.errors.groups]
        if parts:
            fields = FateCounts.model_fields
            found[name] = FateCounts(**{field: sum(getattr(part, field) for part in parts) for field in fields})
    return found


def _losses(row: DissectedRow) -> RowLosses:
    seeds = len(row.jobs)
    return RowLosses(
        number=row.row.number,
        label=row.row.label,
        seeds=seeds,
        pq=_mean_costs(row, "pq", "shares"),
        pq_alone=_mean_costs(row, "pq", "alone"),
        ap=_mean_costs(row, "ap", "shares"),
        assd=_mean_distance(row, "assd"),
        hd95=_mean_distance(row, "hd95"),
        merges=sum(image.errors.merging for job in row.jobs for image in job.images) / seeds,
        splits=sum(image.errors.fragmented for job in row.jobs for image in job.images) / seeds,
    )


def _mean_costs(row: DissectedRow, metric: Literal["pq", "ap"], what: Literal["shares", "alone"]) -> dict[str, float]:
    def of_job(images: Sequence[object], kind: str) -> float:
        return fmean(getattr(getattr(image, metric), what)[kind] for image in images)

    return {kind: fmean(of_job(job.images, kind) for job in row.jobs) for kind in KINDS}


def _mean_distance(row: DissectedRow, name: Literal["assd", "hd95"]) -> float | None:
    means = []
    for job in row.jobs:
        values = [value for image in job.images if (value := getattr(image.errors, name)) is not None]
        if values:
            means.append(fmean(values))
    return fmean(means) if means else None


def _difference(row: DissectedRow, reference: DissectedRow, kind: str) -> Difference:
    ours, theirs = paired_scores([row.row, reference.row], loss_name(kind))
    found = paired_difference(ours - theirs)
    return Difference(
        number=row.row.number,
        label=row.row.label,
        kind=kind,
        effect=found.effect,
        low=found.interval.low,
        high=found.interval.high,
        p=found.p,
        rank_biserial=found.rank_biserial,
        images=ours.shape[0],
        seeds=ours.shape[1],
    )
