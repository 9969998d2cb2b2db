"""What the page of a study says beside its trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from benchmarks.metrics import METRICS
from studies.confirmation import Confirmation, read_confirmation
from studies.inference.final_look import SHOWN, FinalLook, read_look


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
    confirmation = read_confirmation(folder / "confirmed.json")
    sections = [test_section(look)] if look else []
    return sections + ([confirmation_section(confirmation)] if confirmation else [])


def confirmation_section(found: Confirmation) -> Section:
    """The best settings over seeds."""
    seeds = ", ".join(map(str, found.metrics))
    lines = [
        f"The settings of trial {found.trial}, trained with seeds {seeds} and tested on the {found.images} "
        f"images of the {found.split} split. The spread is over seeds. Trial {found.trial} was the best of its study "
        "with seed 0, which may flatter it on the validation split, not here."
    ]
    if found.looks > 1:
        lines.append(
            f"These are the {found.looks}. settings of this study that were tested: the choice was made again."
        )
    rows = [[METRICS[name].title, *_mean_and_spread(found.values(name))] for name in SHOWN]
    return Section(f"Confirmed on the {found.split} split", lines, ("metric", "mean", "std over seeds"), rows)


def _mean_and_spread(values: list[float]) -> list[str]:
    return [f"{fmean(values):.4f}", f"{stdev(values):.4f}" if len(values) > 1 else "one seed"]


def test_section(look: FinalLook) -> Section:
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


def _difference_row(look: FinalLook, metric: str) -> list[str]:
    own, chosen = (fmean(row[metric] for row in rows) for rows in (look.default, look.best))
    found = look.difference(metric)
    interval = f"{found.interval.low:+.4f} to {found.interval.high:+.4f}"
    return [METRICS[metric].title, f"{own:.4f}", f"{chosen:.4f}", f"{found.effect:+.4f}", interval, f"{found.p:.3g}"]
