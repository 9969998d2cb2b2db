"""Segmenting a user's own images with a saved model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from benchmarks.contract import Scoring
from benchmarks.data import read_labels
from benchmarks.data.label_files import origin_of, write_labels
from benchmarks.data.normalisation import Range, normalise, odd_range
from benchmarks.data.planes.choice import PlaneChoice
from benchmarks.data.planes.reading import image_stem, open_image
from benchmarks.errors import UserError
from benchmarks.exports.choice import Export
from benchmarks.exports.micrometres import MICROMETRE_COLUMNS, in_micrometres
from benchmarks.exports.writing import Exporter, Segmented
from benchmarks.files import remove_leftovers, spreadsheet_cell, write_atomic, write_json
from benchmarks.machine.memory import explaining_lack_of_memory
from benchmarks.metrics import relabel
from benchmarks.run.measurements import measurement_columns, object_measurements
from benchmarks.run.prediction import Labelled, save_overlay, segment_with_scores
from benchmarks.store.calibration import DECIMALS, read_scores_of, write_scores_of
from benchmarks.store.models.saved_model import SavedModel, find_model, load_model
from benchmarks.tiling import never_whole
from benchmarks.tiling.magnification import (
    estimate_diameter,
    median_diameter,
    resize_labels,
    resized_shape,
    segment_resized,
)

PREDICT_FILE = "predict.json"
_NAMED = 5


@dataclass(frozen=True)
class PredictOptions:
    """What a user may choose for `predict`; it is the same for all images of a folder of results.

    Attributes:
        tile: side of the tiles in pixels; None for the model's training crop.
        overlap: pixels that neighbouring tiles share; None for those of the model's job, at most half a tile.
        flips: let mirrored views vote, whether or not the model's job did.
        min_size: objects of fewer pixels are dropped.
        range: the limits that images are stretched between; None for those of the data the model was trained on.
        diameter: of the objects, in pixels: images are resized so that it becomes that of the training objects.
            "auto" estimates it for each image; None leaves images as they are.
        plane: which plane of files that hold several.
    """

    tile: int | None = None
    overlap: int | None = None
    flips: bool = False
    min_size: int = 0
    range: Range | None = None
    diameter: float | Literal["auto"] | None = None
    plane: PlaneChoice = field(default_factory=PlaneChoice)


@dataclass(frozen=True)
class Predicted:
    """What became of one image.

    Attributes:
        objects: how many it has.
        problem: why it could not be segmented or exported; None where it was.
        notes: what looks odd about the image or its objects.
    """

    image: Path
    objects: int = 0
    problem: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def told(self) -> list[str]:
        """Lines that tell the user of notes and of the problem."""
        return [f"note: {note}" for note in self.notes] + ([f"problem: {self.problem}"] if self.problem else [])


def predict_images(
    model: Path,
    images: Sequence[Path],
    out: Path,
    *,
    device: str,
    options: PredictOptions | None = None,
    overwrite: bool = False,
    exports: Collection[Export] = (),
) -> Iterator[Predicted]:
    """Segment image by image into labels/, scores/, overlays/ and, at the end, objects.csv.

    The same call continues where an earlier one stopped: images that have labels are only measured. Labels carry the
    digests of their image's file and of the options, so those of an image that was replaced are made again. An image
    that cannot be read is told of and has no results; the others have theirs.

    Args:
        overwrite: segment again what is there.
        exports: what else to write of each image, also of those that have labels; see `exports.writing`.

    Raises:
        UserError: no such model, sizes that do not fit, or results that were made otherwise.
    """
    saved = load_model(model, device)
    options = options or PredictOptions()
    settings = _Settings.of(saved, options)
    chosen = {name: value for name, value in asdict(settings).items() if value is not None}
    described = {"model": _digest(model), **chosen, **options.plane.made()}
    if not overwrite:
        _refuse_others(out, described, images)
    for folder in (out, out / "labels", out / "scores", out / "overlays"):
        remove_leftovers(folder)
    write_json(out / PREDICT_FILE, described)
    made_by = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
    exporter = Exporter(out, exports)
    work = _Work(saved, settings, options.plane, made_by, out, device, overwrite, exporter, "csv" in exports)
    rows: list[dict[str, Any]] = []
    for path in images:
        try:
            predicted, measured = work.segment(path)
        except UserError as error:
            predicted, measured = Predicted(path, problem=str(error)), []
        rows += measured
        yield predicted
    micrometres = MICROMETRE_COLUMNS if "csv" in exports else ()
    table = pd.DataFrame(rows, columns=["image", *measurement_columns(intensity=True), "score", *micrometres])
    write_atomic(out / "objects.csv", table.to_csv(index=False))
    exporter.finish()


@dataclass(frozen=True)
class _Settings:
    """`PredictOptions` with what the user left to the model."""

    tile: int
    overlap: int
    flips: bool
    min_size: int
    range: Range
    diameter: float | Literal["auto"] | None

    @classmethod
    def of(cls, saved: SavedModel, asked: PredictOptions) -> _Settings:
        tile = asked.tile or saved.tile
        overlap = min(saved.testing.overlap, tile // 2) if asked.overlap is None else asked.overlap
        if overlap >= tile:
            raise UserError(f"--overlap {overlap}: expected less than the side of a tile, which is {tile} pixels.")
        flips, limits = asked.flips or saved.testing.flips, asked.range or saved.range
        if asked.diameter is not None and saved.diameter is None:
            raise UserError(
                "--diameter: this model does not know the diameter of the objects it was trained on, as it has no "
                "training or is of an earlier version. Resize the images yourself, or train it again."
            )
        return cls(tile, overlap, flips, asked.min_size, limits, asked.diameter)


@dataclass(frozen=True)
class _Work:
    """How every image of one call is segmented, and where its results lie.

    Attributes:
        made_by: digest of the model and the settings.
        micrometres: measure in these, too.
    """

    saved: SavedModel
    settings: _Settings
    plane: PlaneChoice
    made_by: str
    out: Path
    device: str
    overwrite: bool
    exporter: Exporter
    micrometres: bool

    def segment(self, path: Path) -> tuple[Predicted, list[dict[str, Any]]]:
        """Segment and measure an image, or measure what is there.

        Raises:
            UserError: the image cannot be used.
        """
        file = open_image(path)
        try:
            stored = file.read(self.plane)
            image = normalise(stored, str(path), self.settings.range)
        except UserError:
            self._forget(path, file.digest)
            raise
        notes = []
        if self.settings.range == "min-max" and (words := odd_range(stored)):
            notes.append(f"{path}: its range looks odd, {words}; --range robust stretches between percentiles.")
        labels, scores = self._labels(path, image, file.digest)
        notes += self._size_notes(path, labels)
        size = file.pixel_size(self.plane)
        measured = object_measurements(labels, image)
        told = [None] * len(measured) if scores is None else scores.tolist()
        rows = [row | {"score": score} | in_micrometres(row, size) for row, score in zip(measured, told, strict=True)]
        problem = self._exported(
            Segmented(image_stem(path.name), path.name, labels, rows, size, self._origin(file.digest))
        )
        if self.micrometres and size is None:
            notes.append(f"{path}: the file does not say how large a pixel is, so nothing of it is in micrometres.")
        name = spreadsheet_cell(path.name)
        rows = [{"image": name, **row} for row in rows]
        return Predicted(path, int(labels.max(initial=0)), problem, tuple(notes)), rows

    def _exported(self, image: Segmented) -> str | None:
        """Write the exports of an image, and return why one could not be; its labels and measurements stay."""
        try:
            self.exporter.write(image)
        except UserError as error:
            return str(error)
        return None

    def _forget(self, path: Path, digest: str) -> None:
        """Remove the results of an image that had this name before."""
        target, picture = self._targets(path)
        if not (origin_of(target) or "").startswith(_image(digest)):
            if target.exists():
                self.exporter.forget(image_stem(path.name))
            for made in (target, picture, _scores_of(target)):
                made.unlink(missing_ok=True)

    def _origin(self, digest: str) -> str:
        return f"{_image(digest)}, by model and options sha256 {self.made_by}"

    def _labels(self, path: Path, image: np.ndarray, digest: str) -> Labelled:
        target, picture = self._targets(path)
        origin = self._origin(digest)
        scored = isinstance(self.saved.segmenter, Scoring)
        found = None if self.overwrite else _read_if_of(target, origin, scored=scored)
        if found is None:
            found = _without_small(*self._segmented(path, image), self.settings.min_size)
            self.exporter.forget(image_stem(path.name))
            for before in (picture, _scores_of(target)):  # a label map must never be seen with another's scores
                before.unlink(missing_ok=True)
            write_labels(target, found[0], origin=origin)
            write_scores_of(_scores_of(target), found[1])
        if not picture.exists():
            save_overlay(picture, image, found[0])
        return found

    def _segmented(self, path: Path, image: np.ndarray) -> Labelled:
        saved, settings = self.saved, self.settings
        testing = saved.testing.model_copy(update={"flips": settings.flips, "overlap": settings.overlap})
        height, width = image.shape[1:]
        with explaining_lack_of_memory(
            f"{path}: segmenting its {height}×{width} pixels in tiles of {settings.tile}",
            "Take a smaller --tile, or cut the image into parts.",
        ):

            def segment(pixels: np.ndarray) -> Labelled:
                return segment_with_scores(
                    saved.segmenter, pixels, settings.tile, testing, self.device, saved.precision, chains=True
                )

            if settings.diameter is None:
                return segment(image)
            diameter = settings.diameter
            if diameter == "auto":
                diameter = estimate_diameter(segment, image, self._trained) or self._trained
            return segment_resized(segment, image, self._trained / diameter)

    @property
    def _trained(self) -> float:
        """The diameter that the model knows."""
        assert self.saved.diameter is not None, "the settings were checked"
        return self.saved.diameter

    def _size_notes(self, path: Path, labels: np.ndarray) -> list[str]:
        """Say how an image was resized where that was estimated, and which objects no tile has seen whole."""
        factor = self._factor(labels)
        seen = resize_labels(labels, resized_shape(labels.shape, factor))
        cut = _cut_notes(path, seen, self.settings.tile, self.settings.overlap)
        if self.settings.diameter != "auto":
            return cut
        about = self._trained / factor
        return [f"{path}: resized by {factor:.2f}, as its objects are some {about:.0f} pixels wide.", *cut]

    def _factor(self, labels: np.ndarray) -> float:
        """How many times an image was enlarged; where that was estimated, as its objects say, which may be read."""
        diameter = self.settings.diameter
        if diameter is None:
            return 1.0
        return self._trained / ((median_diameter([labels]) or self._trained) if diameter == "auto" else diameter)

    def _targets(self, path: Path) -> tuple[Path, Path]:
        """The label map and the overlay of an image."""
        stem = image_stem(path.name)
        return self.out / "labels" / f"{stem}.tif", self.out / "overlays" / f"{stem}.png"


def _image(digest: str) -> str:
    return f"image sha256 {digest}"


def _scores_of(target: Path) -> Path:
    """Where the scores of a label map's objects lie."""
    return target.parents[1] / "scores" / f"{target.stem}.csv"


def _read_if_of(target: Path, origin: str, *, scored: bool) -> Labelled | None:
    """Read a label map and its scores; None where there are none of this origin, or damaged ones.

    Args:
        scored: whether the model gives scores; label maps of versions that stored none are then made again.
    """
    if origin_of(target) != origin:
        return None
    try:
        labels = read_labels(target)
        scores = read_scores_of(_scores_of(target), int(labels.max(initial=0))) if scored else None
    except UserError:
        return None
    return None if scored and scores is None else (labels, scores)


def _cut_notes(path: Path, labels: np.ndarray, tile: int, overlap: int) -> list[str]:
    """Name the objects that no tile has seen whole, the largest first."""
    cut = sorted(never_whole(labels, tile=tile, overlap=overlap), key=lambda one: -max(one.height, one.width))
    if not cut:
        return []
    named = ", ".join(f"{one.id} ({one.height} x {one.width})" for one in cut[:_NAMED])
    more = f" and {len(cut) - _NAMED} more" if len(cut) > _NAMED else ""
    return [
        f"{path}: no tile of {tile} pixels has seen these objects whole (id, height x width): {named}{more}. They "
        f"are joined from parts, or are parts. An --overlap above their size ({overlap} now) or a larger --tile helps."
    ]


def _digest(model: Path) -> str:
    """SHA-256 of configuration and weights; a method without training has no weights."""
    files = (find_model(model) / name for name in ("config.json", "model.safetensors"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file())).hexdigest()


def _refuse_others(out: Path, described: dict[str, Any], images: Sequence[Path]) -> None:
    """Refuse to mix label maps of one folder that were made with other models or options.

    Raises:
        UserError: there are some.
    """
    there = {out / "labels" / f"{image_stem(path.name)}.tif" for path in images}
    there = {target for target in there if target.exists()}
    try:
        before = json.loads((out / PREDICT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = None
    # Earlier versions stated fewer options; a diameter and a choice of plane are stated where there is one.
    same = (
        isinstance(before, dict)
        and all(described.get(name) == value for name, value in before.items())
        and all(before.get(name) == described.get(name) for name in ("diameter", *PlaneChoice.__dataclass_fields__))
    )
    if there and not same:
        raise UserError(
            f"{min(there)} is there already, and was not made with this model and these options; give another "
            "--out folder, or --overwrite."
        )


def _without_small(labels: np.ndarray, scores: np.ndarray | None, min_size: int) -> Labelled:
    """Remove small objects with their scores, which are rounded to what is stored of them."""
    if scores is not None:
        scores = np.round(scores[np.bincount(labels.ravel())[1:] >= min_size], DECIMALS)
    return drop_small(labels, min_size), scores


def drop_small(labels: np.ndarray, min_size: int) -> np.ndarray:
    """Remove objects of fewer than `min_size` pixels from (H, W) labels 0..K and renumber without gaps."""
    areas = np.bincount(labels.ravel())
    areas[0] = max(areas[0], min_size)
    return relabel(np.where(areas[labels] >= min_size, labels, 0))[0].astype(np.int32)
