"""The specification of claims in `reports/claims.yaml`: what is compared with what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat

from benchmarks.errors import UserError
from benchmarks.metrics import METRICS
from benchmarks.plan.specifications import read_specification
from benchmarks.plan.tables import TableSpec, list_tables, load_table

CLAIMS = Path(__file__).parent.parent / "claims.yaml"

Id = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Labels = Annotated[tuple[str, ...], Field(min_length=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(_Frozen):
    """A step from row `over` to row `row`, which has more components."""

    row: str
    over: str


class _Part(_Frozen):
    row: str
    metrics: Annotated[tuple[str, ...], Field(min_length=1)]


class Better(_Part):
    """`row` is better than each of `than`."""

    kind: Literal["better"]
    than: Labels


class BestOf(_Part):
    """`row` is better than every other row of the table that is run."""

    kind: Literal["best-of"]


class LargestGain(_Part):
    """`row` gains more over `over` than each step of `than` gains."""

    kind: Literal["largest-gain"]
    over: str
    than: Annotated[tuple[Step, ...], Field(min_length=1)]


class Close(_Part):
    """`row` and each of `to` differ by less than `margin`, either way, in the metrics' own unit."""

    kind: Literal["close"]
    to: Labels
    margin: PositiveFloat
    reason: str


class NoGain(_Part):
    """`row` gains less than `margin` over `over`, in the metrics' own unit."""

    kind: Literal["no-gain"]
    over: str
    margin: PositiveFloat
    reason: str


Part = Annotated[Better | BestOf | LargestGain | Close | NoGain, Field(discriminator="kind")]


class Claim(_Frozen):
    """A sentence of the paper that measured rows can contradict."""

    id: Id
    text: str
    table: str
    parts: Annotated[tuple[Part, ...], Field(min_length=1)]

    def labels(self, spec: TableSpec) -> list[str]:
        """List the rows of its table that the claim needs, in the table's order."""
        rows = _run(spec)
        needed = {label for part in self.parts for label in _labels(part, rows)}
        return [row for row in rows if row in needed]


class Oddity(_Frozen):
    """A contradiction or gap in the paper's own figures."""

    id: Id
    text: str
    source: str


class Claims(_Frozen):
    """The whole of `claims.yaml`."""

    claims: tuple[Claim, ...]
    oddities: tuple[Oddity, ...]


def load_claims(path: Path = CLAIMS) -> Claims:
    """Read and validate a file of claims.

    Raises:
        UserError: not YAML, an unknown key, or a claim about a table, a row or a metric that does not exist.
    """
    claims = read_specification(path, Claims, "a list of claims")
    ids = [claim.id for claim in claims.claims] + [oddity.id for oddity in claims.oddities]
    if repeated := sorted({id for id in ids if ids.count(id) > 1}):
        raise UserError(f"{path} has two entries called {repeated[0]}.")
    for claim in claims.claims:
        _check(path, claim)
    return claims


def _check(path: Path, claim: Claim) -> None:
    where = f"{path}: claim {claim.id}"
    if claim.table not in list_tables():
        raise UserError(f"{where} is about {claim.table}; tables are: {', '.join(list_tables())}.")
    rows = _run(load_table(claim.table))
    for part in claim.parts:
        if unknown := [label for label in _labels(part, rows) if label not in rows]:
            raise UserError(f"{where} names row '{unknown[0]}'; rows of {claim.table} that are run: {', '.join(rows)}.")
        without = [name for name in part.metrics if name not in METRICS or METRICS[name].direction == "none"]
        if without:
            raise UserError(f"{where} names {without[0]}, which is not a metric with a better direction.")


def _run(spec: TableSpec) -> list[str]:
    """List the labels of the rows that are run; the others quote the paper."""
    return [row.label for row in spec.rows if spec.method_of(row)]


def _labels(part: Part, rows: list[str]) -> list[str]:
    match part:
        case Better():
            return [part.row, *part.than]
        case BestOf():
            return [part.row, *rows]
        case Close():
            return [part.row, *part.to]
        case NoGain():
            return [part.row, part.over]
        case LargestGain():
            return [part.row, part.over, *(label for step in part.than for label in (step.row, step.over))]
