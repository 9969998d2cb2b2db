from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from synthesis import edit_result, fail, write_run

from benchmarks.errors import UserError
from benchmarks.plan.tables import RowSpec
from reports.collect import Gap, RowResults, collect


def test_a_finished_run_has_no_gaps(three_seeds: Path) -> None:
    results = collect(three_seeds, "table4")
    assert [row.number for row in results.rows] == list(range(1, 9))
    assert [[result.seed for result in row.results] for row in results.rows] == [[0, 1, 2]] * 8
    assert results.gaps == []


def test_results_are_in_the_order_of_seeds(three_seeds: Path) -> None:
    run = json.loads((three_seeds / "runs" / "table4.json").read_text())
    run["rows"] = [{"row": row["row"], "keys": row["keys"][::-1]} for row in run["rows"]]
    write_run(three_seeds, "table4", run["rows"])
    assert [result.seed for result in collect(three_seeds, "table4").rows[0].results] == [0, 1, 2]


def test_only_result_files_are_read(one_seed: Path) -> None:
    before = collect(one_seed, "table4")
    for folder in (one_seed / "jobs").iterdir():
        shutil.rmtree(folder / "predictions")
    assert collect(one_seed, "table4").rows == before.rows


def test_each_way_of_having_no_result_has_its_reason(one_seed: Path) -> None:
    jobs = one_seed / "jobs"
    keys = [f"table4-row{number}-seed0" for number in range(1, 9)]
    fail(one_seed, keys[0], "out of memory")
    shutil.rmtree(jobs / keys[1])
    (jobs / keys[2] / "result.json").unlink()
    (jobs / keys[3] / "result.json").write_text('{"schema": 1, "key"')
    edit_result(one_seed, keys[4], "schema", 2)
    edit_result(one_seed, keys[5], "key", "another")
    edit_result(one_seed, keys[6], "cost.parameters", "many")
    run = json.loads((one_seed / "runs" / "table4.json").read_text())
    write_run(one_seed, "table4", run["rows"][:7])
    gaps = collect(one_seed, "table4").gaps
    reasons = {row.number: gap.reason for row, gap in gaps}
    assert reasons[1] == "failed: RuntimeError: out of memory"
    assert reasons[2] == "not run"
    assert reasons[3] == "not finished"
    assert reasons[4].startswith("result.json cannot be read: Invalid JSON")
    assert reasons[5] == "result.json has schema 2; this version reads 1"
    assert reasons[6] == "result.json belongs to job another"
    assert reasons[7].startswith("result.json cannot be read: cost.parameters")
    assert reasons[8] == "not part of this run"
    assert [gap.key for _, gap in gaps] == [*keys[:7], None]


def test_a_result_counts_although_an_earlier_start_failed(one_seed: Path) -> None:
    (one_seed / "jobs" / "table4-row1-seed0" / "error.json").write_text("{}")
    assert collect(one_seed, "table4").gaps == []


def test_an_error_that_cannot_be_read_is_still_a_failure(one_seed: Path) -> None:
    fail(one_seed, "table4-row1-seed0", "x")
    (one_seed / "jobs" / "table4-row1-seed0" / "error.json").write_text("[]")
    assert collect(one_seed, "table4").gaps[0][1].reason.startswith("error.json cannot be read: ")


def test_without_a_run_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"runs/table4\.json, which `pctrans-bench run table4` writes"):
        collect(tmp_path, "table4")


def test_a_key_cannot_lead_out_of_the_folder(one_seed: Path) -> None:
    for key in ("../../elsewhere", "/etc", ".."):
        write_run(one_seed, "table4", [{"row": 1, "keys": [key]}])
        with pytest.raises(UserError, match=r"table4\.json does not describe a run: jobs\.0"):
            collect(one_seed, "table4")


def test_a_row_that_the_table_has_not(one_seed: Path) -> None:
    write_run(one_seed, "table4", [{"row": 9, "keys": ["a"]}])
    with pytest.raises(UserError, match="row 9, but table4 has rows 1 to 8"):
        collect(one_seed, "table4")


def test_a_job_with_other_switches_is_refused(one_seed: Path) -> None:
    """The table would show a check mark for what was not trained."""
    edit_result(one_seed, "table4-row8-seed0", "job.model.loss_weights.semantic", 0.0)
    with pytest.raises(UserError, match=r"table4-row8-seed0 was run with loss_weights\.semantic = 0\.0"):
        collect(one_seed, "table4")


def test_another_weight_keeps_the_check_mark(one_seed: Path) -> None:
    edit_result(one_seed, "table4-row8-seed0", "job.model.loss_weights.semantic", 0.1)
    assert collect(one_seed, "table4").gaps == []


def test_a_reason_is_told_once_with_all_its_jobs() -> None:
    gaps = (Gap("a", "not run"), Gap("b", "failed: Error"), Gap("c", "not run"))
    row = RowResults(1, RowSpec(label="one"), "trained", "pctrans", {}, (), gaps)
    assert row.missing == ["not run (jobs a, c).", "failed: Error (job b)."]
    assert replace(row, gaps=(Gap(None, "not part of this run"),)).missing == ["not part of this run."]


def test_a_row_that_lacks_seeds_says_how_many_it_has(three_seeds: Path) -> None:
    row = collect(three_seeds, "table4").rows[0]
    assert replace(row, results=row.results[:1], gaps=(Gap("a", "not run"), Gap("b", "not run"))).missing == [
        "1 of 3 seeds: not run (jobs a, b)."
    ]
