"""Render the page: read the folder, unless a caller has, and fill the templates."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from benchmarks.errors import UserError
from benchmarks.files import write_atomic
from reports.cells import SIGNS
from reports.claims import RULE, ClaimsReport, evaluate_claims
from reports.claims.writing import COMPARISON_HEADINGS, comparison_cells, count_verdicts, describe_part, pairs
from reports.html import distributions
from reports.html.figures import figure_sections
from reports.html.jobs import commits, read_jobs
from reports.html.links import report_links
from reports.html.tables import table_section
from reports.results_folder import ResultsFolder, read_results_folder
from reports.table import ReportPaths

TEMPLATE = Path(__file__).parent / "template"


def write_html(
    out: Path,
    path: Path | None = None,
    *,
    folder: ResultsFolder | None = None,
    claims: ClaimsReport | None = None,
    written: Mapping[str, ReportPaths] | None = None,
) -> Path:
    """Write one page of everything `out` holds, with style, script and pictures inside; return its path.

    A file that cannot be read becomes a note on the page. Pictures are those that lie in OUT/reports.

    Args:
        path: where to write; by default OUT/reports/index.html.
        folder: the result of `read_results_folder(out)`, if it was read already.
        claims: the result of `evaluate_claims(out)`, if they were evaluated already.
        written: the reports that were just written from `folder`, by table.

    Raises:
        UserError: nothing was run into `out`.
    """
    folder = folder or read_results_folder(out)
    path = path or out / "reports" / "index.html"
    problems = list(folder.problems)
    if claims is None:
        try:
            claims = evaluate_claims(out, collected=folder.results)
        except UserError as error:
            problems.append(f"Claims are left out: {error}")
    jobs = read_jobs(folder)
    page = (
        _environment()
        .get_template("page.html")
        .render(
            out=out,
            tables=[table_section(table, out, written or {}) for table in folder.tables],
            claims=claims,
            counts=count_verdicts(claims) if claims else {},
            figures=figure_sections(out),
            links=report_links(out, path),
            jobs=jobs,
            commits=list(commits(jobs)),
            problems=[*problems, *jobs.problems],
        )
    )
    write_atomic(path, page)
    return path


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE),
        autoescape=True,  # everything that is filled in may come from a file that someone else wrote
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style, script = ((TEMPLATE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    environment.globals |= {
        # The package's own files, and the only ones that are not escaped.
        "style": Markup(style),
        "script": Markup(script),
        "policy": _policy(style, script),
        "signs": SIGNS,
        "rule": RULE,
        "comparison_headings": COMPARISON_HEADINGS,
        "comparison_cells": comparison_cells,
        "pairs": pairs,
        "describe_part": describe_part,
        "strip": distributions,
    }
    return environment


def _policy(style: str, script: str) -> str:
    """Compose the Content-Security-Policy: no network, frames or forms, and no script or style but the page's own."""
    return (
        f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
