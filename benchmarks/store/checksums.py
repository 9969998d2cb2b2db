"""SHA-256 of files in a folder, and which of them are no longer as they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from benchmarks.files import file_digest

Checksums = dict[str, str]
"""From a file's path in its folder, with slashes, to the SHA-256 (hex) of its content."""


def checksums_of(folder: Path, files: Iterable[Path]) -> Checksums:
    """The checksums of files that lie in `folder` or below it."""
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}


def changed_files(folder: Path, checksums: Mapping[str, str]) -> dict[str, str]:
    """The files that are gone or differ from their checksums, and for each what is wrong with it."""
    return {name: problem for name, digest in checksums.items() if (problem := _problem(folder, name, digest))}


def _problem(folder: Path, name: str, digest: str) -> str | None:
    path = folder / name
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        return "lies outside of its folder"  # what a folder from elsewhere names is not followed
    if not path.is_file():
        return "is missing"
    try:
        found = file_digest(path)
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    return None if found == digest else f"is not as it was written: its SHA-256 is {found[:12]}…, not {digest[:12]}…"
