"""Reports are written again for the tables whose results changed, after a run of others."""

from __future__ import annotations

import os
import time
from pathlib import Path

from rich.console import Console
from synthesis import edit_result, fail, synthesise_scores

from benchmarks.cli.report_writer import report_experiments


def test_a_table_is_reported_again_when_what_it_shows_is_other(tmp_path: Path) -> None:
    tables = ["table7", "table8"]
    out = synthesise_scores(tmp_path, tables=tables, seeds=1, images=3)
    reports = [out / "reports" / f"{table}.md" for table in tables]

    def again() -> list[bool]:
        """List the reports that were written anew."""
        before = [path.stat().st_mtime_ns if path.exists() else 0 for path in reports]
        time.sleep(0.01)  # a file system may tell times less finely than it writes
        report_experiments(Console(quiet=True), [], out, "cpu")
        return [path.stat().st_mtime_ns > then for path, then in zip(reports, before, strict=True)]

    assert again() == [True, True]
    assert again() == [False, False]
    edit_result(out, "table7-row2-seed0", "metrics", {"pq": 0.987})
    assert again() == [True, False] and "0.987" in reports[0].read_text()
    fail(out, "table8-row1-seed0", "no memory")
    assert again() == [False, True]
    os.utime(out / "runs" / "table8.json")
    assert again() == [False, False], "a copy has other times and the same content"
    result = out / "jobs" / "table7-row2-seed0" / "result.json"
    edit_result(out, "table7-row2-seed0", "metrics", {"pq": 0.876})
    os.utime(result, (0, 0))
    assert again() == [True, False] and "0.876" in reports[0].read_text(), "and one from a backup may be older"
    reports[1].write_text("cut sh")
    assert again() == [False, True]
