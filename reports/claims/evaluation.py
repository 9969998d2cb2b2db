"""Evaluate claims against the results in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.errors import UserError
from benchmarks.plan.tables import TableSpec, load_table
from benchmarks.store.run_file import RunFile, read_run
from reports.claims.deciding import undecided_notes
from reports.claims.missing import command, first_command, missing_jobs
from reports.claims.specification import BestOf, Better, Claim, Claims, Close, LargestGain, NoGain, Part, load_claims
from reports.claims.verdicts import PartVerdict, Verdict, joint
from reports.collect import Found, RowResults, TableResults, collect
from reports.comparability import comparability, unequal
from reports.comparisons import ALPHA, Comparison, compare, compare_gains, corrected
from reports.statistics import least_p


@dataclass(frozen=True)
class ClaimVerdict:
    """The verdict of measured rows on a claim.

    Attributes:
        id, text, table: as in `claims.yaml`.
        verdict: the verdict by `reports.claims.verdicts.RULE`.
        parts: each with its comparisons; where a job is missing, those comparisons that could be made.
        missing: a line for each job that the claim needs and that has no result.
        command: the command that runs the missing jobs; None where nothing is missing.
        scale, data: those of the table's run; None where it was not run.
        notes: sentences on what limits the comparisons.
        conditions: sentences on the whole table: in what its rows were not trained alike, and whether its figures may
            be compared with the paper's.
    """

    id: str
    text: str
    table: str
    verdict: Verdict
    parts: tuple[PartVerdict, ...]
    missing: tuple[str, ...]
    command: str | None
    scale: str | None
    data: str | None
    notes: tuple[str, ...]
    conditions: tuple[str, ...]

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        return tuple(comparison for part in self.parts for comparison in part.comparisons)


@dataclass(frozen=True)
class ClaimsReport:
    """The verdicts on all claims, and the oddities in the paper's own figures."""

    out: Path
    verdicts: tuple[ClaimVerdict, ...]
    oddities: tuple[str, ...]


def evaluate_claims(
    out: Path, claims: Claims | None = None, collected: Mapping[str, TableResults] | None = None
) -> ClaimsReport:
    """Evaluate claims, by default those of `claims.yaml`, against what `out` holds.

    Claims about a table that was not run are missing; tables may be on different data. Every result is read once, even
    if two tables share it.

    Args:
        collected: tables that were read from `out` already, by name.

    Raises:
        UserError: `out` is not a folder, or a run or result in it contradicts its table.
    """
    if not out.is_dir():
        raise UserError(f"{out} is not a results folder: give --out the folder that `pctrans-bench run` wrote into.")
    claims = claims or load_claims()
    names = dict.fromkeys(claim.table for claim in claims.claims)
    known: dict[str, Found] = {}
    tables = {name: _Table(out, load_table(name), (collected or {}).get(name), known) for name in names}
    runs = [table.run for table in tables.values() if table.run]
    verdicts = tuple(_evaluate(claim, tables[claim.table], runs) for claim in claims.claims)
    oddities = tuple(f"{oddity.text} (Paper, {oddity.source}.)" for oddity in claims.oddities)
    return ClaimsReport(out, verdicts, oddities)


@dataclass(frozen=True)
class _Table:
    """A table in a results folder, read when it is first asked for; jobs that another table has read are shared."""

    out: Path
    spec: TableSpec
    collected: TableResults | None
    known: dict[str, Found]

    @cached_property
    def run(self) -> RunFile | None:
        return read_run(self.out, self.spec.name)

    @cached_property
    def results(self) -> TableResults | None:
        return self.collected or (collect(self.out, self.spec.name, self.known) if self.run else None)

    @cached_property
    def conditions(self) -> tuple[str, ...]:
        if self.results is None or not self.results.results:
            return ()
        return (*unequal(self.results), comparability(self.results))


def _evaluate(claim: Claim, table: _Table, runs: Sequence[RunFile]) -> ClaimVerdict:
    needed = claim.labels(table.spec)
    rows = {row.label: row for row in table.results.rows if row.label in needed} if table.results else {}
    attempts = [list(_attempts(part, rows)) for part in claim.parts]
    missing, labels = _missing(needed, table, rows), [label for label in needed if _incomplete(rows.get(label))]
    if not missing:
        missing = list(dict.fromkeys(str(one) for of_part in attempts for one in of_part if isinstance(one, UserError)))
    parts = _corrected(claim, attempts, complete=not missing)
    return ClaimVerdict(
        id=claim.id,
        text=claim.text,
        table=claim.table,
        verdict=joint(part.verdict for part in parts),
        parts=parts,
        missing=tuple(missing),
        command=_command(table, labels, runs) if labels else None,
        scale=table.run.scale if table.run else None,
        data=table.run.data.spec if table.run else None,
        notes=(*_notes(parts), *undecided_notes(parts, rows, table.spec)),
        conditions=table.conditions,
    )


def _command(table: _Table, labels: Sequence[str], runs: Sequence[RunFile]) -> str:
    if table.run is None or table.results is None:
        return first_command(table.out, table.spec, labels, runs)
    return command(table.out, table.spec, table.run, table.results, labels)


def _incomplete(row: RowResults | None) -> bool:
    return row is None or bool(row.gaps)


def _missing(needed: Sequence[str], table: _Table, rows: dict[str, RowResults]) -> list[str]:
    if table.run is None:
        return [f"{table.spec.name} was not run here; needed are its rows {', '.join(needed)}"]
    return missing_jobs(list(rows.values()), table.run)


Attempt = Comparison | UserError
"""A comparison, or the error that says why it cannot be made."""


def _attempts(part: Part, rows: dict[str, RowResults]) -> Iterator[Attempt]:
    """Try every comparison of a part, by metric and row; none where the table was not run."""
    if not rows:
        return
    row = rows[part.row]
    for metric in part.metrics:
        match part:
            case Better():
                yield from (_attempt(compare, row, rows[label], metric) for label in part.than)
            case BestOf():
                yield from (_attempt(compare, row, other, metric) for other in rows.values() if other is not row)
            case Close():
                yield from (_attempt(compare, row, rows[label], metric) for label in part.to)
            case NoGain():
                yield _attempt(compare, row, rows[part.over], metric)
            case LargestGain():
                gain = row, rows[part.over]
                for step in part.than:
                    yield _attempt(compare_gains, gain, (rows[step.row], rows[step.over]), metric)


def _attempt(comparing: Callable[..., Comparison], first: object, second: object, metric: str) -> Attempt:
    try:
        return comparing(first, second, metric)
    except UserError as error:
        return error


def _corrected(claim: Claim, attempts: Sequence[Sequence[Attempt]], *, complete: bool) -> tuple[PartVerdict, ...]:
    """Correct the comparisons that could be made by Holm's method, over all parts of the claim."""
    made = [[one for one in of_part if isinstance(one, Comparison)] for of_part in attempts]
    family = iter(corrected(comparison for of_part in made for comparison in of_part))
    return tuple(
        PartVerdict(part, tuple(next(family) for _ in of_part), complete)
        for part, of_part in zip(claim.parts, made, strict=True)
    )


def _notes(parts: Sequence[PartVerdict]) -> Iterator[str]:
    """Say what limits a claim's comparisons."""
    comparisons = [comparison for part in parts for comparison in part.comparisons]
    if not comparisons:
        return
    if max(comparison.seeds for comparison in comparisons) == 1:
        yield "One seed: the verdict is about these trained networks; other trainings may differ."
    if all(comparison.low == comparison.high == 0 for comparison in comparisons):
        yield "No image tells these rows apart: they may have learned nothing."
    images = max(comparison.images for comparison in comparisons)
    if least_p(images) * len(comparisons) >= ALPHA:
        yield (
            f"{images} image{'' if images == 1 else 's'} cannot give p < {ALPHA} over {len(comparisons)} comparisons, "
            "whatever the differences."
        )
