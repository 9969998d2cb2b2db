"""Read the files of a folder, or of the same folder inside a zip, from which nothing is ever extracted."""

from __future__ import annotations

import zipfile
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from benchmarks.data.decoding.limits import MAX_FILE_BYTES, MAX_LIST_BYTES
from benchmarks.data.reading import read_bytes, stem_of
from benchmarks.errors import UserError

# The compressions whose inflation zipfile bounds; it unpacks bzip2 and LZMA whole, whatever the header says.
_BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Source(ABC):
    """Read access to the files of one folder.

    Attributes:
        label: what to call the folder in errors.
        names: file names without folder, sorted.
    """

    label: str
    names: tuple[str, ...]

    @abstractmethod
    def read(self, name: str, limit: int = MAX_FILE_BYTES) -> bytes:
        """Read the content of the file `name`.

        Raises:
            UserError: it cannot be read, or is larger than `limit` bytes.
        """

    def describe(self, name: str) -> str:
        """Return what to call a file of this source in errors."""
        return f"{self.label}/{name}"

    def by_stem(self, suffixes: Collection[str]) -> dict[str, str]:
        """Map stems to file names, of files with one of `suffixes` (lower case).

        Raises:
            UserError: two files share a stem.
        """
        found: dict[str, str] = {}
        for name in self.names:
            if Path(name).suffix.lower() not in suffixes:
                continue
            stem = stem_of(name)
            if stem in found:
                raise UserError(
                    f"{self.describe(name)}: {found[stem]} has the same stem {stem!r}; files are matched by "
                    "stem, so keep only one of them."
                )
            found[stem] = name
        return found


class FolderSource(Source):
    """The visible files directly in a folder."""

    def __init__(self, folder: Path) -> None:
        """Raises: UserError: no such folder."""
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder.")
        self.label = str(folder)
        self._folder = folder
        self.names = tuple(sorted(p.name for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")))

    def read(self, name: str, limit: int = MAX_FILE_BYTES) -> bytes:
        return read_bytes(self._folder / name, limit)


class FoldersSource(Source):
    """The visible files directly in several folders below one; their names begin with the folder's."""

    def __init__(self, root: Path, folders: Sequence[str], suffixes: Collection[str]) -> None:
        """Args: folders: relative to `root`, "" for itself. suffixes: of the files that are seen, in lower case."""
        self.label = str(root)
        self._root = root
        sources = {folder: FolderSource(root / folder) for folder in folders}
        names = (f"{folder}/{name}" if folder else name for folder, source in sources.items() for name in source.names)
        self.names = tuple(sorted(name for name in names if Path(name).suffix.lower() in suffixes))

    def read(self, name: str, limit: int = MAX_FILE_BYTES) -> bytes:
        return read_bytes(self._root / name, limit)


class ZipSource(Source):
    """The members of a zip that lie in one folder, at its top or within `folder`.

    Members elsewhere (`__MACOSX/`, paths with `..`), hidden ones and `._*` are not seen.
    """

    def __init__(self, path: Path, folder: str) -> None:
        """Raises: UserError: not a readable zip."""
        self.label = str(path)
        self._path = path
        with self._opened() as archive:
            wanted = ((), (folder,))
            self._members = {
                PurePosixPath(info.filename).name: info.filename
                for info in archive.infolist()
                if not info.is_dir() and PurePosixPath(info.filename).parts[:-1] in wanted
            }
        self.names = tuple(sorted(name for name in self._members if not name.startswith(".")))

    def read(self, name: str, limit: int = MAX_FILE_BYTES) -> bytes:
        with self._opened() as archive:
            return read_member(archive, archive.getinfo(self._members[name]), self.describe(name), limit)

    def _opened(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self._path)
        except Exception as error:  # beside BadZipFile what a directory of lies leads to, such as NotImplementedError
            raise UserError(f"{self._path}: not a readable zip ({error}); download it again.") from error


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, limit: int) -> bytes:
    """Read the content of a member of a zip, never more than its header says.

    Args:
        name: what to call it in errors.
        limit: the most bytes that it may unpack to.

    Raises:
        UserError: it is larger, compressed in a way that is not read, or damaged.
    """
    if info.file_size > limit:
        raise UserError(f"{name}: unpacks to {info.file_size} bytes; at most {limit} are read.")
    if info.compress_type not in _BOUNDED:
        raise UserError(
            f"{name}: zip compression {info.compress_type} is not read; expected deflate or none. Pack the archive "
            "again with zip."
        )
    try:
        with archive.open(info) as member:
            # Reading to the end without a limit would inflate up to 2 GiB, whatever the header says.
            return member.read(info.file_size + 1)
    except Exception as error:  # zipfile and zlib raise whatever the lie in a header leads to
        raise UserError(f"{name}: cannot be unpacked ({error}); download it again.") from error


def folder_or_zip(root: Path, folder: str, zip_name: str) -> Source:
    """Open the folder `root/folder` if it is there, else the zip `root/zip_name`.

    Raises:
        UserError: neither is there.
    """
    if (root / folder).is_dir():
        return FolderSource(root / folder)
    if (root / zip_name).is_file():
        return ZipSource(root / zip_name, folder)
    raise UserError(f"{root}: holds neither the folder {folder}/ nor {zip_name}; expected one of them.")


def unread_note(label: str, names: Sequence[str]) -> str:
    """Say that files of a folder are of no format that is read there."""
    return f"{label}: {len(names)} files are of no format that is read there (the first: {names[0]})"


def read_split(source: Source, name: str) -> list[str]:
    """Read the stems that a split file lists; see `parse_split`.

    Raises:
        UserError: the file is missing, not text, or larger than `MAX_LIST_BYTES`.
    """
    if name not in source.names:
        raise UserError(f"{source.describe(name)}: missing; expected a text file with one image name a line.")
    try:
        return parse_split(source.read(name, MAX_LIST_BYTES))
    except UnicodeDecodeError as error:
        raise UserError(f"{source.describe(name)}: not UTF-8 text ({error.reason}).") from error


def parse_split(content: bytes) -> list[str]:
    """Parse a list of names, one on each line, with or without suffix, into stems; blank lines do not count.

    Raises:
        UnicodeDecodeError: not UTF-8 text.
    """
    return [stem_of(line.strip()) for line in content.decode("utf-8-sig").splitlines() if line.strip()]


def match(listed: Collection[str], files: Collection[str], split_name: str, folder: str, what: str) -> None:
    """Check that each listed stem has a file.

    Args:
        files: the stems of the files of `folder`.
        what: "image" or "label image", for the error.

    Raises:
        UserError: a stem has no file.
    """
    absent = [stem for stem in listed if stem not in files]
    if absent:
        more = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
        raise UserError(
            f"{split_name}: names {absent[0]!r}{more}, but {folder} has no {what} of that stem; expected a "
            f"file such as {absent[0]}.png or {absent[0]}.tif."
        )
