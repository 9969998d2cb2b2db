"""OUT/data_sets.json: which folders below OUT are results folders, each of one data set of the same command."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from benchmarks.errors import UserError
from benchmarks.links import refuse_linked_folders, refuse_outside
from benchmarks.store.documents import Document, read_if_there, write_document

FILE = "data_sets.json"


class SeveralData(Document):
    """What the file holds."""

    folders: list[Annotated[str, Field(pattern=r"^\w[\w.-]*$")]]
    """Names below OUT, in the order in which their data sets were given."""


def data_folders(out: Path) -> list[Path]:
    """The results folders below `out`, one a data set; none where `out` is a results folder itself.

    Raises:
        UserError: the file that names them is damaged, or one of them lies elsewhere.
    """
    found = read_if_there(out / FILE, SeveralData, "Delete it: `run` with the same --data writes it again.")
    folders = [out / name for name in found.folders] if found else []
    for folder in folders:
        refuse_outside(folder, out)
        refuse_linked_folders(folder)
    return folders


def note_data_folders(out: Path, names: Iterable[str]) -> None:
    """Add results folders to those that `out` is known to hold."""
    before = [folder.name for folder in data_folders(out)]
    after = list(dict.fromkeys([*before, *names]))
    if after != before:
        write_document(out / FILE, SeveralData(folders=after))


def refuse_several(out: Path) -> Path:
    """Refuse a folder that holds results folders where one of them is meant; return any other.

    Raises:
        UserError: names them.
    """
    if folders := data_folders(out):
        raise UserError(
            f"{out} holds a results folder for each of several data sets: {', '.join(map(str, folders))}. "
            "Give one of them in its place."
        )
    return out
