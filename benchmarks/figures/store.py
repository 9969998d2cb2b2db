"""The data of a figure on disk: OUT/figures/<name>/data.json and an NPZ file beside it."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from benchmarks.errors import UserError
from benchmarks.figures.facts import FigureFacts
from benchmarks.files import atomic_path, write_json

DATA = "data.json"


@dataclass(frozen=True)
class FigureData:
    """The facts and arrays that a figure is drawn from."""

    facts: FigureFacts
    arrays: Mapping[str, np.ndarray]


def figure_folder(out: Path, name: str) -> Path:
    return out / "figures" / name


def write_data(folder: Path, data: FigureData) -> None:
    """Write arrays, then facts; an interrupt leaves the data as they were before."""
    with atomic_path(folder / data.facts.arrays) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **data.arrays)
    write_json(folder / DATA, data.facts.model_dump(mode="json"))
    for old in folder.glob("arrays-*.npz"):
        if old.name != data.facts.arrays:
            old.unlink(missing_ok=True)


def read_facts(folder: Path) -> FigureFacts | None:
    """Read the facts in a figure's folder; None where there are none that this version can read."""
    try:
        return FigureFacts.model_validate_json((folder / DATA).read_bytes())
    except (OSError, ValidationError):
        return None


def load_facts(out: Path, name: str) -> FigureFacts:
    """Load the facts of a figure.

    Raises:
        UserError: they are missing or damaged.
    """
    folder = figure_folder(out, name)
    if not (folder / DATA).is_file():
        raise UserError(f"No data of {name}: expected {folder / DATA}, which `pctrans-bench run {name}` writes.")
    facts = read_facts(folder)
    if facts is None or Path(facts.arrays).name != facts.arrays:
        raise UserError(f"{folder / DATA} is damaged or of another version: delete it and run {name} again.")
    return facts


def read_data(out: Path, name: str) -> FigureData:
    """Read the facts and arrays of a figure.

    Raises:
        UserError: they are missing or damaged.
    """
    folder, facts = figure_folder(out, name), load_facts(out, name)
    try:
        with np.load(folder / facts.arrays, allow_pickle=False) as stored:
            return FigureData(facts, {key: stored[key] for key in stored.files})
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{folder / facts.arrays} cannot be read ({error}): delete {folder / DATA} and run {name} again."
        ) from error
