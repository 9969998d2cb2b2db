"""Fetch a published data set into a folder: download, check, unpack, and leave alone what is right already."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from benchmarks.data.official.catalogue import Archive, OfficialSet
from benchmarks.data.official.comparison import Comparison, compare
from benchmarks.data.official.download import download
from benchmarks.data.official.failure import FetchError
from benchmarks.data.official.partial import Partial
from benchmarks.data.official.unpacking import unpack
from benchmarks.data.sources import FolderSource
from benchmarks.errors import UserError

# Headers of a zip, files beside those that are expected, what does not compress; a bound, not a measure.
ARCHIVE_ROOM = 2**24


class Listener(Protocol):
    """Told how a fetch goes."""

    def said(self, sentence: str) -> None:
        """Show a sentence."""

    def received(self, name: str, done: int, total: int | None) -> None:
        """Show that `done` bytes of the archive `name` are there, of `total` where that is known."""


def fetch(official: OfficialSet, root: Path, listener: Listener, mirror: str | None = None) -> None:
    """Bring the files of a published set into `root`; the same call continues where one was broken off.

    Files that are there and as published are not fetched again, nor is an archive of which all files are. An archive
    that lies in `root` under its name, such as `images.zip`, is unpacked in place of a download. Other files are left
    alone, and nothing is ever overwritten.

    Args:
        root: made if needed.
        mirror: the address under which the archives lie; None: where they were published.

    Raises:
        UserError: `mirror` is no HTTP address, or `root` is no folder.
        FetchError: a file in `root` has a published name and other content, a download failed, or an archive is not
            as published.
    """
    url = _checked_url(mirror or official.url)
    if root.exists() and not root.is_dir():
        raise UserError(f"{root}: not a folder; name the folder that {official.title} shall be in.")
    found = at_hand(official, root)
    if found.different:
        _refuse_to_overwrite(official, root, found)
    for name in found.missing:
        if os.path.lexists(root / name):
            raise FetchError(f"{root / name}: a folder or a link to nothing; expected a file. Move it away.")
    missing = frozenset(found.missing)
    for archive in official.archives:
        wanted = [name for name in archive.files if f"{archive.name}/{name}" in missing]
        if not wanted:
            listener.said(f"{archive.zip_name}: all {len(archive.files)} files are there")
        elif (own := root / archive.zip_name).is_file():
            _unpack_own(own, archive, wanted, root)
            listener.said(f"{own}: {len(wanted)} files unpacked and checked")
        else:
            _fetch_archive(f"{url}/{archive.zip_name}", archive, wanted, root, listener)
            listener.said(f"{archive.zip_name}: {len(wanted)} files unpacked and checked")


def at_hand(official: OfficialSet, root: Path) -> Comparison:
    """Compare the files in the folders of `root` with those of a published set."""
    folders = {archive.name: root / archive.name for archive in official.archives}
    return compare(
        official, {name: FolderSource(folder) if folder.is_dir() else None for name, folder in folders.items()}
    )


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UserError(f"--from {url}: expected the address that the archives lie under, such as https://host/folder.")
    return url.rstrip("/")


def _refuse_to_overwrite(official: OfficialSet, root: Path, found: Comparison) -> None:
    first = found.different[0]
    folder, _, name = first.partition("/")
    files = {archive.name: archive.files for archive in official.archives}
    more = f" (and {len(found.different) - 1} more)" if len(found.different) > 1 else ""
    file = files[folder][name]
    with (root / first).open("rb") as opened:
        how = file.difference(opened.read(file.size + 1))
    raise FetchError(
        f"{root / first}{more}: {how}. Nothing is overwritten and nothing was fetched: move such files away, or fetch "
        "into another folder."
    )


def _unpack_own(own: Path, archive: Archive, wanted: list[str], root: Path) -> None:
    try:
        with own.open("rb") as file:
            unpack(file, str(own), archive, wanted, root / archive.name)
    except FetchError as error:
        raise FetchError(f"{error} It was there before; move it away, and the same command downloads it.") from error


def _fetch_archive(url: str, archive: Archive, wanted: list[str], root: Path, listener: Listener) -> None:
    listener.said(f"{archive.zip_name}: {len(wanted)} of {len(archive.files)} files are not there; fetched from {url}")

    def received(done: int, total: int | None) -> None:
        listener.received(archive.zip_name, done, total)

    with Partial(root / f"{archive.zip_name}.part") as partial:
        download(url, partial, archive.unpacked_bytes + ARCHIVE_ROOM, received, listener.said)
        try:
            unpack(partial.file, url, archive, wanted, root / archive.name)
        except FetchError as error:
            partial.remove()  # kept, it would be found whole, and be refused, each time again
            raise FetchError(
                f"{error} The download was thrown away, what is as published was kept: try again, or name a mirror "
                "with --from."
            ) from error
        partial.remove()
