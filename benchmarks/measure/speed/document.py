"""A measurement is written as JSON, and compared with an earlier one."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmarks.errors import UserError
from benchmarks.machine.environment import describe_environment
from benchmarks.measure.speed.scale import ScaleReport
from benchmarks.measure.speed.sections import Section
from benchmarks.measure.step import Series

SCHEMA = 1


@dataclass(frozen=True)
class Measurement:
    """What one call of `pctrans-bench speed` found.

    Attributes:
        scales: one report for each scale.
        harness: the seconds of what depends on no scale.
    """

    data: str
    device: str
    scales: list[ScaleReport]
    harness: list[Series]

    def described(self) -> dict[str, Any]:
        """Return what JSON can hold, with time, versions, commit and hardware."""
        return {
            "schema": SCHEMA,
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "environment": describe_environment(self.device),
            "data": self.data,
            "scales": [report.described() for report in self.scales],
            "harness": [asdict(series) for series in self.harness],
        }


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Series(_Read):
    name: str
    seconds: list[float] = Field(min_length=1)


class _Section(_Read):
    name: str
    forward: list[float] = Field(min_length=1)
    backward: list[float] = Field(min_length=1)


class _Scale(_Read):
    scale: str
    method: str
    series: list[_Series]
    sections: list[_Section]


class _Document(_Read):
    version: int = Field(alias="schema")
    scales: list[_Scale]
    harness: list[_Series]


@dataclass(frozen=True)
class Earlier:
    """Median seconds of an earlier measurement, by (scale, method, name); harness entries by ("", "", name)."""

    medians: dict[tuple[str, str, str], float]

    @classmethod
    def read(cls, path: Path) -> Earlier:
        """Read what `--json` wrote.

        Raises:
            UserError: the file is none of these, or of another version.
        """
        try:
            document = _Document.model_validate(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, ValidationError) as error:
            raise UserError(f"{path} is not what `pctrans-bench speed --json` writes: {error}") from error
        if document.version != SCHEMA:
            raise UserError(f"{path} has version {document.version}, expected {SCHEMA}: measure again.")
        medians = {("", "", series.name): median(series.seconds) for series in document.harness}
        for report in document.scales:
            place = (report.scale, report.method)
            medians |= {(*place, series.name): median(series.seconds) for series in report.series}
            medians |= {
                (*place, f"section {section.name}"): section_median(section.forward, section.backward)
                for section in report.sections
            }
        return cls(medians)

    def ratio(self, place: tuple[str, str], entry: Series | Section) -> float | None:
        """Return seconds now over seconds then; None where there was no such entry."""
        if isinstance(entry, Section):
            now, name = section_median(entry.forward, entry.backward), f"section {entry.name}"
        else:
            now, name = entry.median, entry.name
        then = self.medians.get((*place, name))
        return now / then if then else None


def section_median(forward: list[float], backward: list[float]) -> float:
    """Return the median over the profiled steps of both passes together."""
    return median(there + back for there, back in zip(forward, backward, strict=True))
