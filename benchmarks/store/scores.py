"""Scores of a folder of predicted label maps against a folder of true ones, whoever made them, and scores as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.data import read_labels
from benchmarks.data.label_files import label_files
from benchmarks.errors import UserError
from benchmarks.files import write_atomic
from benchmarks.metrics.scoring import score_image
from benchmarks.metrics.tolerance import left_out


def score_folders(
    truth: Path,
    prediction: Path,
    *,
    stems: Collection[str] | None = None,
    tolerance: int = 0,
    compat: bool = False,
) -> list[dict[str, Any]]:
    """Score every image of two folders of label maps, paired by stem; the extensions may differ.

    Args:
        stems: score only these images, which both folders must have; None scores all.
        tolerance: width in pixels of the band along outlines of the truth that is not judged.
        compat: add the metrics that reproduce released evaluations.

    Returns:
        One row per image in the order of the stems: `image`, `truth`, `predicted` and the metrics.

    Raises:
        UserError: a folder is missing or has no label map, a file has no partner, two files of a folder
            share a stem, a file cannot be read, or the sizes of a pair differ.
    """
    true_files, predicted_files = label_files(truth, stems), label_files(prediction, stems)
    _refuse_unpaired(true_files, predicted_files, prediction)
    _refuse_unpaired(predicted_files, true_files, truth)
    return [
        {"image": stem, **_score_files(path, predicted_files[stem], tolerance, compat)}
        for stem, path in true_files.items()
    ]


def write_scores(rows: Sequence[Mapping[str, Any]], csv_path: Path) -> None:
    """Write one line per row with the rows' columns; a float reads back as exactly the same float."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(csv_path, text.getvalue())


def _refuse_unpaired(files: Mapping[str, Path], partners: Mapping[str, Path], partner_folder: Path) -> None:
    unpaired = [path for stem, path in files.items() if stem not in partners]
    if unpaired:
        listed = "\n".join(f"  {path}" for path in unpaired)
        raise UserError(f"no file with the same stem in {partner_folder} for\n{listed}")


def _score_files(truth: Path, prediction: Path, tolerance: int, compat: bool) -> dict[str, Any]:
    true_map, predicted_map = read_labels(truth), read_labels(prediction)
    if true_map.shape != predicted_map.shape:
        raise UserError(
            f"{truth} is {true_map.shape[0]}×{true_map.shape[1]} pixels and {prediction} is "
            f"{predicted_map.shape[0]}×{predicted_map.shape[1]} (height×width): both must have the same size"
        )
    return score_image(*left_out(true_map, predicted_map, tolerance), compat=compat)
