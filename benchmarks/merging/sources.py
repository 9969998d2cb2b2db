"""What a results folder brings to a merge: jobs that have ended, each as it was written, and plans of tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import UserError
from benchmarks.links import refuse_links_in
from benchmarks.run.verification import verify_job
from benchmarks.store.documents import UnreadableError
from benchmarks.store.job_folder import JobFolder, all_job_folders, jobs_folder
from benchmarks.store.result import Result
from benchmarks.store.run_file import RunFile, read_run, run_tables, runs_folder
from benchmarks.store.several_data import refuse_several


@dataclass(frozen=True)
class Ended:
    """A job that is done or failed.

    Attributes:
        result: None of a job that failed.
        missing: how many of its files are not there, such as label maps of a copy that was made without them.
    """

    folder: JobFolder
    result: Result | None
    missing: int = 0

    @property
    def rank(self) -> tuple[bool, int]:
        """How good it is to have: a result before a failure, of results the more complete."""
        return self.result is not None, -self.missing


@dataclass(frozen=True)
class Source:
    """A results folder.

    Attributes:
        unfinished: keys of jobs that have not ended.
        damaged: what cannot be believed, a line for each.
    """

    out: Path
    jobs: dict[str, Ended]
    runs: dict[str, RunFile]
    unfinished: tuple[str, ...]
    damaged: tuple[str, ...]


def read_source(out: Path) -> Source:
    """Read and verify a results folder; nothing in it is changed.

    Raises:
        UserError: there are no results in it, or links, or it holds several results folders.
    """
    refuse_several(out)
    for part in (jobs_folder(out), runs_folder(out)):
        if part.is_symlink():
            raise UserError(f"{part} is a link to {part.readlink()}; expected a folder of its own. Copy it there.")
        refuse_links_in(part)
    jobs: dict[str, Ended] = {}
    unfinished: list[str] = []
    damaged: list[str] = []
    for folder in all_job_folders(out):
        verdict = verify_job(folder)
        if verdict.state == "damaged":
            damaged.append(f"{folder.path}: {'; '.join(verdict.problems)}")
        elif verdict.state == "not finished":
            unfinished.append(folder.key)
        else:
            try:
                jobs[folder.key] = Ended(folder, folder.read_result(), len(verdict.missing))
            except UnreadableError as error:
                damaged.append(f"{folder.path}: {error}")
    runs = {}
    for table in run_tables(out):
        try:
            if run := read_run(out, table):
                runs[table] = run
        except UserError as error:
            damaged.append(str(error))
    if not (jobs or runs or unfinished or damaged):
        raise UserError(f"{out} holds no results: expected {jobs_folder(out)}, as `run`, `train` and `study` leave it.")
    return Source(out, jobs, runs, tuple(unfinished), tuple(damaged))
