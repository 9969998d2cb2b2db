"""Take the files of a published set out of its archive: those, and nothing else, and only as they were published."""

from __future__ import annotations

import stat
import struct
import zipfile
from collections.abc import Collection
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from benchmarks.data.official.catalogue import Archive
from benchmarks.data.official.failure import FetchError
from benchmarks.data.sources import read_member
from benchmarks.errors import UserError
from benchmarks.files import write_atomic


def unpack(file: BinaryIO, name: str, archive: Archive, wanted: Collection[str], folder: Path) -> None:
    """Write files of an archive to `folder`, each in one step and only if it is as published.

    Args:
        file: the zip.
        name: what to call it in errors.
        wanted: names of files of `archive`; other members are not unpacked.

    Raises:
        FetchError: no readable zip; it holds links, names that lead out of it, a file twice; or a wanted file is
            not there or not as published. What was written by then is as published.
    """
    try:
        with zipfile.ZipFile(file) as opened:
            members = _members(opened, name, archive)
            absent = [wanted_name for wanted_name in wanted if wanted_name not in members]
            if absent:
                raise FetchError(f"{name}: does not hold {archive.name}/{absent[0]}, which was published in it.")
            for wanted_name in wanted:
                write_atomic(folder / wanted_name, _content(opened, members[wanted_name], name, archive, wanted_name))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise FetchError(f"{name}: not a readable zip ({error}){_beginning(file)}.") from error


def _members(opened: zipfile.ZipFile, name: str, archive: Archive) -> dict[str, zipfile.ZipInfo]:
    """Find the members that are files of `archive`, at the top or in its folder; others, as `__MACOSX/`, are left."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in opened.infolist():
        path = PurePosixPath(info.filename)
        if path.is_absolute() or ".." in PureWindowsPath(info.filename).parts or PureWindowsPath(info.filename).drive:
            raise FetchError(f"{name}: holds {info.filename!r}, a name that leads out of the archive.")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise FetchError(f"{name}: holds {info.filename!r}, a link; expected files only.")
        if info.is_dir() or path.parts[:-1] not in ((), (archive.name,)) or path.name not in archive.files:
            continue
        if path.name in members:
            raise FetchError(f"{name}: holds {path.name!r} twice; expected once.")
        members[path.name] = info
    return members


def _content(opened: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, archive: Archive, file_name: str) -> bytes:
    """Read a file that has to be as published."""
    file, called = archive.files[file_name], f"{name}/{file_name}"
    try:
        content = read_member(opened, info, called, file.size)
    except UserError as error:
        raise FetchError(str(error)) from error
    if not file.matches(content):
        raise FetchError(f"{called}: {file.difference(content)}.")
    return content


def _beginning(file: BinaryIO) -> str:
    """What a file that is no zip begins with, if that is text: a page of a proxy or of a mirror tells what it is."""
    file.seek(0)
    start = file.read(60)
    return f"; it begins with {start.decode()!r}" if start.isascii() and b"\0" not in start else ""
