"""`pctrans-bench train`: what OUT/model is after a training that failed."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.errors import UserError
from benchmarks.store.models.saved_model import find_model

SMALL = ("--data", "synthetic-nuclei?size=64&train=1&val=1&test=1", "--scale", "smoke", "--device", "cpu")


def train(out: Path, seed: int) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["train", "watershed", *SMALL, "--seed", str(seed), "--out", str(out)])
    return done.exit_code, done.output


def test_a_failed_training_leaves_no_older_model_to_predict_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(tmp_path, 0)[0] == 0
    older = find_model(tmp_path).resolve()

    def fail(*arguments: object) -> None:
        raise RuntimeError("no such luck")

    with monkeypatch.context() as broken:
        broken.setattr("benchmarks.run.execution.predict_split", fail)
        status, said = train(tmp_path, 1)
    assert status == 1 and f"that model is still {older}" in said.replace("\n", "")
    with pytest.raises(UserError, match="holds no model") as refused:
        find_model(tmp_path)
    assert str(older) in str(refused.value), "it says which models there are"
    assert train(tmp_path, 1)[0] == 0
    assert find_model(tmp_path).resolve() != older
