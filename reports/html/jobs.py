"""All jobs of a results folder: their configurations, machines and failures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.plan.nested import flatten
from benchmarks.store.job_folder import JobFolder, State, all_job_folders
from benchmarks.store.result import Result
from reports.results_folder import ResultsFolder

LONGEST = 20_000  # characters of a traceback, message or output
STATES: dict[State, str] = {
    "done": "finished",
    "damaged": "damaged",
    "failed": "failed",
    "unfinished": "not finished",
    "not run": "not run",
}
# The colours and cursor movements of a terminal, then every control character but tab and line feed.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Failure:
    """The failure of a job, from error.json and output.log."""

    key: str
    label: str
    type: str
    message: str
    traceback: str
    when: str
    log: str


@dataclass(frozen=True)
class Environment:
    """The machine and software that some jobs ran on; `number` counts from 1."""

    number: int
    facts: tuple[tuple[str, str], ...]
    jobs: int


@dataclass(frozen=True)
class JobEntry:
    """One job, that is one folder under OUT/jobs."""

    key: str
    label: str
    seed: str  # empty where it is not known
    state: str
    rows: tuple[str, ...]  # "table4, row 3"
    configuration: tuple[tuple[str, str], ...]
    environment: int | None  # the number of its `Environment`; None where it is not known


@dataclass(frozen=True)
class Jobs:
    """All jobs of a folder; `problems` names files that cannot be read."""

    entries: tuple[JobEntry, ...]
    failures: tuple[Failure, ...]
    environments: tuple[Environment, ...]
    problems: tuple[str, ...]


def read_jobs(folder: ResultsFolder) -> Jobs:
    """Read the jobs in the order of the tables' rows, then those of no table by key; results are not read again."""
    rows, results, labels = _of_tables(folder)
    present = [job.key for job in all_job_folders(folder.out)]
    keys = dict.fromkeys([*(key for key in rows if key in set(present)), *present])
    reader, machines = _Reader(), dict[tuple[tuple[str, str], ...], list[str]]()
    entries, failures = [], []
    for key in keys:
        job_folder, result = JobFolder.named(key, folder.out), results.get(key)
        job = result.job if result else reader.read(job_folder.description)
        environment = result.environment if result else reader.read(job_folder.environment)
        facts = tuple(flatten(environment))
        if facts:
            machines.setdefault(facts, []).append(key)
        label = labels.get(key) or str(job.get("label") or "")
        entries.append(
            JobEntry(
                key=key,
                label=label,
                seed=str(job.get("seed", "")),
                state=STATES["done" if result else job_folder.state],
                rows=tuple(rows.get(key, ())),
                configuration=tuple(flatten(job)),
                environment=list(machines).index(facts) + 1 if facts else None,
            )
        )
        if entries[-1].state == "failed":
            failures.append(_failure(job_folder, label, reader))
    environments = tuple(Environment(number, facts, len(of)) for number, (facts, of) in enumerate(machines.items(), 1))
    return Jobs(tuple(entries), tuple(failures), environments, tuple(reader.problems))


def _of_tables(folder: ResultsFolder) -> tuple[dict[str, list[str]], dict[str, Result], dict[str, str]]:
    """Find, by key, the rows that show a job, its result, and the label of its first row."""
    rows: dict[str, list[str]] = {}
    results: dict[str, Result] = {}
    labels: dict[str, str] = {}
    for name, table in folder.results.items():
        for row in table.rows:
            for key in [*(result.key for result in row.results), *(gap.key for gap in row.gaps if gap.key)]:
                rows.setdefault(key, []).append(f"{name}, row {row.number}")
                labels.setdefault(key, row.label)
            results |= {result.key: result for result in row.results}
    return rows, results, labels


def _failure(folder: JobFolder, label: str, reader: _Reader) -> Failure:
    error = reader.read(folder.failure)
    texts = {name: _shown(str(error.get(name) or "")) for name in ("type", "message", "traceback", "when")}
    return Failure(key=folder.key, label=label, log=_shown(folder.last_output()), **texts)


def _shown(text: str) -> str:
    """Keep the end of a text, which says what went wrong, without what a terminal would obey."""
    plain = _CONTROL.sub("", text)
    return plain if len(plain) <= LONGEST else f"… {plain[-LONGEST:]}"


class _Reader:
    """Read JSON objects; one that cannot be read is noted in `problems` and taken as empty."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def read(self, path: Path) -> dict[str, Any]:
        try:
            value = json.loads(path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            self.problems.append(f"{path} cannot be read: {error}.")
            return {}
        if not isinstance(value, dict):
            self.problems.append(f"{path} holds no JSON object.")
            return {}
        return value


def commits(jobs: Jobs) -> Iterator[str]:
    """List the commits that the jobs were run from, each once."""
    found = (dict(environment.facts).get("commit") for environment in jobs.environments)
    return iter(dict.fromkeys(commit for commit in found if commit and commit != "null"))
