"""Scores of a folder of predicted label maps against a folder of true ones, whoever made them."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from numpy.typing import ArrayLike

from benchmarks.data import read_labels
from benchmarks.data.reading import SUFFIXES
from benchmarks.errors import UserError
from benchmarks.files import write_atomic
from benchmarks.metrics import COMPAT_METRICS, METRICS, contingency_table, table_metrics

_LISTED = ", ".join(SUFFIXES)


def score_image(truth: ArrayLike, prediction: ArrayLike, *, compat: bool = False) -> dict[str, Any]:
    """Return `truth` and `predicted`, the numbers of instances, and every metric of one image.

    Args:
        truth: (H, W) integers, 0 background.
        prediction: the same.
        compat: add the metrics that reproduce released evaluations.

    Raises:
        UserError: as `contingency_table`.
    """
    table = contingency_table(truth, prediction)
    return {
        "truth": table.num_truth,
        "predicted": table.num_predicted,
        **table_metrics(table, compat=compat),
    }


def score_folders(
    truth: Path, prediction: Path, *, stems: Collection[str] | None = None, compat: bool = False
) -> list[dict[str, Any]]:
    """Score every image of two folders of label maps, paired by stem; the extensions may differ.

    Args:
        stems: score only these images, which both folders must have; None scores all.
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
    return [{"image": stem, **_score_files(path, predicted_files[stem], compat)} for stem, path in true_files.items()]


def write_scores(rows: Sequence[Mapping[str, Any]], csv_path: Path) -> None:
    """Write one line per row with the rows' columns; a float reads back as exactly the same float."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(csv_path, text.getvalue())


def mean_scores(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return the mean over images of every metric the rows hold, correctly rounded whatever their order."""
    rows = list(rows)
    return {name: fmean(row[name] for row in rows) for name in METRICS | COMPAT_METRICS if name in rows[0]}


def label_files(folder: Path, stems: Collection[str] | None = None) -> dict[str, Path]:
    """The label maps of a folder by stem, sorted; hidden files (macOS leaves `._*`) are not data.

    Args:
        stems: only these images, which the folder must have; None takes all.

    Raises:
        UserError: no folder, no label map in it, one that is missing, or two of one stem.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: not a folder, expected one of label maps ({_LISTED})")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        if path.stem in files:
            raise UserError(
                f"{folder}: {files[path.stem].name} and {path.name} have the same stem, and only one "
                "label map an image can be scored: keep one of them"
            )
        files[path.stem] = path
    if not files:
        raise UserError(f"{folder}: no label map found, expected files ending in {_LISTED}")
    return files if stems is None else _only(files, stems, folder)


def _only(files: Mapping[str, Path], stems: Collection[str], folder: Path) -> dict[str, Path]:
    if missing := [stem for stem in stems if stem not in files]:
        raise UserError(f"{folder}: no label map for {', '.join(missing)}, which the list of images names")
    return {stem: path for stem, path in files.items() if stem in set(stems)}


def _refuse_unpaired(files: Mapping[str, Path], partners: Mapping[str, Path], partner_folder: Path) -> None:
    unpaired = [path for stem, path in files.items() if stem not in partners]
    if unpaired:
        listed = "\n".join(f"  {path}" for path in unpaired)
        raise UserError(f"no file with the same stem in {partner_folder} for\n{listed}")


def _score_files(truth: Path, prediction: Path, compat: bool) -> dict[str, Any]:
    true_map, predicted_map = read_labels(truth), read_labels(prediction)
    if true_map.shape != predicted_map.shape:
        raise UserError(
            f"{truth} is {true_map.shape[0]}×{true_map.shape[1]} pixels and {prediction} is "
            f"{predicted_map.shape[0]}×{predicted_map.shape[1]} (height×width): both must have the same size"
        )
    return score_image(true_map, predicted_map, compat=compat)
