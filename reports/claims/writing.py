"""Claims and their verdicts as JSON and Markdown."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.files import write_atomic
from benchmarks.metrics import METRICS
from reports.claims.evaluation import ClaimsReport, ClaimVerdict
from reports.claims.specification import BestOf, Better, Close, LargestGain, NoGain, Part
from reports.claims.verdicts import RULE, PartVerdict, Verdict
from reports.comparisons import Comparison
from reports.markdown_text import escape, format_table

SCHEMA = 1
VERDICTS: tuple[Verdict, ...] = ("supported", "contradicted", "undecided", "missing")


def write_claims(report: ClaimsReport) -> tuple[Path, Path]:
    """Write OUT/reports/claims.md and claims.json; return both paths."""
    folder = report.out / "reports"
    write_atomic(folder / "claims.md", to_markdown(report))
    write_atomic(folder / "claims.json", json.dumps(to_json(report), indent=2, allow_nan=False) + "\n")
    return folder / "claims.md", folder / "claims.json"


def to_json(report: ClaimsReport) -> dict[str, Any]:
    """Convert the whole report to what claims.json holds; unknown figures become null."""
    return {
        "schema": SCHEMA,
        "out": str(report.out),
        "rule": RULE,
        "counts": count_verdicts(report),
        "claims": [_claim_json(claim) for claim in report.verdicts],
        "oddities": list(report.oddities),
    }


def count_verdicts(report: ClaimsReport) -> dict[str, int]:
    """Count the claims with each verdict."""
    found = [claim.verdict for claim in report.verdicts]
    return {verdict: found.count(verdict) for verdict in VERDICTS}


def _claim_json(claim: ClaimVerdict) -> dict[str, Any]:
    fields = ("id", "text", "table", "verdict", "scale", "data", "missing", "command", "notes", "conditions")
    return {name: getattr(claim, name) for name in fields} | {"parts": [_part_json(part) for part in claim.parts]}


def _part_json(part: PartVerdict) -> dict[str, Any]:
    comparisons = [
        _finite(asdict(comparison) | {"detectable": comparison.detectable}) | {"verdict": verdict}
        for comparison, verdict in part.judged()
    ]
    return part.part.model_dump(mode="json") | {"verdict": part.verdict, "comparisons": comparisons}


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    return {name: None if isinstance(x, float) and not math.isfinite(x) else x for name, x in values.items()}


def to_markdown(report: ClaimsReport) -> str:
    """Write out all verdicts at a glance, the rule, each claim with its comparisons, and the paper's oddities."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in count_verdicts(report).items() if count)
    overview = [
        [f"`{claim.id}`", escape(claim.text), claim.table, f"**{claim.verdict}**", pairs(claim), claim.scale or "-"]
        for claim in report.verdicts
    ]
    headings = ["claim", "text", "table", "verdict", "pairs", "scale"]
    parts = ["# Claims", f"{counts}.", format_table(headings, overview), "## How a verdict is reached", escape(RULE)]
    for _, of_table in groupby(report.verdicts, lambda claim: claim.table):
        claims = list(of_table)
        parts += [f"## {escape(describe_run(claims[0]))}", escape(" ".join(claims[0].conditions))]
        parts += [section for claim in claims for section in _claim_markdown(claim)]
    parts += ["## Oddities in the paper's own figures", "\n".join(f"- {escape(text)}" for text in report.oddities)]
    return "\n\n".join(filter(None, parts)) + "\n"


def describe_run(claim: ClaimVerdict) -> str:
    """Name the results that a claim was compared with."""
    return f"{claim.table} on {claim.data}, scale {claim.scale}" if claim.data else f"{claim.table}, not run here"


def _claim_markdown(claim: ClaimVerdict) -> list[str]:
    parts = [f"### {claim.id}: {claim.verdict}", escape(f"{claim.text}.")]
    for part in claim.parts:
        if part.comparisons:
            lines = [[*(escape(cell) for cell in comparison_cells(one)), verdict] for one, verdict in part.judged()]
            parts += [escape(f"{describe_part(part.part)}: {part.verdict}."), format_table(COMPARISON_HEADINGS, lines)]
    parts += ["\n".join(f"- missing: {escape(line)}" for line in claim.missing)]
    parts += [f"```sh\n{claim.command}\n```"] if claim.command else []
    return [*parts, escape(" ".join(claim.notes))]


COMPARISON_HEADINGS = (
    "comparison", "metric", "difference", "95 % interval", "p", "p (Holm)", "ranks", "images", "seeds", "detectable",
    "alone",
)  # fmt: skip


def comparison_cells(one: Comparison) -> list[str]:
    """Print a comparison under all `COMPARISON_HEADINGS` but the verdict, in the metric's own unit."""
    interval = "unknown" if math.isnan(one.low) else f"{one.low:+.4f} to {one.high:+.4f}"
    return [
        f"{one.better} vs {one.worse}",
        METRICS[one.metric].title,
        f"{one.effect:+.4f}",
        interval,
        f"{one.p:.2g}",
        "-" if one.p_holm is None else f"{one.p_holm:.2g}",
        f"{one.rank_biserial:+.2f}",
        str(one.images),
        str(one.seeds),
        "none" if math.isinf(one.detectable) else f"{one.detectable:.4f}",
    ]


def describe_part(part: Part) -> str:
    """State in words what a part of a claim asks of its comparisons."""
    match part:
        case Close():
            return f"{part.row} is within ±{part.margin:g} of {', '.join(part.to)} ({part.reason})"
        case NoGain():
            return f"{part.row} gains less than {part.margin:g} over {part.over} ({part.reason})"
        case BestOf():
            return f"{part.row} is the best of all rows that are run"
        case LargestGain():
            return f"{part.row} over {part.over} is the largest gain"
        case Better():
            return f"{part.row} is better than {', '.join(part.than)}"


def pairs(claim: ClaimVerdict) -> str:
    """Print how many images and seeds a claim's comparisons rest on."""
    if not claim.comparisons:
        return "-"
    images, seeds = ({getattr(one, name) for one in claim.comparisons} for name in ("images", "seeds"))
    return f"{_counted(images, 'image')} × {_counted(seeds, 'seed')}"


def _counted(values: set[int], noun: str) -> str:
    return f"{_range(values)} {noun}" + ("" if values == {1} else "s")


def _range(values: set[int]) -> str:
    return "–".join(map(str, dict.fromkeys((min(values), max(values)))))
