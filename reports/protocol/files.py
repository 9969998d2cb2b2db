"""Write the figures under every protocol variant as Markdown, CSV and, if asked for, JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.files import write_atomic, write_json
from benchmarks.store.scores import write_scores
from reports.protocol.markdown import protocol_markdown
from reports.protocol.rescored import RescoredTable, score_lines
from reports.protocol.sensitivity import Family, families
from reports.protocol.sentences import summary

SCHEMA = 1


@dataclass(frozen=True)
class ProtocolPaths:
    """The paths of the reports."""

    markdown: Path
    csv: Path


def write_protocol(table: RescoredTable, out: Path, *, json: Path | None = None) -> ProtocolPaths:
    """Write OUT/reports/<table>_protocol.md and .csv.

    Args:
        json: where to write what `protocol_document` returns.
    """
    folder, name = out / "reports", f"{table.spec.name}_protocol"
    paths = ProtocolPaths(folder / f"{name}.md", folder / f"{name}.csv")
    write_atomic(paths.markdown, protocol_markdown(table))
    write_scores(score_lines(table), paths.csv)
    if json:
        write_json(json, protocol_document(table))
    return paths


def protocol_document(table: RescoredTable) -> dict[str, Any]:
    """Collect variants, means, differences and swaps for JSON; figures are in the metric's own unit."""
    return {
        "schema": SCHEMA,
        "table": table.spec.name,
        "reference": table.spec.reference,
        "tested": table.tested,
        "variants": [
            {"name": one.name, "title": one.title, "what": one.what, "source": one.source}
            for one in table.choice.variants
        ],
        "not_applicable": [{"name": one.name, "reason": reason} for one, reason in table.choice.refused],
        "metrics": {family.metric: _family(table, family) for family in families(table)},
        "missing": table.missing,
        "problems": table.left_out,
    }


def _family(table: RescoredTable, family: Family) -> dict[str, Any]:
    return {
        "variants": [variant.name for variant in family.variants],
        "rows": [
            {
                "row": row.number,
                "label": row.label,
                "seeds": row.seeds,
                "values": dict(row.values),
                "spread": row.spread,
            }
            for row in family.rows
        ],
        "differences": [
            {
                "row": one.other.number,
                "label": one.other.label,
                "values": dict(one.values),
                "moved": one.moved[0],
                "moved_by": one.moved[1],
                "share": one.share,
            }
            for one in family.differences
        ],
        "swaps": [
            {"better": swap.better.number, "worse": swap.worse.number, "variants": list(swap.variants)}
            for swap in family.swaps
        ],
        "summary": summary(family, table.spec.shown(family.metric)),
    }
