"""Reports are written again for the tables whose results changed, after a run of others."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from rich.console import Console
from synthesis import edit_result, fail, synthesise_scores

from benchmarks.cli.layout_choice import LayoutChoice, LayoutName, PublishedPlace
from benchmarks.cli.report_writer import current_tables, report_experiments, report_folder
from benchmarks.errors import UserError
from reports.layout import FULL, Layout


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


def test_reports_of_another_layout_are_not_up_to_date(tmp_path: Path) -> None:
    out = synthesise_scores(tmp_path, tables=["table7"], seeds=1, images=3)
    paper = Layout(paper=True, published="none")
    report_folder(Console(quiet=True), out, layout=paper)
    assert "published" not in (out / "reports" / "table7.tex").read_text()
    assert (current_tables(out, paper), current_tables(out)) == ({"table7"}, set())
    assert current_tables(out, Layout(paper=True, published="block")) == set()
    report_folder(Console(quiet=True), out, current_tables(out))
    assert "published" in (out / "reports" / "table7.tex").read_text()
    assert (current_tables(out, paper), current_tables(out)) == (set(), {"table7"})


def test_the_options_of_the_layout() -> None:
    assert LayoutChoice().read() == FULL
    assert LayoutChoice(LayoutName.paper).read() == Layout(paper=True, published="none")
    assert LayoutChoice(LayoutName.paper, PublishedPlace.block).read() == Layout(paper=True, published="block")
    with pytest.raises(UserError, match="--published block is for --layout paper"):
        LayoutChoice(published=PublishedPlace.block).read()
