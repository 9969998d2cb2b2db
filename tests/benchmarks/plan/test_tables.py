from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.errors import UserError
from benchmarks.plan.methods import configure
from benchmarks.plan.tables import TABLES, list_tables, load_table, read_table
from pctrans.config import PCTransConfig


def test_table4_rows_are_the_papers() -> None:
    """The check marks, typed again from the paper: one letter a mark, one word a row."""
    spec = load_table("table4")
    letters = dict(zip([column.field for column in spec.columns], "DRsdqm", strict=True))
    rows = ["".join(letters[field] for field, on in spec.marks(row).items() if on) for row in spec.rows]
    assert rows == ["", "D", "DR", "DRs", "DRsd", "DRsdq", "DRsdm", "DRsdqm"]


@pytest.mark.parametrize("name", list_tables())
def test_every_row_that_is_run_is_a_valid_model(name: str) -> None:
    spec = load_table(name)
    rows = [(method, row) for row in spec.rows if (method := spec.method_of(row))]
    configs = [(method, str(configure(method, _nested(spec.overrides(row))))) for method, row in rows]
    assert len(set(configs)) == len(rows)


@pytest.mark.parametrize(
    ("name", "label"),
    [("table3", "type 3"), ("table5", "τ_q 1.0, τ_m 1.0"), ("table6", "L = 6"), ("table7", "C_mask = 16"),
     ("table8", "N = 300")],
)  # fmt: skip
def test_the_default_model_is_a_row_of_each_ablation(name: str, label: str) -> None:
    """So that its jobs are shared with row 8 of table 4."""
    spec = load_table(name)
    configs = {row.label: PCTransConfig.model_validate(_nested(spec.overrides(row))) for row in spec.rows}
    assert [row for row, config in configs.items() if config == PCTransConfig()] == [label]


def test_last_row_is_the_default_model() -> None:
    spec = load_table("table4")
    assert PCTransConfig.model_validate(_nested(spec.overrides(spec.rows[-1]))) == PCTransConfig()


def test_a_switch_that_is_off_switches_off() -> None:
    spec = load_table("table4")
    config = PCTransConfig.model_validate(_nested(spec.overrides(spec.rows[0])))
    assert config.mask_head == "inner_product"
    assert not config.relative_coordinates
    weights = config.loss_weights
    off = (weights.semantic, weights.discriminative, weights.query_contrast, weights.mask_contrast)
    assert off == (0, 0, 0, 0)
    assert min(weights.mask, weights.point) > 0
    assert config.attention_type == 3


def test_unknown_table_suggests_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'table4'"):
        load_table("tabel4")
    with pytest.raises(UserError, match=r"there are: .*table4"):
        load_table("../../etc/passwd")


def test_columns_without_a_check_mark_show_the_value(tmp_path: Path) -> None:
    content = _table4()
    content["columns"] = [{"field": "queries", "heading": "N", "latex": "$N$", "path": "num_queries"}]
    content["rows"] = [{"label": str(n), "overrides": {"num_queries": n}} for n in (200, 300)]
    content["reference"] = "300"
    spec = read_table(_write(tmp_path, content))
    assert [spec.marks(row) for row in spec.rows] == [{"queries": 200}, {"queries": 300}]
    content["rows"][0]["overrides"] = {}
    with pytest.raises(UserError, match="row 1 gives no value for num_queries"):
        read_table(_write(tmp_path, content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "colour"),
        ({"metrics": ["aji", "ajii"]}, "unknown metric ajii"),
        ({"metrics": ["aji", "aji"]}, "metrics repeat: aji"),
        ({"metrics": []}, "metrics"),
        ({"name": "table5"}, "calls its table 'table5'"),
        ({"fixed": {"mask_head": "dynamic"}}, "both fixed and varied"),
        ({"rows": [{"label": "a"}, {"label": "full model"}]}, "rows repeat"),
        ({"reference": "full"}, "the reference 'full' is the label of no row that is run"),
        ({"generated": "synthetic-cells"}, "generated"),
        ({"rows": [{"label": "a", "overrides": {"hidden_dim": 64}}]}, "hidden_dim, which no column shows"),
        ({"rows": [{"label": "a", "overrides": {"mask head": 1}}]}, "mask head"),
        ({"rows": [{"label": "a", "overrides": {}, "marks": 1}]}, "marks"),
    ],
)
def test_a_bad_specification_is_an_error(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        read_table(_write(tmp_path, _table4() | change))


def test_not_yaml_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "table4.yaml"
    path.write_text("rows: [")
    with pytest.raises(UserError, match=re.escape(str(path))):
        read_table(path)


def test_a_specification_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_table("table4").title = "other"  # type: ignore[misc]


def _table4() -> dict[str, Any]:
    return yaml.safe_load((TABLES / "table4.yaml").read_text())


def _write(folder: Path, content: dict[str, Any]) -> Path:
    path = folder / "table4.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def _nested(overrides: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for path, value in overrides.items():
        *parents, last = path.split(".")
        branch = result
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[last] = value
    return result
