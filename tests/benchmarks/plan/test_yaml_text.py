"""YAML of a few bytes that would run for minutes, and values that are none, are refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from benchmarks.cli.options import read_overrides
from benchmarks.errors import UserError
from benchmarks.plan.yaml_text import MAX_CHARACTERS, parse_yaml

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefghijk", "bcdefghijkl", strict=True)
)


def test_what_people_write_is_read_as_yaml_reads_it() -> None:
    text = "shared: &shared {rate: 1.0e-4, steps: [1, 2]}\none: *shared\ntwo: {<<: *shared, rate: 3}\nnone:\ntext: ä\n"
    assert parse_yaml(text) == yaml.safe_load(text)
    assert parse_yaml("") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, "unfold to more than 100000 values"),
        (LAUGHS.replace("[", "{<<: [").replace("]", "]}").replace("x,x,x,x,x,x,x,x,x", "{x: 1}"), "unfold to more"),
        ("a: &a [*a]", "unfold to more than"),
        ("[" * 20_000, "nested too deeply"),
        ("a: 2020-99-99", "month must be in"),
        ("a: " + "1" * 5000, "limit"),
        (" " * (MAX_CHARACTERS + 1), "characters; at most"),
    ],
)
def test_what_would_not_end_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(yaml.YAMLError, match=said):
        parse_yaml(text)
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=f"config.yaml cannot be read as YAML: .*{said}"):
        read_overrides(tmp_path / "config.yaml", None)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes("\ufefftraining: {iterations: 3}\n".encode())
    assert read_overrides(tmp_path / "config.yaml", None) == {"training": {"iterations": 3}}
