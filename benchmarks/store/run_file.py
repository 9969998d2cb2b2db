"""OUT/runs/<table>.json: which jobs stand for which row of a table, and how the table was run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.errors import UserError
from benchmarks.plan.expansion import Plan
from benchmarks.store.documents import Document, UnreadableError, read_document, write_document
from benchmarks.store.result import Key


class RunData(Document):
    """The data that a table was run on."""

    spec: str
    name: str
    fingerprint: str
    decoding: str


class RunRow(Document):
    """The jobs of one row, in the order of seeds."""

    row: int
    label: str | None = None
    method: str | None = None
    keys: list[Key]
    left_out: str | None = None
    """Why the row could not be run, a clause; its jobs may have been run elsewhere all the same."""


class RunFile(Document):
    """How a table was run."""

    table: str
    data: RunData
    scale: str
    seeds: list[int]
    overrides: dict[str, Any]
    """Nested: what the user changed of the scale."""
    jobs: list[Key]
    rows: list[RunRow]
    leaks: list[str] | None = None
    """Pictures that are in several splits of the data, each pair in words; None where nobody has looked."""

    @classmethod
    def of(cls, plan: Plan, leaks: Sequence[str] | None = None) -> RunFile:
        """What a plan comes to."""
        rows: dict[int, RunRow] = {}
        for planned in plan.jobs:
            new = RunRow(row=planned.row, label=planned.label, method=planned.job.method, keys=[])
            rows.setdefault(planned.row, new).keys.append(planned.job.key)
        for number, obstacle in plan.left_out.items():
            spec = plan.table.rows[number - 1]
            new = RunRow(row=number, label=spec.label, method=plan.table.method_of(spec), keys=[])
            rows[number] = rows.get(number, new).model_copy(update={"left_out": obstacle.reason})
        return cls(
            table=plan.table.name,
            data=RunData.model_validate(plan.data.model_dump()),
            scale=plan.scale,
            seeds=list(plan.seeds),
            overrides=plan.overrides,
            jobs=[planned.job.key for planned in plan.jobs],
            rows=[rows[number] for number in sorted(rows)],
            leaks=None if leaks is None else list(leaks),
        )

    @property
    def parameters(self) -> dict[str, Any]:
        """Everything but the jobs and what was found in the data."""
        return self.model_dump(mode="json", exclude={"jobs", "rows", "leaks"})

    def seed_of(self, key: str | None) -> int | None:
        """The seed of the job of this key."""
        keys = next((row.keys for row in self.rows if key in row.keys), [])
        return self.seeds[keys.index(key)] if key in keys and keys.index(key) < len(self.seeds) else None


def runs_folder(out: Path) -> Path:
    """Where the plans of all tables lie."""
    return out / "runs"


def run_path(out: Path, table: str) -> Path:
    return runs_folder(out) / f"{table}.json"


def run_tables(out: Path) -> list[str]:
    """Names of the tables that were run into `out`."""
    return sorted(path.stem for path in runs_folder(out).glob("*.json"))


def read_run(out: Path, table: str) -> RunFile | None:
    """How a table was run into `out`; None where it was not.

    Raises:
        UserError: the file does not describe a run.
    """
    path = run_path(out, table)
    try:
        return read_document(path, RunFile)
    except FileNotFoundError:
        return None
    except UnreadableError as error:
        raise UserError(
            f"{path} does not describe a run: {error}. Delete it and run {table} again; the results under jobs/ stay."
        ) from error


def known_leaks(out: Path, fingerprint: str) -> list[str] | None:
    """Return what a run on the same data found to be in several splits of it; None where none has looked."""
    runs = (read_run(out, table) for table in run_tables(out))
    return next(
        (run.leaks for run in runs if run and run.data.fingerprint == fingerprint and run.leaks is not None), None
    )


def rows_of_jobs(out: Path) -> dict[str, list[str]]:
    """Name the rows that each job stands for, by its key; tables whose file cannot be read name none."""
    found: dict[str, list[str]] = {}
    for table in run_tables(out):
        with suppress(UserError):
            run = read_run(out, table)
            for row in run.rows if run else ():
                for key in row.keys:
                    found.setdefault(key, []).append(
                        f"{table}, row {row.row}" + (f": {row.label}" if row.label else "")
                    )
    return found


def save_run(
    plan: Plan, out: Path, *, replace: bool = True, unless_covers: bool = False, leaks: Sequence[str] | None = None
) -> None:
    """Tell reports which jobs stand for which row; a file that says so already stays as old as it is.

    Args:
        replace: do so also where an earlier run told it, of fewer rows or seeds, say.
        unless_covers: leave a run alone that has all these jobs and more.
        leaks: pictures in several splits of the data; None where nobody has looked, which keeps what was found before.
    """
    before = read_run(out, plan.table.name)
    if leaks is None:
        leaks = known_leaks(out, plan.data.fingerprint)
    wanted = RunFile.of(plan, leaks)
    if before is not None and (not replace or before == wanted or (unless_covers and _covers(before, wanted.jobs))):
        return
    write_document(run_path(out, plan.table.name), wanted)


def _covers(run: RunFile, keys: Collection[str]) -> bool:
    return set(keys) <= set(run.jobs)
