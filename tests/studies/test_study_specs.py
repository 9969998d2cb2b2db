"""Study files: those that come along, and what is wrong with a user's."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_study import TINY

from benchmarks.errors import UserError
from studies.specification import StudySpec, list_studies, load_study, parse_study


def test_those_asked_for_are_there() -> None:
    expected = {
        "temperatures", "layers", "mask-channels", "queries", "loss-weights", "inference", "learning-rate", "budget",
    }  # fmt: skip
    assert expected == set(list_studies())
    for name in expected:
        assert load_study(name).name == name


def test_loss_weights_are_searched_on_a_log_scale_around_the_papers() -> None:
    search = load_study("loss-weights").search
    papers = {"mask": 5, "point": 5, "discriminative": 2, "semantic": 5, "query_contrast": 2, "mask_contrast": 2}
    assert set(search) == {f"model.loss_weights.{name}" for name in papers}
    for name, weight in papers.items():
        found = search[f"model.loss_weights.{name}"]
        assert found.log and found.low is not None and found.high is not None
        assert found.low * found.high == pytest.approx(weight**2)  # the paper's is in the middle


def test_a_users_file_works_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(TINY))
    assert load_study(str(path)).search["training.learning_rate"].high == 1e-2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"search": {}}, "search"),
        ({"search": {"model.num_queries": {"values": []}}}, "search.model.num_queries: the list of values is empty"),
        ({"search": {"model.num_queries": {"low": 9, "high": 3}}}, "the range is empty: low 9 is not below high 3"),
        ({"search": {"model.num_queries": {"low": 3, "high": 3}}}, "model.num_queries: the range is empty"),
        ({"search": {"a.b": {"low": 0, "high": 1, "log": True}}}, "a.b: a logarithmic range needs a positive low"),
        ({"search": {"a.b": {"low": 0, "high": 1.5, "integer": True}}}, "a.b: an integer range needs whole ends"),
        ({"search": {"a.b": {"low": 0}}}, "a.b: give values"),
        ({"search": {"a.b": {"low": 0, "high": float("inf")}}}, "finite"),
        ({"search": {"a.b": {"values": [1], "high": 3}}}, "not both"),
        ({"search": {"a.b": {"values": [1, 2, 1]}}}, "listed twice"),
        ({"search": {"a.b": {"lo": 1, "high": 3}}}, "search.a.b.lo: there is no such entry; did you mean 'low'?"),
        ({"sampler": "random"}, "sampler"),
        ({"trails": 3}, "trails: there is no such entry; did you mean 'trials'?"),
        ({"trials": None}, "give the budget"),
        ({"objectives": ["pqq"]}, "there is no objective 'pqq': did you mean 'pq'?"),
        ({"objectives": ["dic"]}, "dic has no better direction"),
        ({"objectives": ["pq", "train_seconds"], "pruner": {"kind": "halving"}}, "a pruner watches validation PQ"),
        ({"sampler": "grid"}, "the budget of a grid is its size"),
        ({"sampler": "grid", "trials": None}, "a grid needs values"),
        ({"table": "table5"}, "the trials of a table are a grid"),
        ({"kind": "inference"}, "training.learning_rate: a study of thresholds can change only model.inference"),
        ({"fixed": {"training.learning_rate": 1}}, "training.learning_rate is both searched and fixed"),
        ({"scales": {"huge": {}}}, "scales.huge"),
        ({"scales": {"smoke": {"search": {"a.b": {"values": [1]}}}}}, "scales.smoke searches a.b"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=r"mine\.yaml is not a valid study") as raised:
        parse_study(TINY | change, "mine.yaml")
    assert said in str(raised.value)


@pytest.mark.parametrize("content", ["[1, 2]", "a: [", "\x00", "!!python/object:os.system {}"])
def test_hostile_files_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(UserError, match=r"mine\.yaml"):
        load_study(str(path))


def test_no_such_study_suggests_one() -> None:
    with pytest.raises(UserError, match="did you mean 'temperatures'"):
        load_study("temperature")


def test_what_a_scale_changes() -> None:
    spec = parse_study(TINY | {"scales": {"smoke": {"trials": 2, "fixed": {"model.num_queries": 8}}}}, "tiny.yaml")
    assert spec.at("quick").trials == 4
    assert spec.at("smoke").trials == 2
    assert spec.at("smoke").fixed == {"model.num_queries": 8}
    assert spec.at("smoke").at("smoke") == spec.at("smoke")


def test_the_example_of_the_docs_is_a_study() -> None:
    page = (Path(__file__).parents[2] / "docs" / "studies.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]
    spec = parse_study(yaml.safe_load(example), "docs/studies.md")
    assert spec.at("smoke").trials == 4 and spec.pruner is not None
    table = {line.split("|")[1].strip(" `"): line.split("|")[4].strip() for line in page.splitlines() if "| `" in line}
    assert table == {name: str(len_of(load_study(name))) for name in list_studies()}


def len_of(spec: StudySpec) -> int:
    """The budget."""
    return spec.trials or math.prod(len(search.values or ()) for search in spec.search.values())


def test_numbers_that_yaml_takes_for_text_are_numbers() -> None:
    search = {"training.learning_rate": {"values": ["1e-4", 0.001]}, "model.backbone.name": {"values": ["resnet18"]}}
    spec = parse_study(TINY | {"sampler": "grid", "trials": None, "search": search, "fixed": {"model.x": "2e-3"}}, "x")
    assert spec.search["training.learning_rate"].values == [0.0001, 0.001]
    assert spec.search["model.backbone.name"].values == ["resnet18"] and spec.fixed == {"model.x": 0.002}
