"""Claims: the rule written out again, folders in which all are true and all are false, and missing results."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import shlex
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from synthesis import edit_result, fail, synthesise_scores
from typer.testing import CliRunner

import reports.collect
from benchmarks.cli import app
from benchmarks.cli.options import read_overrides
from benchmarks.errors import UserError
from benchmarks.plan.tables import list_tables
from reports.claims import ClaimsReport, ClaimVerdict, PartVerdict, evaluate_claims, load_claims, to_json, write_claims
from reports.claims.specification import CLAIMS, Better, Close, NoGain
from reports.claims.verdicts import Verdict
from reports.collect import collect
from reports.comparisons import Comparison
from reports.detectable import Scatter
from reports.published import PUBLISHED

IDS = [
    "sota-bbbc", "sota-cvppp", "transformed-position", "dynamic-filters", "relative-coordinates", "semantic-loss",
    "discriminative-loss", "qec", "mcc", "both-contrasts", "best-temperatures", "six-layers", "mask-channels",
    "enough-queries",
]  # fmt: skip

TRUE = {
    "table1": {"PCTrans": 0.1},
    "table2": {"PCTrans": 0.1},
    "table3": {"type 3": 0.1},
    "table4": {
        "dynamic filters": 0.02, "+ coordinates": 0.12, "+ semantic loss": 0.14, "+ discriminative loss": 0.16,
        "+ QEC loss": 0.18, "+ MCC loss": 0.18, "full model": 0.2,
    },
    "table5": {"τ_q 2.0, τ_m 0.5": 0.1},
    "table6": {"L = 6": 0.1, "L = 7": 0.1},
    "table7": {"C_mask = 8": 0.05, "C_mask = 16": 0.1},
    "table8": {"N = 300": 0.1, "N = 600": 0.097},
}  # fmt: skip
"""Gains that make every claim true; a row that is not named gains nothing."""

FALSE = {
    **{table: {row: -gain for row, gain in gains.items()} for table, gains in TRUE.items()},
    "table3": {"type 2": 0.1},
    "table6": {"L = 7": 0.1},
}


@pytest.fixture(scope="module")
def true(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesise_scores(tmp_path_factory.mktemp("true"), TRUE, scatter=0.002, images=30)


@pytest.fixture
def folder(true: Path, tmp_path: Path) -> Path:
    """A folder in which all claims are true; a copy to be changed at will."""
    return Path(shutil.copytree(true, tmp_path / "copy"))


def verdicts(report: ClaimsReport) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in report.verdicts}


def claim(report: ClaimsReport, id: str) -> ClaimVerdict:
    return next(claim for claim in report.verdicts if claim.id == id)


def comparison(low: float, high: float, *, p_holm: float = 0.001, ranks: float | None = None) -> Comparison:
    effect = (low + high) / 2
    ranks = math.copysign(0.9, effect) if ranks is None else ranks
    return Comparison("a", "b", "pq", effect, low, high, p_holm / 2, ranks, 15, 3, Scatter(0.02, 0.004, 0.01), p_holm)


BETTER = Better(kind="better", row="a", than=("b",), metrics=("pq",))
CLOSE = Close(kind="close", row="a", to=("b",), metrics=("pq",), margin=0.01, reason="")
NO_GAIN = NoGain(kind="no-gain", row="a", over="b", metrics=("pq",), margin=0.01, reason="")


def test_claims_are_those_of_the_list() -> None:
    assert [claim.id for claim in load_claims().claims] == IDS
    tables = [claim.table.removeprefix("table") for claim in load_claims().claims]
    assert "".join(tables) == "12344444445678"


@pytest.mark.parametrize(
    ("part", "one", "verdict"),
    [
        (BETTER, comparison(0.01, 0.02), "supported"),
        (BETTER, comparison(-0.02, -0.01), "contradicted"),
        (BETTER, comparison(-0.01, 0.02), "undecided"),
        (BETTER, comparison(0.01, 0.02, p_holm=0.06), "undecided"),
        (BETTER, comparison(0.01, 0.02, ranks=-0.1), "undecided"),
        (BETTER, comparison(math.nan, math.nan), "undecided"),
        (CLOSE, comparison(-0.009, 0.009, p_holm=1), "supported"),
        (CLOSE, comparison(0.001, 0.009), "supported"),  # it differs, but by less than the margin
        (CLOSE, comparison(0.001, 0.011), "undecided"),
        (CLOSE, comparison(-0.05, 0.05, p_holm=1), "undecided"),  # no difference found is no proof that there is none
        (CLOSE, comparison(0.011, 0.02), "contradicted"),
        (CLOSE, comparison(-0.02, -0.011), "contradicted"),
        (CLOSE, comparison(0.011, 0.02, p_holm=0.06), "undecided"),
        (CLOSE, comparison(math.nan, math.nan), "undecided"),
        (NO_GAIN, comparison(-0.5, -0.4), "supported"),
        (NO_GAIN, comparison(-0.01, 0.009, p_holm=1), "supported"),
        (NO_GAIN, comparison(0.001, 0.011), "undecided"),
        (NO_GAIN, comparison(0.011, 0.02), "contradicted"),
    ],
)
def test_the_rule_case_by_case(part: Any, one: Comparison, verdict: Verdict) -> None:
    assert PartVerdict(part, (one,), complete=True).verdict == verdict
    assert PartVerdict(part, (one,), complete=False).verdict == "missing"


@pytest.mark.parametrize(
    ("intervals", "verdict"),
    [
        ([(0.01, 0.02), (0.01, 0.02)], "supported"),
        ([(0.01, 0.02), (-0.01, 0.02)], "undecided"),
        ([(0.01, 0.02), (-0.02, -0.01)], "contradicted"),
        ([(-0.01, 0.02), (-0.02, -0.01)], "contradicted"),
        ([], "missing"),
    ],
)
def test_all_have_to_hold_and_one_is_enough_against(intervals: list[tuple[float, float]], verdict: Verdict) -> None:
    part = PartVerdict(BETTER, tuple(comparison(*ends) for ends in intervals), complete=True)
    assert part.verdict == verdict


def test_what_is_true_is_supported(true: Path) -> None:
    assert verdicts(evaluate_claims(true)) == dict.fromkeys(IDS, "supported")


def test_what_is_false_is_contradicted(tmp_path: Path) -> None:
    synthesise_scores(tmp_path, FALSE, scatter=0.005, images=30)
    assert verdicts(evaluate_claims(tmp_path)) == dict.fromkeys(IDS, "contradicted")


def test_what_makes_no_difference_is_undecided(tmp_path: Path) -> None:
    synthesise_scores(tmp_path)
    assert verdicts(evaluate_claims(tmp_path)) == dict.fromkeys(IDS, "undecided")


def test_comparisons_of_a_claim_are_one_family(true: Path) -> None:
    """transformed-position has 12 over both of its parts; relative-coordinates has 3 + 7 × 3."""
    report = evaluate_claims(true)
    for id, size in (("transformed-position", 12), ("relative-coordinates", 24), ("best-temperatures", 8)):
        comparisons = claim(report, id).comparisons
        assert len(comparisons) == size
        smallest = min(comparisons, key=lambda one: one.p)
        assert smallest.p_holm == pytest.approx(size * smallest.p)
    gain = claim(report, "relative-coordinates").parts[1].comparisons[0]
    assert gain.better == "+ coordinates over dynamic filters"
    assert gain.worse == "dynamic filters over no components"
    assert gain.effect == pytest.approx(0.1 - 0.02, abs=0.01)


def test_missing_jobs_are_named_with_the_command_that_runs_them(folder: Path) -> None:
    fail(folder, "table4-row2-seed1", "out of memory")
    shutil.rmtree(folder / "jobs" / "table4-row6-seed0")
    report = evaluate_claims(folder)
    assert {id for id, verdict in verdicts(report).items() if verdict == "missing"} == {
        "dynamic-filters", "relative-coordinates", "qec", "both-contrasts"
    }  # fmt: skip
    found = claim(report, "relative-coordinates")
    assert found.missing == (
        "row 2 (dynamic filters), seed 1, job table4-row2-seed1: failed: RuntimeError: out of memory",
        "row 6 (+ QEC loss), seed 0, job table4-row6-seed0: not run",
    )
    assert found.command is not None
    assert shlex.split(found.command) == [
        *("pctrans-bench", "run", "table4", "--data", "folder:/nowhere", "--scale", "smoke", "--seeds", "3"),
        *("--rows", "2,6", "--protocol", "nuclei", "--out", str(folder)),
    ]
    assert {one.seeds for one in found.comparisons} == {1, 2}  # what is there is shown, without a verdict
    assert {verdict for part in found.parts for _, verdict in part.judged()} == {"missing"}


def test_the_command_repeats_settings_and_label_maps_of_others(folder: Path) -> None:
    path = folder / "runs" / "table1.json"
    run = json.loads(path.read_text())
    overrides = {"training": {"iterations": 5}, "model": {"name": "it's a"}}
    external = {"row": 22, "label": "My tool", "method": "external", "keys": ["external"]}
    path.write_text(json.dumps(run | {"overrides": overrides, "rows": [*run["rows"], external]}))
    shutil.copytree(folder / "jobs" / "table1-row12-seed0", folder / "jobs" / "external")
    for name, value in {"key": "external", "job.method": "external", "job.model": {"folder": "/a b"}}.items():
        edit_result(folder, "external", name, value)
    fail(folder, "table1-row17-seed0", "x")
    command = claim(evaluate_claims(folder), "sota-bbbc").command
    assert command is not None
    words = shlex.split(command)
    assert words[words.index("--external") + 1] == "My tool=/a b"
    assignments = [value for name, value in itertools.pairwise(words) if name == "--set"]
    assert read_overrides(None, assignments) == overrides


def test_a_table_that_was_not_run_is_missing(tmp_path: Path) -> None:
    report = evaluate_claims(tmp_path)
    assert verdicts(report) == dict.fromkeys(IDS, "missing")
    found = claim(report, "sota-bbbc")
    assert found.missing == ("table1 was not run here; needed are its rows OSFormer, Mask2Former, PCTrans",)
    assert found.command == f"pctrans-bench run table1 --rows 15,16,17 --out {tmp_path}"
    assert (found.scale, found.data, found.comparisons) == (None, None, ())


def test_a_table_that_was_not_run_is_to_be_as_the_others_were_if_those_agree(folder: Path) -> None:
    for path in (folder / "runs").iterdir():
        if path.stem not in ("table4", "table8"):
            path.unlink()
    found = claim(evaluate_claims(folder), "sota-bbbc")
    data = "--data folder:/nowhere --scale smoke --seeds 3"
    assert found.command == f"pctrans-bench run table1 {data} --rows 15,16,17 --out {folder}"
    path = folder / "runs" / "table8.json"
    path.write_text(path.read_text().replace('"smoke"', '"quick"'))
    found = claim(evaluate_claims(folder), "sota-bbbc")
    assert found.command == f"pctrans-bench run table1 --rows 15,16,17 --out {folder}"


def test_a_table_of_another_data_set_does_not_take_the_data_of_the_others(folder: Path) -> None:
    for path in (folder / "runs").iterdir():
        if path.stem not in ("table4", "table8"):
            path.unlink()
    start = "pctrans-bench run table2 --data"
    end = f"--rows 11,12,13 --out {folder}"
    found = claim(evaluate_claims(folder), "sota-cvppp")
    assert found.command == f"{start} cvppp-a1:PATH --scale smoke --seeds 3 {end}"
    path = folder / "runs" / "table8.json"
    path.write_text(path.read_text().replace('"smoke"', '"quick"'))
    assert claim(evaluate_claims(folder), "sota-cvppp").command == f"{start} cvppp-a1:PATH {end}"
    path.write_text(path.read_text().replace("folder:/nowhere", "cvppp-a1:/leaves"))  # what table 2 is about
    found = claim(evaluate_claims(folder), "sota-cvppp")
    assert found.command == f"{start} cvppp-a1:/leaves --scale quick --seeds 3 {end}"


def test_tables_may_be_on_different_data(tmp_path: Path) -> None:
    synthesise_scores(tmp_path, tables=["table1"], data="folder:/nuclei")
    synthesise_scores(tmp_path, tables=["table2"], data="folder:/leaves", scale="quick")
    report = evaluate_claims(tmp_path)
    found = [claim(report, id) for id in ("sota-bbbc", "sota-cvppp")]
    assert [(one.data, one.scale) for one in found] == [("folder:/nuclei", "smoke"), ("folder:/leaves", "quick")]
    assert "the data are not BBBC039V1" in found[0].conditions[-1]


def test_rows_on_different_data_have_no_verdict(folder: Path) -> None:
    for seed in range(3):
        edit_result(folder, f"table8-row1-seed{seed}", "job.data.fingerprint", "0" * 64)
    found = claim(evaluate_claims(folder), "enough-queries")
    assert found.verdict == "missing"
    assert found.missing == ("'N = 300' and 'N = 200' cannot be paired: they were tested on different data.",)
    assert found.command is None


def test_says_what_one_seed_few_images_and_unequal_rows_limit(tmp_path: Path) -> None:
    synthesise_scores(tmp_path, TRUE, tables=["table4"], seeds=1, images=6)
    edit_result(tmp_path, "table4-row8-seed0", "job.training.iterations", 5)
    report = evaluate_claims(tmp_path)
    found = claim(report, "qec")
    assert found.verdict == "undecided"
    assert found.notes[:2] == (
        "One seed: the verdict is about these trained networks; other trainings may differ.",
        "6 images cannot give p < 0.05 over 4 comparisons, whatever the differences.",
    )
    assert len(claim(report, "both-contrasts").notes) == 3  # 2 / 2^6 × 2 is above 0.05 too
    assert "Rows are NOT equal in: training.iterations" in found.conditions[0]


def test_rows_that_found_nothing_are_no_evidence(tmp_path: Path) -> None:
    """Every PQ is 0, as after a few iterations: 600 queries are within the margin of 300, the claim is undecided."""
    synthesise_scores(tmp_path, {"table8": dict.fromkeys(("N = 200", "N = 300", "N = 600"), -1.0)}, tables=["table8"])
    found = claim(evaluate_claims(tmp_path), "enough-queries")
    assert [part.verdict for part in found.parts] == ["undecided", "supported"]
    assert found.verdict == "undecided"
    assert found.notes == ("No image tells these rows apart: they may have learned nothing.",)


def test_tables_that_were_read_are_not_read_again(true: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = evaluate_claims(true)
    collected = {name: collect(true, name) for name in list_tables()}
    monkeypatch.setattr("reports.claims.evaluation.collect", lambda *_: pytest.fail("a table was read again"))
    assert evaluate_claims(true, collected=collected) == report


def test_a_job_of_two_tables_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthesise_scores(tmp_path, tables=["table7", "table8"], seeds=1)
    path = tmp_path / "runs" / "table8.json"
    path.write_text(path.read_text().replace("table8-row2-seed0", "table7-row3-seed0"))
    read: list[str] = []
    read_job = reports.collect._read_job
    monkeypatch.setattr("reports.collect._read_job", lambda folder: read.append(folder.key) or read_job(folder))
    assert claim(evaluate_claims(tmp_path), "enough-queries").comparisons
    assert len(read) == len(set(read)) == 5


def test_json_holds_everything_and_no_number_that_is_none(tmp_path: Path) -> None:
    synthesise_scores(tmp_path, tables=["table8"], images=1)
    _, path = write_claims(evaluate_claims(tmp_path))
    document = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert document["schema"] == 1
    assert document["counts"] == {"supported": 0, "contradicted": 0, "undecided": 1, "missing": 13}
    queries = document["claims"][-1]
    assert (queries["id"], queries["scale"], queries["data"]) == ("enough-queries", "smoke", "folder:/nowhere")
    assert [part["kind"] for part in queries["parts"]] == ["best-of", "close"]
    first = queries["parts"][0]["comparisons"][0]
    assert (first["better"], first["worse"], first["low"], first["p"]) == ("N = 300", "N = 200", None, 1)
    assert queries["parts"][1]["margin"] == 0.005
    assert len(document["oddities"]) == 6
    assert "one image" not in document["rule"]


def test_markdown_has_every_claim_comparison_and_oddity(folder: Path) -> None:
    fail(folder, "table7-row1-seed0", "a | b <c>")
    report = evaluate_claims(folder)
    path, _ = write_claims(report)
    text = path.read_text()
    assert "13 supported, 1 missing." in text
    assert text.count("### ") == 14
    assert text.count(" vs ") == sum(len(claim.comparisons) for claim in report.verdicts)
    assert r"- missing: row 1 (C\_mask = 4), seed 0, job table7-row1-seed0: failed: RuntimeError: a \| b \<c\>" in text
    assert f"```sh\n{claim(report, 'mask-channels').command}\n```" in text
    assert "N = 600 is within ±0.005 of N = 300 (half a point" in text
    assert text.count("30 images × 3 seeds") == 13
    assert text.count("30 images × 2–3 seeds") == 1
    assert "No table states the number of seeds" in text


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["claims", *map(str, arguments)])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def test_command_prints_verdicts_and_writes_the_report(folder: Path) -> None:
    text = invoke("--out", folder)
    for word in (
        *IDS,
        "14 supported",
        "claims.md",
        "claims.json",
        "PCTrans is better than Mask2Former, OSFormer",
        "scale smoke",
        "30×3",
    ):
        assert word in text
    document = json.loads((folder / "reports" / "claims.json").read_text())
    assert document == json.loads(json.dumps(to_json(evaluate_claims(folder))))


def test_exit_status_is_not_about_truth(folder: Path, tmp_path: Path) -> None:
    false = synthesise_scores(tmp_path / "false", FALSE, scatter=0.005, images=30)
    assert "14 contradicted" in invoke("--out", false)
    fail(folder, "table8-row1-seed2", "[bold]x[/nonsense]")
    assert "[bold]x[/nonsense]" in invoke("--out", folder)
    assert json.loads((folder / "reports" / "claims.json").read_text())["counts"]["missing"] == 1


def test_a_folder_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a results folder"):
        evaluate_claims(tmp_path / "typo")
    assert not (tmp_path / "typo").exists()
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "table4.json").write_text("{")
    with pytest.raises(UserError, match=r"table4\.json does not describe a run"):
        evaluate_claims(tmp_path)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("table",), "table9", "claim sota-bbbc is about table9; tables are: table1"),
        (("parts", 0, "row"), "BISSG", "names row 'BISSG'; rows of table1 that are run: Otsu"),
        (("parts", 0, "than"), [], "than"),
        (("parts", 0, "metrics"), ["ajii"], "names ajii, which is not a metric"),
        (("parts", 0, "metrics"), ["dic"], "names dic, which is not a metric with a better direction"),
        (("parts", 0, "kind"), "worse", "kind"),
        (("parts", 0, "margin"), 0.1, "margin"),
        (("id",), "sota-cvppp", "has two entries called sota-cvppp"),
        (("id",), "../x", "id"),
    ],
)
def test_a_claim_about_nothing_is_an_error(tmp_path: Path, path: tuple[Any, ...], value: Any, message: str) -> None:
    content = yaml.safe_load(CLAIMS.read_text())
    *parents, last = path
    branch = content["claims"][0]
    for parent in parents:
        branch = branch[parent]
    branch[last] = value
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=message):
        load_claims(tmp_path / "claims.yaml")


def test_margins_are_positive() -> None:
    for part in (CLOSE, NO_GAIN):
        with pytest.raises(ValueError, match="margin"):
            type(part).model_validate(part.model_dump() | {"margin": 0})


def test_a_verdict_cannot_be_changed() -> None:
    part = PartVerdict(BETTER, (), complete=True)
    with pytest.raises(dataclasses.FrozenInstanceError):
        part.complete = False  # type: ignore[misc]


# What each oddity says, computed from the published figures; one that is about the text has nothing to compute.


def published(number: int) -> pd.DataFrame:
    return pd.read_csv(PUBLISHED / f"table{number}.csv").set_index(
        pd.read_csv(PUBLISHED / f"table{number}.csv").columns[0]
    )


METRICS = ["aji", "dice", "f1", "pq"]


def same_row_twice() -> bool:
    first = published(4).reset_index().iloc[0]
    return bool((published(1).loc["Mask2Former", METRICS] == first[METRICS]).all())


def type_3_is_600_queries() -> bool:
    row = published(3).loc["type 3", METRICS]
    default = published(4).iloc[-1][METRICS]
    return bool((row == published(8).loc[600, METRICS]).all()) and default["aji"] == 0.8981 != row["aji"]


def small_gaps() -> bool:
    pq = published(5)["pq"]
    return (pq.min(), pq.max()) == (0.8805, 0.8858) and round(100 * (pq.max() - pq.min()), 1) == 0.5


def no_seeds() -> bool:
    return not any("seed" in (PUBLISHED / f"table{number}.csv").read_text() for number in range(1, 9))


def not_best_on_all() -> bool:
    f1 = published(1)["f1"]
    return f1.idxmax() == "BISSG" and (f1["BISSG"], f1["PCTrans"]) == (0.9670, 0.9668)


def improvement_of_pq() -> bool:
    table = published(1)
    others = table["pq"].drop("PCTrans")
    gap = table.loc["PCTrans", "pq"] - others.max()
    slip = table.loc["PCTrans", "pq"] - table.loc["PEA", "aji"]
    return others.idxmax() == "BISSG" and round(100 * gap, 2) == 2.93 and round(100 * slip, 2) == 2.48


@pytest.mark.parametrize(
    "check", [same_row_twice, type_3_is_600_queries, small_gaps, no_seeds, not_best_on_all, improvement_of_pq]
)
def test_an_oddity_is_in_the_published_figures(check: Any) -> None:
    assert check()
    ids = [oddity.id for oddity in load_claims().oddities]
    assert check.__name__.replace("_", "-") in ids
    assert len(ids) == 6
