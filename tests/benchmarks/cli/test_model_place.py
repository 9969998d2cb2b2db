"""Where commands take a model from: only the bare name of a built-in one is that."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.cli.options import model_place
from benchmarks.errors import UserError
from benchmarks.store.models.saved_model import find_model
from pctrans import PCTrans


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with an image."""
    monkeypatch.chdir(tmp_path)
    Image.new("L", (64, 64)).save("a.png")
    return tmp_path


def test_a_folder_may_have_the_name_of_a_built_in_model(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`nuclei/` is what a shell completes, and paths forget the slash."""
    built_in = find_model(model_place("nuclei"))
    assert capsys.readouterr().err == ""
    mine = elsewhere / "nuclei"
    shutil.copytree(built_in, mine)
    for text in ("./nuclei", "nuclei/", str(mine)):
        assert find_model(model_place(text)) == mine, text
    assert find_model(model_place("nuclei")) == built_in
    assert "comes with the package; the folder here is ./nuclei" in capsys.readouterr().err
    assert model_place("./other/") == Path("other")


@pytest.mark.parametrize(
    "command",
    [
        ["predict", "nuclei/", "a.png", "--out", "out"],
        ["pack", "./nuclei", "--to", "small"],
        ["push", "./nuclei", "--to", "me/nuclei", "--dry-run"],
        ["study", "inference", "--model", "./nuclei", "--out", "out"],
        ["train", "--from", "./nuclei", "--data", "synthetic-nuclei", "--out", "out"],
    ],
)
def test_every_command_takes_such_a_folder(elsewhere: Path, command: list[str]) -> None:
    (elsewhere / "nuclei").mkdir()
    ended = CliRunner().invoke(app, command)
    assert isinstance(ended.exception, UserError)
    assert str(ended.exception).startswith(f"{elsewhere / 'nuclei'} holds no model")


def test_so_does_the_library(elsewhere: Path) -> None:
    (elsewhere / "nuclei").mkdir()
    with pytest.raises(TypeError, match="config"):  # the hub mixin found none there
        PCTrans.from_pretrained(Path("./nuclei"))
    assert PCTrans.from_pretrained("nuclei").config.num_queries > 0
