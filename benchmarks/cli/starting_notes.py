"""What `train --from` says of the model it starts from before it begins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.errors import UserError
from pctrans.pretrained import built_in_model

if TYPE_CHECKING:
    from benchmarks.data import Dataset
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
    elif not same and (start.weights.data == dataset.name or _one_place(start.spec, dataset.spec)):
        yield (
            f"{where} was made on {start.weights.data} as it was then, with other files or splits (fingerprint "
            f"{start.weights.fingerprint[:12]}…, now {dataset.fingerprint[:12]}…): images that it was trained on must "
            f"not be in the {job.split} split, or its figures flatter. What it was trained on is not stored."
        )


def _one_place(first: str, second: str) -> bool:
    """Whether two specs name the same data but for the share of the training images."""
    from benchmarks.data.opening import whole_of

    try:
        return whole_of(first) == whole_of(second)
    except UserError:
        return False
