"""What the page of a study says beside its trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks.metrics import METRICS
from studies.inference.test import SHOWN, TestLook, read_look


@dataclass(frozen=True)
class Section:
    """Plain text, for the page to escape."""

    title: str
    lines: Sequence[str] = ()
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def read_sections(folder: Path) -> list[Section]:
    """Sections for everything that a study's folder holds."""
    look = read_look(folder / "test.json")
    return [test_section(look)] if look else []


def test_section(look: TestLook) -> Section:
    """The test split under the chosen thresholds and the model's own."""
    lines = [
        f"The thresholds chosen on the validation split against the model's own, on the {len(look.best)} images of the "
        "test split. Differences are paired by image: mean, 95 % bootstrap interval over images, two-sided Wilcoxon "
        "signed-rank test, not corrected for several metrics."
    ]
    if look.looks > 1:
        lines.append(
            f"This is look {look.looks} at the test split: a larger budget chose other thresholds than before."
        )
    rows = [_difference_row(look, metric) for metric in SHOWN]
    return Section("Test split", lines, ("metric", "own", "chosen", "difference", "95 % interval", "p"), rows)


def _difference_row(look: TestLook, metric: str) -> list[str]:
    own, chosen = (fmean(row[metric] for row in rows) for rows in (look.default, look.best))
    found = look.difference(metric)
    interval = f"{found.interval.low:+.4f} to {found.interval.high:+.4f}"
    return [METRICS[metric].title, f"{own:.4f}", f"{chosen:.4f}", f"{found.effect:+.4f}", interval, f"{found.p:.3g}"]
