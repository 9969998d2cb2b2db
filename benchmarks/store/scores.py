"""Scores of a folder of predicted label maps against a folder of true ones, whoever made them, and scores as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.data.annotations.contract import LabelMap, LabelRecord, LabelSet, Losses, losses_note
from benchmarks.data.annotations.finding import common_stems, labels_at
from benchmarks.data.components import Pieces, count_pieces, pieces_note, split_components
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
    """Score every image of two folders of label maps or outlines, paired by stem; the formats may differ.

    Args:
        truth, prediction: folders, or COCO files.
        stems: score only these images, which both folders must have; None scores all.
        split: "truth", "prediction" or both: maps of which each connected part of an id is an object.
        tolerance: width in pixels of the band along outlines of the truth that is not judged.
        compat: add the metrics that reproduce released evaluations.

    Returns:
        One row per image in the order of the stems: `image`, `truth`, `predicted` and the metrics. And notes on which
        files were chosen, on what a label map cannot hold of a file's objects, and on ids that lie in several pieces.

    Raises:
        UserError: a folder is missing or has no label map, a file has no partner, two files of a folder
            share a stem, a file cannot be read, or the sizes of a pair differ.
    """
    named = common_stems(truth, prediction) if stems is None else stems
    found = {"truth": labels_at(truth, named), "prediction": labels_at(prediction, named)}
    _refuse_unpaired(found["truth"], found["prediction"])
    _refuse_unpaired(found["prediction"], found["truth"])
    rows: list[dict[str, Any]] = []
    pieces: dict[str, dict[str, Pieces]] = {"truth": {}, "prediction": {}}
    losses: dict[str, list[tuple[str, Losses]]] = {"truth": [], "prediction": []}
    for stem, record in found["truth"].records.items():
        records = {"truth": record, "prediction": found["prediction"].records[stem]}
        read = _read_pair(records["truth"], records["prediction"])
        maps = {side: one.labels for side, one in read.items()}
        for side, file in records.items():
            losses[side].append((file.name, read[side].losses))
            if side in split:
                maps[side] = split_components(maps[side])
            else:
                pieces[side][file.name] = count_pieces(maps[side])
        rows.append(
            {"image": stem, **score_image(*left_out(maps["truth"], maps["prediction"], tolerance), compat=compat)}
        )
    notes = [note for side in found.values() for note in side.notes]
    notes += [note for side, lost in losses.items() if (note := losses_note(lost, found[side].label))]
    notes += [
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


def _refuse_unpaired(labels: LabelSet, partners: LabelSet) -> None:
    unpaired = [record.name for stem, record in labels.records.items() if stem not in partners.records]
    if unpaired:
        listed = "\n".join(f"  {name}" for name in unpaired)
        raise UserError(f"no file with the same stem in {partners.label} for\n{listed}")


def _read_pair(truth: LabelRecord, prediction: LabelRecord) -> dict[str, LabelMap]:
    """Read both; label maps tell outlines on the other side how large the image is."""
    if truth.needs_size and not prediction.needs_size:
        predicted = prediction.read()
        true = truth.read(predicted.size, ignore=True)
    else:
        true = truth.read(ignore=True)
        predicted = prediction.read(true.size)
    if true.size != predicted.size:
        raise UserError(
            f"{truth.name} is {true.size[0]}×{true.size[1]} pixels and {prediction.name} is "
            f"{predicted.size[0]}×{predicted.size[1]} (height×width): both must have the same size"
        )
    return {"truth": true, "prediction": predicted}
