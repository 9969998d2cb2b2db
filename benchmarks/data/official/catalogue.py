"""Which files a published data set has, in which archives: `NAME.yaml` beside this module.

Files are known by size and SHA-256. Lists of a split are known by the names they hold, sorted and without suffix, so
that another order or line ending is no difference: the copy that the sums of BBBC039V1 were taken from has its images
and masks byte for byte, its lists with the same names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

import yaml

from benchmarks.data.sources import parse_split
from benchmarks.errors import UserError, suggestion

# A list of three hundred names has 20 kB; how many bytes the published lists have is not known.
LIST_BYTES = 2**20


@dataclass(frozen=True)
class OfficialFile:
    """A file as it was published.

    Attributes:
        sha256: hex digest of its bytes, or, of a list, of its sorted names; see `names_digest`.
        size: its bytes, or, of a list, the most that it may have.
        is_list: whether it is a list of names.
    """

    sha256: str
    size: int
    is_list: bool = False

    def matches(self, content: bytes) -> bool:
        """Tell whether `content` is this file's."""
        if self.is_list:
            return len(content) <= self.size and names_digest(content) == self.sha256
        return len(content) == self.size and hashlib.sha256(content).hexdigest() == self.sha256

    def difference(self, content: bytes) -> str:
        """Say what tells `content` from this file, where it does not match."""
        if len(content) > self.size:
            return f"has more than {self.size} bytes, the most that are expected"
        if self.is_list:
            return f"lists other names than the published ones ({len(content.splitlines())} lines)"
        if len(content) < self.size:
            return f"has {len(content)} bytes; published were {self.size}"
        return f"has the SHA-256 {hashlib.sha256(content).hexdigest()}; published was {self.sha256}"


@dataclass(frozen=True)
class Archive:
    """One zip of a set, whose files lie in a folder of its name.

    Attributes:
        name: of the folder; the archive is `NAME.zip`.
        files: what it holds, by file name.
    """

    name: str
    files: Mapping[str, OfficialFile]

    @property
    def zip_name(self) -> str:
        """The archive's file name."""
        return f"{self.name}.zip"

    @property
    def unpacked_bytes(self) -> int:
        """The bytes of all its files, at most."""
        return sum(file.size for file in self.files.values())


@dataclass(frozen=True)
class OfficialSet:
    """A published data set.

    Attributes:
        name: the kind of its spec, such as "bbbc039".
        title: its name as published.
        url: the address under which its archives lie.
        licence: under which terms.
        cite: the publications that its authors ask users to cite.
        archives: in the order in which they are fetched.
    """

    name: str
    title: str
    url: str
    licence: str
    cite: tuple[str, ...]
    archives: tuple[Archive, ...]

    @property
    def count(self) -> int:
        """The number of its files."""
        return sum(len(archive.files) for archive in self.archives)


def official_sets() -> list[str]:
    """List the names of the sets whose sums are kept here."""
    here = files("benchmarks.data.official")
    return sorted(entry.name.removesuffix(".yaml") for entry in here.iterdir() if entry.name.endswith(".yaml"))


def official_set(name: str) -> OfficialSet:
    """Read what is kept of a set.

    Raises:
        UserError: no sums of it are kept.
    """
    if name not in official_sets():
        raise UserError(f"no data set {name!r} can be fetched; {suggestion(name, official_sets())}")
    return parse_set(name, files("benchmarks.data.official").joinpath(f"{name}.yaml").read_text(encoding="utf-8"))


def parse_set(name: str, text: str) -> OfficialSet:
    """Parse what is kept of a set, as YAML."""
    kept = yaml.safe_load(text)
    archives = [
        Archive(folder, {file: OfficialFile(sha256, size) for file, (size, sha256) in entries.items()})
        for folder, entries in kept["files"].items()
    ]
    archives += [
        Archive(folder, {file: OfficialFile(sha256, LIST_BYTES, is_list=True) for file, sha256 in entries.items()})
        for folder, entries in kept["lists"].items()
    ]
    return OfficialSet(name, kept["title"], kept["url"], kept["licence"], tuple(kept["cite"]), tuple(archives))


def names_digest(content: bytes) -> str:
    """Return the SHA-256 (hex) of the names that a list holds, sorted and without suffix; "" if it is no text."""
    try:
        names = sorted(parse_split(content))
    except UnicodeDecodeError:
        return ""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
