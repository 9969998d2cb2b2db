"""Mutants that no test kills, and those of them that are known to change nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

SETTLED = {"killed", "segfault", "timeout", "not checked"}
"""What is no survivor. A timeout is none either, but is tried again: a busy machine has them too."""


@dataclass(frozen=True)
class Change:
    """A mutation by its text, which a shift of lines leaves alone.

    Attributes:
        file: path in the project.
        function: "function" or "Class.method".
        original: the lines that go, each without its indentation.
        mutated: the lines that come instead.
    """

    file: str
    function: str
    original: str
    mutated: str

    def __str__(self) -> str:
        removed = [f"    - {line}" for line in self.original.splitlines()]
        added = [f"    + {line}" for line in self.mutated.splitlines()]
        return "\n".join([f"{self.file}: {self.function}", *removed, *added])


def parse_diff(file: str, function: str, diff: str) -> Change:
    """A unified diff as a `Change`."""
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    original, mutated = (
        "\n".join(line[1:].strip() for line in lines if line.startswith(sign)).strip() for sign in ("-", "+")
    )
    return Change(file, function, original, mutated)


class Equivalents:
    """The list of mutants that survive because they change no number: docs/mutants.yaml.

    `rules` hold for every file: a `pattern` that, replaced once in the original, gives the mutant. `mutants` are
    single ones.
    """

    def __init__(self, path: Path):
        listed = yaml.safe_load(path.read_text())
        self.rules = [(re.compile(rule["pattern"]), rule["replacement"], rule["reason"]) for rule in listed["rules"]]
        self.mutants: dict[Change, str] = {}
        for entry in listed["mutants"]:
            texts = [entry[key].strip() for key in ("file", "function", "original", "mutated")]
            self.mutants[Change(*texts)] = entry["reason"]

    def reason(self, change: Change) -> str | None:
        """Why the mutant is equivalent; None if it is not known to be."""
        if change in self.mutants:
            return self.mutants[change]
        return next((reason for *rule, reason in self.rules if _follows(change, *rule)), None)

    def stale(self, survivors: Iterable[Change], files: set[str]) -> list[Change]:
        """Listed mutants of completely tested files that did not survive, or are no more."""
        survived = set(survivors)
        return [change for change in self.mutants if change.file in files and change not in survived]


def _follows(change: Change, pattern: re.Pattern[str], replacement: str) -> bool:
    for match in pattern.finditer(change.original):
        text = change.original[: match.start()] + match.expand(replacement) + change.original[match.end() :]
        if text == change.mutated:
            return True
    return False


def summarise(statuses: dict[str, Counter[str]]) -> str:
    """A line a file, with the number of mutants of each status."""
    total = sum(statuses.values(), Counter[str]())
    columns = ["killed", "survived", *sorted(set(total) - {"killed", "survived"})]
    rows = [("file", "mutants", *columns)]
    for file, counts in [*statuses.items(), ("all", total)]:
        rows.append((file, str(counts.total()), *(str(counts[status]) for status in columns)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
