"""The CSV of a sweep: it has one line a point, which is written as soon as it is known."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.errors import UserError
from benchmarks.files import write_atomic, write_json


@dataclass(frozen=True)
class Record:
    """One point.

    Attributes:
        seconds: the median over `runs`; None where it could not be measured.
        added_bytes: the peak memory above that before the first run.
        peak_bytes: the peak memory of the whole process.
        note: why there are no figures.
    """

    axis: str
    value: int
    seconds: float | None
    runs: int
    added_bytes: int | None
    peak_bytes: int | None
    note: str = ""

    @classmethod
    def measured(cls, axis: str, value: int, found: dict[str, Any]) -> Record:
        """Read what a point's process printed."""
        seconds = found["seconds"]
        return cls(axis, value, median(seconds), len(seconds), found["added_bytes"], found["peak_bytes"])


class Records:
    """The points in points.csv of a folder, and the settings in settings.json under which they were measured.

    Raises:
        UserError: the folder holds points that were measured under other settings.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]):
        self.path = folder / "points.csv"
        stored = folder / "settings.json"
        if stored.exists() and (before := json.loads(stored.read_text(encoding="utf-8"))) != settings:
            different = [name for name in settings if before.get(name) != settings[name]]
            raise UserError(
                f"{folder} holds points that were measured with another {', '.join(different)}: "
                "take another --out folder, or delete this one."
            )
        write_json(stored, settings)
        self.records = _read(self.path) if self.path.exists() else []

    def __contains__(self, point: tuple[str, int]) -> bool:
        return any((record.axis, record.value) == point for record in self.records)

    def of(self, axis: str) -> list[Record]:
        """Return the points of one axis in the order of their values."""
        return sorted((r for r in self.records if r.axis == axis), key=lambda r: r.value)

    def add(self, record: Record) -> None:
        """Keep a point, on disk too."""
        self.records.append(record)
        text = io.StringIO()
        writer = csv.DictWriter(text, [f.name for f in fields(Record)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(r) for r in self.records)
        write_atomic(self.path, text.getvalue())


def _read(path: Path) -> list[Record]:
    def number(text: str, kind: type) -> Any:
        return kind(text) if text else None

    with path.open(newline="", encoding="utf-8") as file:
        return [
            Record(
                row["axis"], int(row["value"]), number(row["seconds"], float), int(row["runs"]),
                number(row["added_bytes"], int), number(row["peak_bytes"], int), row["note"],
            )
            for row in csv.DictReader(file)
        ]  # fmt: skip
