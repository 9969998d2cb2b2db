"""What `train --from` says of the model it starts from before it begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.data.base import SPLITS
from benchmarks.errors import UserError
from pctrans.pretrained import built_in_model, built_in_models

if TYPE_CHECKING:
    from benchmarks.data import Dataset
    from benchmarks.data.identity import PartIdentity
    from benchmarks.plan.job import Job
    from benchmarks.plan.starting import StartingModel

_ALIKE = 2.0
"""Objects within so many times the size of those that a model knows are not worth a word."""


def refuse_moving_start(path: Path, out: Path) -> None:
    """Refuse a start that is the link which the training will move: the same command would go on from its own result.

    Args:
        path: as `--from` names the model.

    Raises:
        UserError: it is OUT/model.
    """
    if built_in_model(path) is not None:
        return
    moved = out.resolve() / "model"
    link = next((one for one in _links(path) if one.parent.resolve() / one.name == moved), None)
    if link is not None:
        raise UserError(
            f"--from {path} is the model trained last in --out {out}, which this training would replace, so that the "
            f"same command would start from its own result. Give the very model, --from {link.resolve()}, or another "
            "--out."
        )


def _links(path: Path) -> Iterator[Path]:
    """All links on the way to the model at `path`, or to the one in its `model`: each may lead to the next."""
    seen: set[Path] = set()
    for link in (path, path / "model"):
        while link.is_symlink() and link not in seen:
            seen.add(link)
            yield link
            link = link.parent / link.readlink()


def starting_notes(start: StartingModel, dataset: Dataset, job: Job) -> Iterator[str]:
    """Say in what the data and the job are not what the model knows, and where it may have seen the test images."""
    where = f"the model of --from, {start.weights.place},"
    if start.range is not None and dataset.range != start.range:  # a model of several knows each
        here = "has parts of several" if dataset.range is None else f"has range={dataset.range}"
        yield (
            f"{where} was trained on intensities of range={start.range}, and {dataset.spec} {here}: training has to "
            f"undo the difference. folder: and coco: take ?range={start.range}."
        )
    if job.training.crop != start.crop:
        yield (
            f"{where} was trained on crops of {start.crop} pixels, and this training takes {job.training.crop}: what "
            f"it learned of places and neighbours is of such crops. --set training.crop={start.crop} keeps them."
        )
    elif job.tile != start.tile:
        yield f"{where} was tested in tiles of {_side(start.tile)}, and this training is in tiles of {_side(job.tile)}."
    yield from _sizes(start, dataset, where)
    yield from _leaks(start, dataset, job, where)


def _sizes(start: StartingModel, dataset: Dataset, where: str) -> Iterator[str]:
    from benchmarks.tiling.magnification import median_diameter

    labels = (dataset.load(id).labels for id in dataset.ids("train"))
    here = median_diameter(map_ for map_ in labels if map_ is not None)
    if start.diameter and here and not 1 / _ALIKE <= here / start.diameter <= _ALIKE:
        yield (
            f"{where} was trained on objects of {start.diameter:.0f} pixels in diameter (median), and those of "
            f"{dataset.spec} have {here:.0f}: resize the images, or expect it to learn the other size first."
        )


def _side(tile: int) -> str:
    from benchmarks.plan.settings import WHOLE

    return "whole images" if tile == WHOLE else f"{tile} pixels"


def _leaks(start: StartingModel, dataset: Dataset, job: Job, where: str) -> Iterator[str]:
    same = start.weights.fingerprint == dataset.fingerprint
    if same and start.split != job.split:
        yield (
            f"{where} was made on these very data and tested on their {start.split} split. This training is tested on "
            f"the {job.split} split, which had a part in making the model, so its figures flatter."
        )
    elif not same:
        known = [_seen(start, part, job.split) for part in dataset.parts]
        yield from (_told(start, seen, dataset, job, where) for seen in known if seen)
        if None in known and _of_one_name(start, dataset):
            yield (
                f"{where} was made on {start.weights.data} as it was then, with other files or splits (fingerprint "
                f"{start.weights.fingerprint[:12]}…, now {dataset.fingerprint[:12]}…): images that it was trained on "
                f"must not be in the {job.split} split, or its figures flatter. What it was trained on is not stored."
            )


@dataclass(frozen=True)
class _Seen:
    """A part of the model's data that is also here.

    Attributes:
        shared: which of its splits are here as they were.
        tested: which of them this training is tested on, if on one.
    """

    part: PartIdentity
    shared: tuple[str, ...]
    tested: str | None


def _seen(start: StartingModel, here: Dataset, split: str) -> _Seen | None:
    """Find, by content, the part of a model's data that has a split in common with a data set tested on `split`."""
    from benchmarks.data.identity import identities_of_parts

    parts = start.parts
    if not parts and start.weights.fingerprint == here.fingerprint:  # of a version that kept a union's parts only
        parts = identities_of_parts(here)
    if not parts:
        return None
    digests = {name: here.split_digest(name) for name in SPLITS}
    for part in parts:
        if shared := tuple(name for name in SPLITS if part.splits[name] in digests.values()):
            return _Seen(part, shared, next((name for name in shared if part.splits[name] == digests[split]), None))
    return None


def _told(start: StartingModel, seen: _Seen, dataset: Dataset, job: Job, where: str) -> str:
    name, tested = seen.part.name, seen.tested
    if tested is None:
        return (
            f"{where} was made on {name}, whose {' and '.join(seen.shared)} images are in {dataset.spec}, where the "
            f"{job.split} split has other images than there: those that the model was trained on must not be among "
            "them, or its figures flatter."
        )
    if tested != start.split:
        return (
            f"{where} was made on {name}, and this training is tested on its {tested} split, which had a part in "
            "making the model, so its figures flatter."
        )
    # Only the data of the last model before it are stored; of the same splits, the test images were no others.
    known = start.before in (None, seen.part.fingerprint)
    return (
        f"{where} was trained on the train split of {name}, which has images in common with {dataset.spec}. The "
        f"{tested} split of {name}, which this training is tested on, had no part in that"
        + ("." if known else "; whether it had one in the model that this one started from is not stored.")
    )


def _of_one_name(start: StartingModel, dataset: Dataset) -> bool:
    """Whether the model's data are of the same kind and name, or place: the same ones, it may be, as they were once.

    A built-in model was made on nobody's own data, whatever their name.
    """
    if start.weights.place in built_in_models():
        return False
    kinds = {spec.partition("?")[0].partition(":")[0] for spec in (start.spec, dataset.spec)}
    return len(kinds) == 1 and (start.weights.data == dataset.name or _one_place(start.spec, dataset.spec))


def _one_place(first: str, second: str) -> bool:
    """Whether two specs name the same data but for the share of the training images."""
    from benchmarks.data.opening import whole_of

    try:
        return whole_of(first) == whole_of(second)
    except UserError:
        return False
