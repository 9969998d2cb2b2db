"""Draw a figure's data into OUT/reports/<figure>.png and .pdf, with a record for other reports that show them."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from benchmarks.figures.facts import FigureFacts, RowFacts
from benchmarks.figures.specification import FigureSpec
from benchmarks.figures.store import FigureData, figure_folder, load_facts, read_data
from benchmarks.files import write_json
from benchmarks.plan.nested import flatten
from reports.pictures import Picture

DRAWING = 1
"""To be raised when a change of the code changes the picture of unchanged data."""


def draw_figure(spec: FigureSpec, out: Path) -> Picture:
    """Draw a figure from OUT/figures/<name>/, unless its picture is there already.

    At the end figure.json is written beside the data: name, title, caption, jobs, and the pictures' names in
    OUT/reports.

    Raises:
        UserError: the data are missing or damaged.
    """
    facts = load_facts(out, spec.name)
    folder, png = figure_folder(out, spec.name), out / "reports" / f"{spec.name}.png"
    pdf = png.with_suffix(".pdf")
    state = f"{facts.stamp}-{DRAWING}"
    if (caption := _drawn(folder, state)) is not None and png.is_file() and pdf.is_file():
        return Picture(png, caption)
    caption = _draw(spec, read_data(out, spec.name), [png, pdf])
    record = {
        "name": spec.name,
        "title": spec.title,
        "caption": caption,
        "kind": spec.kind,
        "table": spec.table,
        "scale": facts.scale,
        "data": facts.data,
        "jobs": [row.model_dump(mode="json") for row in facts.rows],
        "picture": png.name,
        "pdf": pdf.name,
        "state": state,
    }
    write_json(folder / "figure.json", record)
    return Picture(png, caption)


def _drawn(folder: Path, state: str) -> str | None:
    """Return the caption of the last picture if it was drawn from this state, else None."""
    try:
        record = json.loads((folder / "figure.json").read_text(encoding="utf-8"))
        return str(record["caption"]) if record["state"] == state else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _draw(spec: FigureSpec, data: FigureData, paths: list[Path]) -> str:
    module: Any = importlib.import_module(f"reports.figures.{data.facts.shown.kind}")
    canvas, sentences = module.draw(data)
    for path in paths:
        canvas.save(path)
    return " ".join([spec.caption, *sentences, _source(data.facts), *_gaps(data.facts.rows)])


def _source(facts: FigureFacts) -> str:
    changes = ", ".join(f"{path}={value}" for path, value in flatten(facts.overrides))
    changed = f" Changed from the scale's settings: {changes}." if changes else ""
    return f"Data {facts.data}, scale {facts.scale}, seed 0.{changed}"


def _gaps(rows: list[RowFacts]) -> list[str]:
    return [f"{row.label} is left out: {row.reason}." for row in rows if row.reason]
