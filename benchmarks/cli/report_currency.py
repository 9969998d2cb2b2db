"""Whether reports are of what a results folder holds now: told by content, as copies and backups change times."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.errors import UserError
from benchmarks.files import file_digest, write_json

if TYPE_CHECKING:
    from benchmarks.store.job_folder import JobFolder

PAGE = "index.html"


def table_sources(out: Path, table: str, layout: str = "full") -> str:
    """The SHA-256 of what the reports of a table are made of: its plan, how its jobs ended, and the layout's name.

    Raises:
        UserError: the plan cannot be read.
    """
    from benchmarks.store.job_folder import JobFolder
    from benchmarks.store.run_file import read_run, run_path

    run = read_run(out, table)
    folders = [JobFolder.named(key, out) for key in (run.jobs if run else ())]
    return _digest_of(out, [run_path(out, table), *_endings(folders)], layout)


def page_sources(out: Path) -> str:
    """The SHA-256 of what the page of a folder is made of: plans, jobs, figures, and the pages that it leads to."""
    from benchmarks.store.job_folder import all_job_folders

    linked = [*out.glob("studies/*/report.html"), *out.glob("reports/*_protocol.md")]
    folders = all_job_folders(out)
    read = [*out.glob("runs/*.json"), *out.glob("figures/*/data.json"), *_endings(folders)]
    read += [path for folder in folders for path in (folder.errors, folder.robustness, folder.calibration)]
    names = "\n".join(sorted(path.relative_to(out).as_posix() for path in linked))
    return _digest_of(out, read, names)


def is_current(out: Path, report: str, sources: str) -> bool:
    """Whether a file of OUT/reports is as it was written, from these sources."""
    path = out / "reports" / report
    return path.is_file() and _read(out).get(report) == [sources, file_digest(path)]


def note_report(out: Path, report: str, sources: str) -> None:
    """Say what a file of OUT/reports was made of; `sources` is from before they were read."""
    entry = [sources, file_digest(out / "reports" / report)]
    write_json(_path(out), _read(out) | {report: entry})


def is_current_table(out: Path, table: str, layout: str = "full") -> bool:
    """Whether a table's own reports show its last plan, and all results and failures of its jobs, in this layout."""
    try:
        return is_current(out, f"{table}.md", table_sources(out, table, layout))
    except UserError:
        return False  # reporting it says what is wrong


def _endings(folders: Iterable[JobFolder]) -> Iterator[Path]:
    """Return the files that say how jobs ended."""
    for folder in folders:
        yield from (folder.result, folder.failure, folder.added_metrics)


def _digest_of(out: Path, files: Iterable[Path], *others: str) -> str:
    """Digest the content of files, where they lie in `out`, other texts, and the version that reads them."""
    from benchmarks.machine.environment import package_version

    digest = hashlib.sha256("\n".join([package_version() or "", *others]).encode())
    for path in sorted(files):
        content = file_digest(path) if path.is_file() else "none"
        digest.update(f"\n{path.relative_to(out).as_posix()} {content}".encode())
    return digest.hexdigest()


def _path(out: Path) -> Path:
    return out / "reports" / ".sources.json"


def _read(out: Path) -> dict[str, list[str]]:
    try:
        content = json.loads(_path(out).read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
