"""The tables that people wrote into READMEs say what is stored beside them, to the last digit."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import pytest

ROOT = Path(__file__).resolve().parents[2]
MEASURED = ROOT / "reports" / "measured"
QUICK, LONG = "bbbc039", "long-bbbc039"
METRICS = {"AJI ↑": "aji", "Dice ↑": "dice", "F1 ↑": "f1", "PQ ↑": "pq", "SBD ↑": "sbd", "\\|DiC\\| ↓": "abs_dic"}
KINDS = ("merged", "missed", "split", "boundary", "spurious")
PER_CENT = {"sbd"}
NUMBER = re.compile(r"[-+]?\d+\.\d+(?:e-?\d+)?|\d+e-\d+")

Row = dict[str, str]


def written(page: Path, heading: str, first: str) -> list[Row]:
    """The numbered rows of the Markdown table below `heading` whose second column is named `first`."""
    part = page.read_text(encoding="utf-8").partition(heading)[2]
    lines = part.splitlines()
    start = next(place for place, line in enumerate(lines) if _cells(line)[1:2] == [first])
    names = [name or f"column {place}" for place, name in enumerate(_cells(lines[start]))]
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        if re.match(r"\d+ ", _cells(line)[0]):
            rows.append(dict(zip(names, _cells(line), strict=True)))
    return rows


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def stored(folder: str, table: str) -> dict[int, Row]:
    with (MEASURED / folder / "reports" / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return {int(row["row"]): row for row in csv.DictReader(file)}


def lost(folder: str, table: str) -> dict[int, dict[str, float]]:
    """What each kind of error costs of PQ, by row: means over all images of all seeds."""
    with (MEASURED / folder / "reports" / f"{table}_errors.csv").open(encoding="utf-8", newline="") as file:
        found: dict[int, list[Row]] = {}
        for row in csv.DictReader(file):
            found.setdefault(int(row["row"]), []).append(row)
    return {
        row: {kind: fmean(float(one[f"pq_{kind}"]) for one in ones) for kind in KINDS} for row, ones in found.items()
    }


def number_of(row: Row) -> int:
    return int(next(iter(row.values())).split()[0])


def differing(text: str, *values: str | float) -> Iterator[str]:
    """Compare the numbers in a cell with values, each rounded to as many digits as are written."""
    numbers = NUMBER.findall(text)
    if len(numbers) != len(values):
        yield f"{text!r} has {len(numbers)} numbers, stored are {values}"
    for number, value in zip(numbers, values, strict=False):
        if "e" in number:
            digits = len(number.partition("e")[0].replace(".", ""))
            rounded = float(f"{float(value):.{digits - 1}e}")
        else:
            rounded = round(float(f"{float(value):.{len(number.partition('.')[2])}f}"), 12)
        if rounded != float(number):
            yield f"{text!r} has {number}, stored is {value}"


def mean_and_std(row: Row, metric: str) -> list[float]:
    factor = 100 if metric in PER_CENT else 1
    return [factor * float(row[f"{metric}_{what}"]) for what in ("mean", "std") if row[f"{metric}_{what}"]]


PAGES = [
    (QUICK, "table1", "## Table 1", "AJI ↑"),
    (QUICK, "table2", "## Table 2", "SBD ↑"),
    (QUICK, "table3", "## Table 3", "AJI ↑"),
    (QUICK, "table4", "## Table 4", "AJI ↑"),
    ("table2-rosettes", "table2", "## Table 2", "SBD ↑"),
    (LONG, "table1", "## Table 1", "AJI ↑"),
    (LONG, "table4", "## Table 4", "seeds"),
]


@pytest.mark.parametrize(("folder", "table", "heading", "first"), PAGES)
def test_a_table_of_a_page_is_what_is_stored(folder: str, table: str, heading: str, first: str) -> None:
    rows = written(MEASURED / folder / "README.md", heading, first)
    assert rows
    figures, errors = stored(folder, table), lost(folder, table)
    quick = stored(QUICK, table)
    wrong: list[str] = []
    for row in rows:
        number = number_of(row)
        for name, text in row.items():
            if not text:
                continue
            if name in METRICS and f"{METRICS[name]}_mean" in figures[number]:
                wrong += differing(text, *mean_and_std(figures[number], METRICS[name]))
            elif name in KINDS:
                wrong += differing(text, errors[number][name])
            elif name == "PQ at `quick`, CPU":
                wrong += differing(text, quick[number]["pq_mean"])
            elif name == "*published PQ*":
                wrong += differing(text, figures[number]["pq_published"])
    assert not wrong


@pytest.mark.parametrize("folder", [QUICK, LONG])
def test_comparisons_of_a_page_are_what_is_stored(folder: str) -> None:
    rows = written(MEASURED / folder / "README.md", "## Table 1", "difference of PQ")
    figures = stored(folder, "table1")
    wrong: list[str] = []
    for row in rows:
        found = figures[number_of(row)]
        wrong += differing(row["difference of PQ"], found["pq_reference_effect"])
        wrong += differing(row["95 % interval"], found["pq_reference_low"], found["pq_reference_high"])
        wrong += differing(row["p (Holm)"], found["pq_reference_p_holm"])
    assert len(rows) > 3 and not wrong


FIRST_SCREEN = [
    ("Measured, not quoted", "`quick`, PQ ↑", "`long`, PQ ↑", "table4"),
    ("Its peers", "`quick`, CPU", "`long`, H100", "table1"),
]


@pytest.mark.parametrize(("heading", "quick", "long", "table"), FIRST_SCREEN)
def test_the_first_screen_is_what_is_stored(heading: str, quick: str, long: str, table: str) -> None:
    rows = written(ROOT / "README.md", heading, quick)
    figures, more, errors = stored(QUICK, table), stored(LONG, table), lost(QUICK, table)
    wrong: list[str] = []
    for row in rows:
        number = number_of(row)
        wrong += differing(row[quick], *mean_and_std(figures[number], "pq"))
        wrong += differing(row[long], *mean_and_std(more[number], "pq")) if row[long] else ()
        wrong += differing(row["*published*"], figures[number]["pq_published"]) if row["*published*"] else ()
        for kind in KINDS:
            wrong += differing(row[kind], errors[number][kind]) if row.get(kind) else ()
    assert len(rows) == 8 and not wrong


@pytest.mark.parametrize(
    ("text", "value", "right"),
    [("0.9580", 0.95799, True), ("0.0010", 0.00106, False), ("4e-13", 4.26e-14, False), ("4e-14", 4.26e-14, True)],
)
def test_a_slip_is_found(text: str, value: float, right: bool) -> None:
    assert (not list(differing(text, value))) == right
