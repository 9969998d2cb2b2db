"""Compare the files at hand with those that were published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.data.official.catalogue import OfficialFile, OfficialSet
from benchmarks.data.sources import Source
from benchmarks.errors import UserError


@dataclass(frozen=True)
class Comparison:
    """What is at hand of a published set; files are named as `images/a.tif`.

    Attributes:
        official: the set.
        equal: number of files that are as published.
        different: files that are there and are not as published.
        missing: files that are not there.
    """

    official: OfficialSet
    equal: int
    different: tuple[str, ...]
    missing: tuple[str, ...]

    def describe(self) -> str:
        """Say in one sentence whether these are the published files."""
        title, count = self.official.title, self.official.count
        if self.equal == count:
            return f"all {count} files are those of {title} (by SHA-256; lists by the names they hold)"
        found = [
            f"{len(names)} {how} (the first: {names[0]})"
            for names, how in ((self.different, "differ"), (self.missing, "are not there"))
            if names
        ]
        return f"not {title} as published: of its {count} files {' and '.join(found)}"


def compare(official: OfficialSet, sources: Mapping[str, Source | None]) -> Comparison:
    """Compare files with those of a published set; other files beside them do not matter.

    Args:
        sources: where the files of each archive are, by the archive's name; None where there are none.
    """
    equal, different, missing = 0, [], []
    for archive in official.archives:
        source = sources[archive.name]
        there = frozenset(source.names if source else ())
        for name, file in archive.files.items():
            if source is None or name not in there:
                missing.append(f"{archive.name}/{name}")
            elif _matches(source, name, file):
                equal += 1
            else:
                different.append(f"{archive.name}/{name}")
    return Comparison(official, equal, tuple(different), tuple(missing))


def _matches(source: Source, name: str, file: OfficialFile) -> bool:
    try:
        return file.matches(source.read(name, file.size))
    except UserError:  # too large, or it cannot be read at all
        return False
