from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.errors import UserError
from benchmarks.plan.tables import load_table
from reports.published import PUBLISHED, published_figures

SPEC = load_table("table4")


def test_figures_are_found_by_switches_and_kept_as_printed() -> None:
    figures = published_figures(SPEC)
    assert figures[0] == {"aji": "0.7671", "dice": "0.9601", "f1": "0.8879", "pq": "0.8011"}
    assert figures[5] == {"aji": "0.8921", "dice": "0.9605", "f1": "0.9570", "pq": "0.8790"}
    assert figures[7] == {"aji": "0.8981", "dice": "0.9617", "f1": "0.9615", "pq": "0.8845"}


def test_the_order_of_the_file_does_not_matter(tmp_path: Path) -> None:
    lines = (PUBLISHED / "table4.csv").read_text().splitlines()
    (tmp_path / "table4.csv").write_text("\n".join([lines[0], *lines[:0:-1]]))
    assert published_figures(SPEC, tmp_path) == published_figures(SPEC)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1,1,1,1,0,1,", "1,1,1,1,1,1,", "has 0 rows with .*mcc=True"),
        ("mcc", "mmc", "no column mcc"),
        ("0,0,0,0,0,0,0.7671,0.9601,0.8879,0.8011\n", "", "has 7 rows, table4 has 8"),
    ],
)
def test_a_file_that_does_not_fit_the_table(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (PUBLISHED / "table4.csv").read_text()
    assert old in text
    (tmp_path / "table4.csv").write_text(text.replace(old, new))
    with pytest.raises(UserError, match=message):
        published_figures(SPEC, tmp_path)


def test_a_metric_that_the_paper_does_not_have_has_no_figures() -> None:
    more = SPEC.model_copy(update={"metrics": [*SPEC.metrics, "abs_dic"]})
    assert published_figures(more) == published_figures(SPEC)


def test_a_dash_in_the_paper_is_no_figure(tmp_path: Path) -> None:
    text = (PUBLISHED / "table4.csv").read_text().replace("0.7671", "")
    (tmp_path / "table4.csv").write_text(text)
    assert set(published_figures(SPEC, tmp_path)[0]) == {"dice", "f1", "pq"}


def test_numbers_compare_as_numbers(tmp_path: Path) -> None:
    column = SPEC.columns[0].model_copy(update={"field": "tau_q", "path": "query_temperature", "absent": None})
    rows = [SPEC.rows[0].model_copy(update={"overrides": {"query_temperature": tau}}) for tau in (2.0, 0.5)]
    spec = SPEC.model_copy(update={"columns": [column], "rows": rows})
    (tmp_path / "table4.csv").write_text("tau_q,aji,dice,f1,pq\n0.50,1,2,3,4\n2,5,6,7,8\n")
    assert [figures["aji"] for figures in published_figures(spec, tmp_path)] == ["5", "1"]


METHODS = load_table("table1")


def test_methods_are_found_by_name() -> None:
    figures = dict(zip([row.label for row in METHODS.rows], published_figures(METHODS), strict=True))
    assert figures["Cell R-CNN v2"] == {"aji": "0.8260", "dice": "0.9336", "f1": "0.9328", "pq": "0.8010"}
    assert figures["PEA"] == {"aji": "0.8674", "dice": "0.9473", "pq": "0.8420"}
    assert figures["Otsu + watershed"] == figures["Discriminative"] == {}
    assert published_figures(load_table("table2"))[0] == {"sbd": "68.3", "abs_dic": "3.8"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("UPSNet,", "UPSnet,", "has method UPSnet, which no row of table1 shows"),
        ("UPSNet,0.8128,0.9274,0.9191,0.7857\n", "", "has 0 rows with method=UPSNet; table1 needs exactly one"),
        ("UPSNet,", "PEA,", "has 2 rows with method=PEA|0 rows with method=UPSNet"),
        ("method,", "name,", "no column method"),
    ],
)
def test_a_file_that_does_not_fit_the_methods(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (PUBLISHED / "table1.csv").read_text()
    assert old in text
    (tmp_path / "table1.csv").write_text(text.replace(old, new))
    with pytest.raises(UserError, match=message):
        published_figures(METHODS, tmp_path)


VALUES = {"table3": "attention_type", "table6": "encoder_layers", "table7": "mask_channels", "table8": "num_queries"}


@pytest.mark.parametrize("number", range(1, 9))
def test_every_table_shows_every_published_row_once(number: int) -> None:
    spec = load_table(f"table{number}")
    lines = pd.read_csv(PUBLISHED / f"table{number}.csv", dtype=str, keep_default_na=False)
    found = [figures for figures in published_figures(spec) if figures]
    expected = [{name: line[name] for name in spec.metrics if line[name]} for line in lines.to_dict("records")]
    assert sorted(map(str, found)) == sorted(map(str, expected))


@pytest.mark.parametrize("name", VALUES)
def test_a_row_that_sets_a_value_has_the_figures_of_that_value(name: str) -> None:
    spec = load_table(name)
    lines = pd.read_csv(PUBLISHED / f"{name}.csv", dtype=str)
    printed = {int(str(line.iloc[0]).removeprefix("type ")): line["pq"] for _, line in lines.iterrows()}
    values = [row.overrides[VALUES[name]] for row in spec.rows]
    assert [figures["pq"] for figures in published_figures(spec)] == [printed[value] for value in values]


def test_a_pair_of_temperatures_has_its_own_figures() -> None:
    spec = load_table("table5")
    figures = dict(zip([row.label for row in spec.rows], published_figures(spec), strict=True))
    assert figures["τ_q 2.0, τ_m 0.5"]["pq"] == "0.8858"
    assert figures["τ_q 0.5, τ_m 2.0"]["pq"] == "0.8813"
    assert [row.overrides for row in spec.rows] == [
        {"query_temperature": q, "mask_temperature": m} for q in (0.5, 1.0, 2.0) for m in (0.5, 1.0, 2.0)
    ]


def test_all_eight_tables_are_there_and_in_range() -> None:
    rows = {name: len(pd.read_csv(PUBLISHED / f"table{name}.csv")) for name in range(1, 9)}
    assert rows == {1: 14, 2: 11, 3: 3, 4: 8, 5: 9, 6: 7, 7: 3, 8: 3}
    for name in (1, 3, 4, 5, 6, 7, 8):
        figures = pd.read_csv(PUBLISHED / f"table{name}.csv")[["aji", "dice", "f1", "pq"]]
        assert figures.stack().dropna().between(0.7, 1).all()
