"""Segmenting a user's own images with a saved model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.data import read_labels
from benchmarks.data.label_files import origin_of, write_labels
from benchmarks.data.normalisation import normalise, odd_range
from benchmarks.data.planes.choice import PlaneChoice
from benchmarks.data.planes.reading import image_stem, open_image
from benchmarks.errors import UserError
from benchmarks.exports.choice import Export
from benchmarks.exports.micrometres import MICROMETRE_COLUMNS, in_micrometres
from benchmarks.exports.writing import Exporter, Segmented
from benchmarks.files import remove_leftovers, spreadsheet_cell, write_atomic, write_json
from benchmarks.predicting.measurements import measurement_columns, object_measurements
from benchmarks.predicting.options import PredictOptions, Settings
from benchmarks.predicting.segmenting import ImageSegmenter, Objects
from benchmarks.run.prediction import save_overlay
from benchmarks.store.calibration import read_scores_of, write_scores_of
from benchmarks.store.models.saved_model import find_model, load_model

PREDICT_FILE = "predict.json"
RULES = 1
"""Raised where the same model and options would now give other label maps: those of before are made again."""
_RESIZED = ", resized by "
_NAMED = 5


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
    settings = Settings.of(saved, options)
    chosen = {name: value for name, value in asdict(settings).items() if value is not None}
    described = {"model": _digest(model), **chosen, **options.plane.made()}
    if not overwrite:
        _refuse_others(out, described)
    for folder in (out, out / "labels", out / "scores", out / "overlays"):
        remove_leftovers(folder)
    write_json(out / PREDICT_FILE, described)
    rules = {"rules": RULES, **described}
    made_by = hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()
    exporter = Exporter(out, exports)
    segmenter = ImageSegmenter(saved, settings, device)
    work = _Work(segmenter, options.plane, made_by, out, overwrite, exporter, "csv" in exports)
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


def labels_of_others(out: Path, images: Sequence[Path]) -> int:
    """How many label maps of earlier calls are of other images than these, which alone are in objects.csv."""
    stems = {image_stem(path.name) for path in images}
    return sum(path.stem not in stems for path in (out / "labels").glob("*.tif"))


@dataclass(frozen=True)
class _Work:
    """How every image of one call is segmented, and where its results lie.

    Attributes:
        made_by: digest of the model and the settings.
        micrometres: measure in these, too.
    """

    segmenter: ImageSegmenter
    plane: PlaneChoice
    made_by: str
    out: Path
    overwrite: bool
    exporter: Exporter
    micrometres: bool

    def segment(self, path: Path) -> tuple[Predicted, list[dict[str, Any]]]:
        """Segment and measure an image, or measure what is there.

        Raises:
            UserError: the image cannot be used.
        """
        file, limits = open_image(path), self.segmenter.settings.range
        try:
            stored = file.read(self.plane)
            image = normalise(stored, str(path), limits)
        except UserError:
            self._forget(path, file.digest)
            raise
        notes = []
        if limits == "min-max" and (words := odd_range(stored)):
            notes.append(f"{path}: its range looks odd, {words}; --range robust stretches between percentiles.")
        found = self._objects(path, image, file.digest)
        notes += self.segmenter.size_notes(path, found)
        labels, scores = found.labels, found.scores
        size = file.pixel_size(self.plane)
        # As stored, not stretched: else the brightness of an object would be that of its image's range.
        measured = object_measurements(labels, stored if stored.ndim == 2 else np.moveaxis(stored, -1, 0))
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

    def _objects(self, path: Path, image: np.ndarray, digest: str) -> Objects:
        target, picture = self._targets(path)
        origin = self._origin(digest)
        found = None if self.overwrite else _read_if_of(target, origin, scored=self.segmenter.scored)
        if found is None:
            found = self.segmenter.segment(path, image)
            self.exporter.forget(image_stem(path.name))
            for before in (picture, _scores_of(target)):  # a label map must never be seen with another's scores
                before.unlink(missing_ok=True)
            write_labels(target, found.labels, origin=f"{origin}{_RESIZED}{found.factor!r}")
            write_scores_of(_scores_of(target), found.scores)
        if not picture.exists():
            save_overlay(picture, image, found.labels)
        return found

    def _targets(self, path: Path) -> tuple[Path, Path]:
        """The label map and the overlay of an image."""
        stem = image_stem(path.name)
        return self.out / "labels" / f"{stem}.tif", self.out / "overlays" / f"{stem}.png"


def _image(digest: str) -> str:
    return f"image sha256 {digest}"


def _scores_of(target: Path) -> Path:
    """Where the scores of a label map's objects lie."""
    return target.parents[1] / "scores" / f"{target.stem}.csv"


def _read_if_of(target: Path, origin: str, *, scored: bool) -> Objects | None:
    """Read a label map and its scores; None where there are none of this origin, or damaged ones.

    Args:
        scored: whether the model gives scores; label maps of versions that stored none are then made again, as are
            those of versions that did not say how they resized the image.
    """
    made_of, _, factor = (origin_of(target) or "").partition(_RESIZED)
    if made_of != origin or not factor:
        return None
    try:
        labels = read_labels(target)
        scores = read_scores_of(_scores_of(target), int(labels.max(initial=0))) if scored else None
    except UserError:
        return None
    return None if scored and scores is None else Objects(labels, scores, float(factor))


def _digest(model: Path) -> str:
    """SHA-256 of configuration and weights; a method without training has no weights."""
    files = (find_model(model) / name for name in ("config.json", "model.safetensors"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file())).hexdigest()


def _refuse_others(out: Path, described: dict[str, Any]) -> None:
    """Refuse to mix label maps of one folder that were made with other models or options, of whichever images.

    Raises:
        UserError: there are some.
    """
    there = list((out / "labels").glob("*.tif"))
    try:
        before = json.loads((out / PREDICT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = None
    # Earlier versions stated fewer options; a diameter, a choice of plane and inversion, where there was one.
    same = (
        isinstance(before, dict)
        and all(described.get(name) == value for name, value in before.items())
        and all(before.get(name) == described.get(name) for name in ("diameter", *PlaneChoice.__dataclass_fields__))
        and before.get("invert", False) == described["invert"]
    )
    if there and not same:
        raise UserError(
            f"{min(there)} is there already, and was not made with this model and these options; give another "
            "--out folder, or --overwrite."
        )
