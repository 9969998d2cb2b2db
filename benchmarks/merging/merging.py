"""Merge results folders: read all, refuse what contradicts, then write job by job, each in one step."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from benchmarks.errors import UserError
from benchmarks.files import exclusive, make_folder, naming_failures, sync_file, sync_folder, write_atomic
from benchmarks.links import refuse_linked_folders, refuse_outside
from benchmarks.merging.contradictions import contradiction, joined_runs
from benchmarks.merging.sources import Ended, Source, read_source
from benchmarks.run.verification import verify_job
from benchmarks.store.documents import write_document
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.run_file import RunFile, run_path

_SHOWN = 10


@dataclass(frozen=True)
class Merged:
    """What came of a merge.

    Attributes:
        written: keys of jobs that were copied.
        kept: how many were there before.
        tables: whose plans are there now.
        unfinished: keys of jobs that have not ended anywhere, and stay where they are.
    """

    written: tuple[str, ...]
    kept: int
    tables: tuple[str, ...]
    unfinished: tuple[str, ...]


def merge_folders(folders: Sequence[Path], out: Path, progress: Callable[[str], object] = lambda key: None) -> Merged:
    """Bring the jobs and plans of several results folders together in `out`, which may hold some of them already.

    The folders are not changed. Jobs that have not ended stay where they are. What is made of results (reports,
    figures, MLflow's runs) is not merged, and neither are the journals of studies; the jobs of their trials are.

    Args:
        progress: is told the key of each job that was copied.

    Raises:
        UserError: results that contradict each other or are damaged, links, or an `out` that is one of the folders;
            nothing was written then.
        WriteError: the system refuses; the same call goes on.
    """
    _refuse_overlap(folders, out)
    refuse_linked_folders(out)
    sources = [read_source(folder) for folder in folders]
    with exclusive(out / "merging.lock"):
        here = _read_if_there(out)
        everything = [*([here] if here else []), *sources]
        if damaged := [line for source in everything for line in source.damaged]:
            raise UserError(
                _listed("These cannot be merged, for they are damaged:", damaged)
                + "`pctrans-bench verify` says more. Delete the damaged file and run the job again, or take it out."
            )
        jobs, runs = _chosen_jobs(everything), _joined(everything)
        written = _write_jobs(jobs, here, out, progress)
        for table, run in runs.items():
            if here is None or here.runs.get(table) != run:
                write_document(run_path(out, table), run)
    unfinished = dict.fromkeys(key for source in sources for key in source.unfinished if key not in jobs)
    return Merged(tuple(written), len(jobs) - len(written), tuple(runs), tuple(unfinished))


def _read_if_there(out: Path) -> Source | None:
    return read_source(out) if any((out / name).is_dir() for name in ("jobs", "runs")) else None


def _refuse_overlap(folders: Sequence[Path], out: Path) -> None:
    places = [folder.resolve() for folder in folders]
    for folder, place in zip(folders, places, strict=True):
        if not place.is_dir():
            raise UserError(f"{folder} is no folder; expected the --out folder of other commands.")
        if places.count(place) > 1:
            raise UserError(f"{folder} is named twice: name each folder once.")
        if out.resolve().is_relative_to(place) or place.is_relative_to(out.resolve()):
            raise UserError(f"--out {out} is, holds or lies in {folder}, which a merge leaves as it is: give another.")


@dataclass(frozen=True)
class Chosen:
    """The best that any folder has of a job, and files that only others have of it, such as metrics added later."""

    ended: Ended
    later: tuple[Path, ...] = ()

    @classmethod
    def of(cls, holders: Sequence[Ended]) -> Chosen:
        """Choose the best, of equals the first."""
        best = max(holders, key=lambda ended: ended.rank)
        later = {
            path.name: path
            for ended in reversed(holders)
            if ended.result is not None
            for path in ended.folder.later_files
            if path.is_file() and not (best.folder.path / path.name).exists()
        }
        return cls(best, tuple(later[name] for name in sorted(later)))


def _chosen_jobs(sources: Sequence[Source]) -> dict[str, Chosen]:
    """Choose of each job the best that any folder has.

    Raises:
        UserError: two folders have different numbers for one job.
    """
    holders: dict[str, list[Ended]] = {}
    for source in sources:
        for key, job in source.jobs.items():
            holders.setdefault(key, []).append(job)
    pairs = (pair for found in holders.values() for pair in combinations(found, 2))
    if problems := [problem for pair in pairs if (problem := contradiction(*pair))]:
        raise UserError(
            _listed("These folders contradict each other:", problems)
            + "Numbers of the same job differ where it was computed by other hardware, or one was changed. Decide "
            "which to keep, and leave the other job's folder out of a copy."
        )
    return {key: Chosen.of(found) for key, found in holders.items()}


def _joined(sources: Sequence[Source]) -> dict[str, RunFile]:
    runs: dict[str, RunFile] = {}
    problems = []
    for source in sources:
        for table, run in source.runs.items():
            joined = joined_runs(runs.get(table, run), run)
            if isinstance(joined, str):
                problems.append(f"{table}: {joined}")
            else:
                runs[table] = joined
    if problems:
        raise UserError(
            _listed("These plans contradict each other:", problems)
            + "A results folder holds a table once. `pctrans-bench compare` compares tables of several folders."
        )
    return runs


def _write_jobs(
    jobs: dict[str, Chosen], here: Source | None, out: Path, progress: Callable[[str], object]
) -> list[str]:
    staging, written = out / ".merging", []
    refuse_outside(staging, out)
    shutil.rmtree(staging, ignore_errors=True)
    for key, job in jobs.items():
        target = JobFolder.named(key, out)
        if here is not None and here.jobs.get(key) is job.ended:
            changed = _add_later_files(job, target)
        elif changed := job.ended.result is not None or not target.path.is_dir():
            # A failure takes no place from a job that is on its way: its checkpoint is worth more.
            _write_job(job, target, staging)
        if changed:
            written.append(key)
            progress(key)
    shutil.rmtree(staging, ignore_errors=True)
    return written


def _add_later_files(job: Chosen, target: JobFolder) -> bool:
    """Give a job that is there what other folders have of it; returns whether there was anything.

    Raises:
        UserError: a process is working at it.
    """
    if not job.later:
        return False
    with target.lock() as mine:
        if not mine:
            raise _busy(target)
        for path in job.later:
            write_atomic(target.path / path.name, path.read_bytes())
    return True


def _write_job(job: Chosen, target: JobFolder, staging: Path) -> None:
    """Copy a job beside its place, look whether it arrived, and move it there in one step."""
    staged, folder = JobFolder(staging / "new" / target.key), job.ended.folder
    copies = {path: staged.path / path.relative_to(folder.path) for path in folder.lasting_files()}
    for path, copy in (copies | {path: staged.path / path.name for path in job.later}).items():
        with naming_failures(copy):
            make_folder(copy.parent)
            shutil.copy2(path, copy, follow_symlinks=False)
            sync_file(copy)
    verdict = verify_job(staged)
    if verdict.state == "damaged" or (staged.read_result() is None) != (job.ended.result is None):
        raise UserError(f"{folder.path} changed while it was copied: {'; '.join(verdict.problems)}. Merge again.")
    with naming_failures(target.path):
        make_folder(target.path.parent)
        if target.path.is_dir():
            _move_away(target, staging)
        staged.path.rename(target.path)
        sync_folder(target.path.parent)


def _move_away(target: JobFolder, staging: Path) -> None:
    """Make room where a job failed, was not finished or lacks files.

    Raises:
        UserError: a process is working at it.
    """
    with target.lock() as mine:
        if not mine:
            raise _busy(target)
        make_folder(staging / "old")
        target.path.rename(staging / "old" / target.key)


def _busy(target: JobFolder) -> UserError:
    return UserError(f"{target.path} is being worked at by another command: wait for it, and merge again.")


def _listed(heading: str, lines: Sequence[str]) -> str:
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return "\n".join([heading, *(f"  {line}" for line in [*lines[:_SHOWN], *more]), ""])
