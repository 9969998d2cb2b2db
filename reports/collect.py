"""Collect a table's results from disk: `runs/<table>.json`, and each job's `result.json` or `error.json`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.errors import UserError
from benchmarks.plan.job import EXTERNAL
from benchmarks.plan.methods import get_method
from benchmarks.plan.nested import lookup
from benchmarks.plan.tables import RowSpec, TableSpec, load_table
from benchmarks.store.documents import UnreadableError
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.result import Result
from benchmarks.store.run_file import RunFile, RunRow, read_run, run_path
from reports.published import published_figures

Origin = Literal["trained", "untrained", "external", "quoted"]
"""The origin of a row's figures: training here, a method that needs none, label maps made elsewhere, the paper."""


@dataclass(frozen=True)
class Gap:
    """A missing figure; `key` names the job that should have made it, None where none was planned."""

    key: str | None
    reason: str


@dataclass(frozen=True)
class RowResults:
    """One row of a table: what was asked, what was published, what was measured and what is missing."""

    number: int  # from 1, as in the paper
    spec: RowSpec
    origin: Origin
    method: str | None  # None for a row that quotes the paper
    published: dict[str, str]  # metric -> figure as printed in the paper; no entry for a dash
    results: tuple[Result, ...]  # by seed
    gaps: tuple[Gap, ...]

    @property
    def label(self) -> str:
        return self.spec.label

    def measured(self, metric: str) -> list[float]:
        """The metric's value for each seed that has one."""
        values = (result.metrics.get(metric) for result in self.results)
        return [value for value in values if value is not None]

    @property
    def missing(self) -> list[str]:
        """Say why figures are missing, once for each reason, how many there are, and name the jobs."""
        told = f"{len(self.results)} of {len(self.results) + len(self.gaps)} seeds: " if self.results else ""
        sentences = []
        for reason in dict.fromkeys(gap.reason for gap in self.gaps):
            keys = [gap.key for gap in self.gaps if gap.reason == reason and gap.key]
            jobs = f" ({'job' if len(keys) == 1 else 'jobs'} {', '.join(keys)})" if keys else ""
            sentences.append(f"{told}{reason}{jobs}.")
        return sentences


@dataclass(frozen=True, eq=False)
class TableResults:
    """A table with everything known about its rows. It equals only itself, so that what is derived can be cached."""

    spec: TableSpec
    rows: tuple[RowResults, ...]
    overrides: dict[str, Any]  # settings of the scale that the user changed, nested
    leaks: tuple[str, ...] = ()  # pictures that are in several splits of the data, each pair in words

    @property
    def results(self) -> list[Result]:
        return [result for row in self.rows for result in row.results]

    @property
    def trained(self) -> list[Result]:
        """The results of rows that were trained here."""
        return [result for row in self.rows if row.origin == "trained" for result in row.results]

    @property
    def seeds(self) -> list[int]:
        """The seeds that have results; that of untrained rows counts only where no row was trained."""
        return sorted({result.seed for result in self.trained or self.results})

    @property
    def gaps(self) -> list[tuple[RowResults, Gap]]:
        return [(row, gap) for row in self.rows for gap in row.gaps]

    def refuse_unfinished(self, out: Path) -> None:
        """Require a finished job, for who looks into jobs and not only at what is there of the table.

        Args:
            out: the results folder, for the message.

        Raises:
            UserError: there is none; the message has the reasons.
        """
        if not self.results:
            reasons = "; ".join(sorted({gap.reason for _, gap in self.gaps}))
            raise UserError(f"No job of {self.spec.name} is finished in {out} ({reasons}): run it first.")


Found = Result | Gap
"""What a results folder holds of one job: its result, or the reason why there is none."""


def collect(out: Path, table: str, known: dict[str, Found] | None = None) -> TableResults:
    """Collect everything `out` holds of a table. Missing and failed jobs become gaps with a reason.

    Args:
        known: jobs that were read before, by key; jobs that are read now are added.

    Raises:
        UserError: unknown table, no run of it in `out`, or a result that was made with another method or other
            switches than those of its row.
    """
    spec = load_table(table)
    path, run = run_path(out, table), read_run(out, table)
    if run is None:
        raise UserError(f"No run of {table}: expected {path}, which `pctrans-bench run {table}` writes.")
    external = _external_rows(path, spec, run)
    row_specs = [*spec.rows, *(RowSpec(label=row.label or "", method=EXTERNAL) for row in external)]
    planned = {row.row: row for row in run.rows if row not in external}
    planned |= dict(enumerate(external, len(spec.rows) + 1))
    published = [*published_figures(spec), *({} for _ in row_specs[len(spec.rows) :])]
    known = {} if known is None else known
    rows = (
        _collect_row(out, spec, number, row, published[number - 1], planned.get(number), known)
        for number, row in enumerate(row_specs, 1)
    )
    return TableResults(spec, tuple(rows), run.overrides, tuple(run.leaks or ()))


def _external_rows(path: Path, spec: TableSpec, run: RunFile) -> list[RunRow]:
    """List the rows of label maps made elsewhere, which have names that the user gave them.

    They follow the table's own rows, whose number may have grown since: they are known by their method.
    """
    own = [row for row in run.rows if row.method != EXTERNAL]
    external = sorted((row for row in run.rows if row.method == EXTERNAL), key=lambda row: row.row)
    last = max((row.row for row in own), default=0)
    wrong = [row for row in own if not 1 <= row.row <= len(spec.rows)]
    wrong += [row for row in external if row.row <= last or row.label is None]
    if wrong:
        raise UserError(f"{path} has a row {wrong[0].row}, but {spec.name} has rows 1 to {len(spec.rows)}.")
    return external


def _collect_row(
    out: Path,
    spec: TableSpec,
    number: int,
    row: RowSpec,
    published: dict[str, str],
    planned: RunRow | None,
    known: dict[str, Found],
) -> RowResults:
    method = spec.method_of(row)
    keys, left_out = (planned.keys, planned.left_out) if planned else ([], None)
    for key in keys:
        if key not in known:
            known[key] = _read_job(JobFolder.named(key, out))
    found = [known[key] for key in keys]
    results = sorted((item for item in found if isinstance(item, Result)), key=lambda result: result.seed)
    for result in results:
        _check_method(spec, row, result)
        _check_switches(spec, row, result)
    gaps = [item for item in found if isinstance(item, Gap)]
    if left_out and not results:
        gaps = [Gap(None, left_out)]
    elif not keys and method is not None:
        gaps.append(Gap(None, "not part of this run"))
    return RowResults(number, row, _origin(method), method, published, tuple(results), tuple(gaps))


def _origin(method: str | None) -> Origin:
    if method is None:
        return "quoted"
    if method == EXTERNAL:
        return "external"
    return "trained" if get_method(method).trained else "untrained"


def _read_job(folder: JobFolder) -> Found:
    try:
        if result := folder.read_result():
            return result
        if failure := folder.read_failure():
            return Gap(folder.key, f"failed: {failure.summary}")
    except UnreadableError as error:
        return Gap(folder.key, str(error))
    return Gap(folder.key, "not finished" if folder.state == "unfinished" else "not run")


def _check_method(spec: TableSpec, row: RowSpec, result: Result) -> None:
    """Refuse a result of another method than the row's."""
    method = spec.method_of(row)
    if result.method != method:
        wanted = f"belongs to {method}" if method else "only quotes the paper"
        raise UserError(
            f"Job {result.key} was run with {result.method}, but row '{row.label}' of {spec.name} {wanted}. "
            f"Run {spec.name} again."
        )


def _check_switches(spec: TableSpec, row: RowSpec, result: Result) -> None:
    """Refuse a result whose settings contradict the row's check marks, as an override on the command line can."""
    marks = spec.marks(row)
    for column in spec.columns if marks else ():
        value = lookup(result.job, f"model.{column.path}")
        actual = value if column.absent is None else value != column.absent
        if actual != marks[column.field]:
            raise UserError(
                f"Job {result.key} was run with {column.path} = {value}, which is not row '{row.label}' of "
                f"{spec.name}. Leave {column.path} out of --set: the table varies it."
            )
