"""Results are passed on, and a link in them may lead to any file of whoever goes on with them: none is followed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

from benchmarks.errors import UserError

FOLDERS = (
    *("figures", "jobs", "mlflow-artifacts", "reports", "runs", "slurm", "studies"),
    *("labels", "scores", "overlays", "imagej", "rois", "geojson"),
)
"""What commands write below an --out folder; the second line is of `predict`."""


def open_without_links(path: Path) -> IO[bytes]:
    """Open a file for reading and writing as it is, made where it is missing.

    Raises:
        UserError: `path` is a link.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if not path.is_symlink():
            raise
        raise _refusal(path) from error
    return os.fdopen(handle, "r+b")


def refuse_outside(path: Path, root: Path) -> None:
    """Refuse to write to a file or folder below `root` that lies elsewhere by a link; `root` itself may be one.

    Raises:
        UserError: names the link, and where it leads.
    """
    place = path.resolve()
    if place.is_relative_to(root.resolve()):
        return
    link = next((one for one in (path, *path.parents) if one.is_symlink()), path)
    raise UserError(
        f"{link} leads out of {root}, to {place}, and nothing is written outside the --out folder. Put a folder in the"
        " place of the link, or give another --out."
    )


def refuse_links_in(folder: Path) -> None:
    """Refuse to write to a folder that holds links, at any depth; it need not be there.

    Raises:
        UserError: names one of them.
    """
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            if (path := Path(parent, name)).is_symlink():
                raise _refusal(path)


def refuse_linked_folders(out: Path) -> Path:
    """Refuse an --out folder of which a part lies elsewhere; return it.

    Raises:
        UserError: names the link, and where it leads.
    """
    for name in FOLDERS:
        refuse_outside(out / name, out)
    return out


def _refusal(link: Path) -> UserError:
    return UserError(f"{link} is a link to {link.readlink()}; expected a file or folder of its own. Delete the link.")
