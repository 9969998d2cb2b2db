"""Scores of a folder of predicted label maps against a folder of true ones, whoever made them, and scores as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import read_labels
from benchmarks.data.components import Pieces, count_pieces, pieces_note, split_components
from benchmarks.data.label_files import label_files
from benchmarks.errors import UserError
from benchmarks.files import spreadsheet_cell, write_atomic
from benchmarks.metrics.scoring import score_image
from benchmarks.metrics.tolerance import left_out


def score_folders(
    truth: Path,
    prediction: Path,
    *,
    stems: Collection[str] | None = None,
    split: Collection[str] = (),
    tolerance: int = 0,
    compat: bool = False,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Score every image of two folders of label maps, paired by stem; the extensions may differ.

    Args:
        stems: score only these images, which both folders must have; None scores all.
        split: "truth", "prediction" or both: maps of which each connected part of an id is an object.
        tolerance: width in pixels of the band along outlines of the truth that is not judged.
        compat: add the metrics that reproduce released evaluations.

    Returns:
        One row per image in the order of the stems: `image`, `truth`, `predicted` and the metrics. And notes on label
        maps that are scored as they are, though their ids lie in several pieces.

    Raises:
        UserError: a folder is missing or has no label map, a file has no partner, two files of a folder
            share a stem, a file cannot be read, or the sizes of a pair differ.
    """
    true_files, predicted_files = label_files(truth, stems), label_files(prediction, stems)
    _refuse_unpaired(true_files, predicted_files, prediction)
    _refuse_unpaired(predicted_files, true_files, truth)
    rows: list[dict[str, Any]] = []
    pieces: dict[str, dict[str, Pieces]] = {"truth": {}, "prediction": {}}
    for stem, path in true_files.items():
        maps = _read_pair(path, predicted_files[stem])
        for side, file in (("truth", path), ("prediction", predicted_files[stem])):
            if side in split:
                maps[side] = split_components(maps[side])
            else:
                pieces[side][str(file)] = count_pieces(maps[side])
        rows.append(
            {"image": stem, **score_image(*left_out(maps["truth"], maps["prediction"], tolerance), compat=compat)}
        )
    notes = [
        f"{note}. --components {side} makes each piece an object"
        for side, found in pieces.items()
        if (note := pieces_note(found))
    ]
    return rows, notes


def write_scores(rows: Sequence[Mapping[str, Any]], csv_path: Path) -> None:
    """Write one line per row with the rows' columns; a float reads back as exactly the same float.

    Text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: spreadsheet_cell(cell) for name, cell in row.items()} for row in rows)
    write_atomic(csv_path, text.getvalue())


def _refuse_unpaired(files: Mapping[str, Path], partners: Mapping[str, Path], partner_folder: Path) -> None:
    unpaired = [path for stem, path in files.items() if stem not in partners]
    if unpaired:
        listed = "\n".join(f"  {path}" for path in unpaired)
        raise UserError(f"no file with the same stem in {partner_folder} for\n{listed}")


def _read_pair(truth: Path, prediction: Path) -> dict[str, np.ndarray]:
    true_map, predicted_map = read_labels(truth, ignore=True), read_labels(prediction)
    if true_map.shape != predicted_map.shape:
        raise UserError(
            f"{truth} is {true_map.shape[0]}×{true_map.shape[1]} pixels and {prediction} is "
            f"{predicted_map.shape[0]}×{predicted_map.shape[1]} (height×width): both must have the same size"
        )
    return {"truth": true_map, "prediction": predicted_map}
