"""Writes the reports of a table, or of everything that a folder holds, and says where they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cli.report_currency import (
    PAGE,
    is_current,
    is_current_table,
    note_report,
    page_sources,
    table_sources,
)
from benchmarks.errors import UserError
from benchmarks.files import remove_leftovers

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.cli.experiments import Experiment
    from reports.layout import Layout
    from reports.results_folder import ResultsFolder
    from reports.table import ReportPaths


def report_experiments(
    console: Console, experiments: Sequence[Experiment], out: Path, device: str, layout: Layout | None = None
) -> dict[str, list[Path]]:
    """Report tables and figures that were run, and everything in `out` in one page; returns the files by name.

    Args:
        device: where models are looked into for figures.
        layout: of the tables; by default the full one.
    """
    files = {one.name: report_table(console, out, one.name, layout) for one in experiments if one.figure is None}
    for one in experiments:
        if one.figure is not None:
            files[one.name] = _report_figure(console, one, out, device)
    report_folder(console, out, current_tables(out, layout), layout)
    return files


def current_tables(out: Path, layout: Layout | None = None) -> set[str]:
    """Return the names of the tables whose own reports are up to date and in this layout."""
    from benchmarks.store.run_file import run_tables

    return {table for table in run_tables(out) if is_current_table(out, table, _name(layout))}


def _name(layout: Layout | None) -> str:
    from reports.layout import FULL

    return (layout or FULL).name


def _report_figure(console: Console, experiment: Experiment, out: Path, device: str) -> list[Path]:
    """Look into a figure's models and draw it; where it cannot be, say why."""
    from benchmarks.figures import compute_figure
    from reports.figures import draw_figure

    assert experiment.figure is not None
    try:
        with console.status(f"looking into the models of {experiment.name}"):
            compute_figure(experiment.figure, experiment.plan, out, device)
            picture = draw_figure(experiment.figure, out)
    except UserError as error:
        _warn(console, str(error))
        return []
    assert picture.path is not None, "what cannot be drawn is an error"
    return [picture.path, picture.path.with_suffix(".pdf")]


def reports_are_current(experiments: Sequence[Experiment], out: Path, layout: Layout | None = None) -> bool:
    """Tell whether these tables and figures were made, in this layout, and the page shows all that the folder holds."""
    from benchmarks.figures import is_computed
    from benchmarks.store.run_file import run_path

    made = [run_path(out, one.name) for one in experiments if one.figure is None]
    made += [out / "figures" / one.name / "figure.json" for one in experiments if one.figure is not None]
    tables = {one.name for one in experiments if one.figure is None}
    laid_out = tables <= current_tables(out, layout)
    there = laid_out and all(path.exists() for path in made) and is_current(out, PAGE, page_sources(out))
    return there and all(is_computed(one.figure, one.plan, out) for one in experiments if one.figure is not None)


def report_table(console: Console, out: Path, table: str, layout: Layout | None = None) -> list[Path]:
    """Write the reports of a table, print it and say where they are; returns the files.

    Args:
        layout: of the table; by default the full one.
    """
    from reports.collect import collect
    from reports.console import render_console
    from reports.layout import FULL
    from reports.table import write_table

    layout = layout or FULL
    sources = table_sources(out, table, layout.name)
    results = collect(out, table)
    paths = write_table(results, out, layout)
    note_report(out, paths.markdown.name, sources)
    console.print(render_console(results, layout))
    _say_paths(console, paths)
    return paths.files


def report_folder(
    console: Console, out: Path, tables_already_written: Collection[str] = (), layout: Layout | None = None
) -> list[Path]:
    """Write the reports of every table and figure in `out`, the claims and the page that shows them all.

    What cannot be read is said and left out.

    Args:
        tables_already_written: names of tables whose own reports are up to date.
        layout: of the tables' own reports, by default the full one; the page always shows everything.

    Returns:
        The files that were written.

    Raises:
        UserError: nothing was run into `out`.
    """
    from reports.claims import evaluate_claims, write_claims
    from reports.html import write_html
    from reports.results_folder import read_results_folder
    from reports.table import write_combined

    _remove_leftovers(out)
    sources, of_tables = page_sources(out), _sources_of_tables(out, _name(layout))
    folder = read_results_folder(out)
    for problem in folder.problems:
        _warn(console, problem)
    written = _tables(console, folder, tables_already_written, of_tables, layout)
    files = [path for paths in written.values() for path in paths.files]
    figures = _figures(console, out)
    combined = write_combined(list(folder.results.values()), out)
    claims, claim_files = None, []
    try:
        claims = evaluate_claims(out, collected=folder.results)
        claim_files = list(write_claims(claims))
    except UserError as error:
        _warn(console, f"Claims are left out: {error}")
    page = write_html(out, folder=folder, claims=claims, written=written)
    note_report(out, page.name, sources)
    console.print("everything", style="bold")
    for title, path in (("LaTeX", combined), *zip(("claims", ""), claim_files, strict=False), ("HTML", page)):
        _say(console, title, path)
    return [*files, *figures, combined, *claim_files, page]


def _remove_leftovers(out: Path) -> None:
    """Remove what earlier reports left that were killed."""
    for folder in (out / "reports", out / "runs", *out.glob("figures/*"), *out.glob("studies/*")):
        remove_leftovers(folder)


def _sources_of_tables(out: Path, layout: str) -> dict[str, str]:
    from benchmarks.store.run_file import run_tables

    found = {}
    for table in run_tables(out):
        with suppress(UserError):  # reading the folder says what is wrong
            found[table] = table_sources(out, table, layout)
    return found


def _tables(
    console: Console,
    folder: ResultsFolder,
    already_written: Collection[str],
    sources: Mapping[str, str],
    layout: Layout | None,
) -> Mapping[str, ReportPaths]:
    from reports.layout import FULL
    from reports.table import write_table

    written = {}
    for name, results in folder.results.items():
        if name not in already_written:
            with console.status(f"writing the reports of {name}"):
                written[name] = write_table(results, folder.out, layout or FULL)
                note_report(folder.out, written[name].markdown.name, sources[name])
            console.print(name, style="bold")
            _say_paths(console, written[name])
    return written


def _figures(console: Console, out: Path) -> list[Path]:
    """Draw every figure whose data are there; returns the pictures."""
    from benchmarks.figures import list_figures, load_figure
    from benchmarks.figures.store import DATA, figure_folder
    from reports.figures import draw_figure

    files: list[Path] = []
    for name in list_figures():
        if not (figure_folder(out, name) / DATA).is_file():
            continue
        try:
            with console.status(f"drawing {name}"):
                picture = draw_figure(load_figure(name), out)
        except UserError as error:
            _warn(console, str(error))
            continue
        if picture.path:
            console.print(name, style="bold")
            for title, path in (("picture", picture.path), ("PDF", picture.path.with_suffix(".pdf"))):
                _say(console, title, path)
                files.append(path)
    return files


def _say_paths(console: Console, paths: ReportPaths) -> None:
    files = {"LaTeX": paths.tex, "costs": paths.costs, "document": paths.document}
    files |= {"Markdown": paths.markdown, "CSV": paths.csv}
    pictures = {"picture": paths.segmentations, "learning": paths.learning}
    found = {title: picture.path or f"none: {picture.caption}" for title, picture in pictures.items()}
    for title, path in (files | found).items():
        _say(console, title, path)


def _say(console: Console, title: str, path: Path | str) -> None:
    console.print(f"{title:>9}  {path}", markup=False, highlight=False, soft_wrap=True)


def _warn(console: Console, text: str) -> None:
    console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)
