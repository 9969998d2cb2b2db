"""Files that look right and are not, from the command line: what is said, what is written, how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.data import open_dataset
from benchmarks.store.run_file import known_leaks

TRAINED_NOTHING = ["--scale", "smoke", "--device", "cpu"]


def invoke(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return " ".join(result.output.split())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A `folder:` data set of five generated images, e being b in 8 bits."""
    drawn = open_dataset("synthetic-nuclei?size=96&train=2&val=1&test=1")
    stored = [drawn.read(id) for split in ("train", "val", "test") for id in drawn.ids(split)]
    root = tmp_path / "cells"
    for name in ("images", "labels", "splits"):
        (root / name).mkdir(parents=True)
    for stem, one in zip("abcde", [*stored, stored[1]], strict=True):
        image = one.image if stem != "e" else (one.image / 16).round().clip(0, 255).astype(np.uint8)
        tifffile.imwrite(root / "images" / f"{stem}.tif", image)
        tifffile.imwrite(root / "labels" / f"{stem}.tif", one.labels)
    for split, stems in (("train", "ab"), ("val", "c"), ("test", "d")):
        (root / "splits" / f"{split}.txt").write_text("\n".join(stems), encoding="utf-8")
    return root


def test_a_picture_in_two_splits_is_a_problem_of_the_data(folder: Path) -> None:
    assert "no problems found" in invoke("data", "check", f"folder:{folder}")
    (folder / "splits" / "test.txt").write_text("d\ne\n", encoding="utf-8")
    assert "in two splits: train/b = test/e (a changed copy" in invoke("data", "check", f"folder:{folder}", code=1)


@pytest.mark.slow
def test_run_says_of_a_picture_in_two_splits_and_so_does_the_caption(folder: Path, tmp_path: Path) -> None:
    run = ["run", "table1", "--data", f"folder:{folder}", *TRAINED_NOTHING, "--rows", "12", "--jobs", "1"]
    assert "same picture" not in invoke(*run, "--out", tmp_path / "clean")
    (folder / "splits" / "test.txt").write_text("d\ne\n", encoding="utf-8")
    assert "1 times the same picture is in two splits" in invoke(*run, "--out", tmp_path / "leaky")
    reports = [(tmp_path / out / "reports" / "table1.md").read_text(encoding="utf-8") for out in ("clean", "leaky")]
    assert ["LEAK: the same picture is in two splits" in report for report in reports] == [False, True]
    told = json.loads((tmp_path / "leaky" / "runs" / "table1.json").read_text(encoding="utf-8"))
    assert len(told["leaks"]) == 1
    clean = json.loads((tmp_path / "clean" / "runs" / "table1.json").read_text(encoding="utf-8"))["data"]["fingerprint"]
    assert known_leaks(tmp_path / "clean", clean) == []  # looked, and found none
    assert known_leaks(tmp_path / "leaky", clean) is None
    assert "1 times the same picture is in two splits" in invoke(*run, "--out", tmp_path / "leaky")  # told again


def test_two_sets_that_share_pictures(folder: Path) -> None:
    generated = "synthetic-nuclei?size=96&train=2&val=1&test=1"
    text = invoke("data", "check", f"folder:{folder}", generated, code=1)
    assert text.count("problem: in two data sets: ") == 4
    assert f"folder:{folder} train/b = {generated} train/train-0001 (the same pixels)" in text


def test_predict_does_the_rest_names_the_bad_and_ends_with_1(folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    invoke("train", "watershed", "--data", f"folder:{folder}", *TRAINED_NOTHING, "--out", model)
    nan = np.full((96, 96), 0.5, np.float32)
    nan[3, 3] = np.nan
    tifffile.imwrite(folder / "images" / "c.tif", nan)
    predict = ["predict", model, folder / "images", "--out", tmp_path / "out", "--device", "cpu"]
    for _ in range(2):
        text = invoke(*predict, "--overlap", "32", code=1)
        assert "problem: " in text and "c.tif: holds values that are not finite" in text
        assert "4 images," in text and "1 of 5 images could not be segmented" in text
        rows = (tmp_path / "out" / "objects.csv").read_text(encoding="utf-8").splitlines()[1:]
        assert {row.partition(",")[0] for row in rows} == {"a.tif", "b.tif", "d.tif", "e.tif"}
    (folder / "images" / "c.tif").unlink()
    invoke(*predict, "--overlap", "32")
    assert "no range 'wide'" in str(CliRunner().invoke(app, [*map(str, predict), "--range", "wide"]).exception)


def test_score_names_masks_and_splits_them(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "truth").mkdir()
    labels = np.zeros((40, 40), np.uint8)
    labels[2:8, 2:8] = labels[20:30, 20:30] = 255
    Image.fromarray(labels).save(tmp_path / "truth" / "x.png")
    score = ["score", tmp_path / "truth", tmp_path / "truth", "--csv", tmp_path / "scores.csv"]
    text = invoke(*score)
    assert "x.png (1 id in 2 pieces, a foreground mask). --components truth makes" in text
    assert (tmp_path / "scores.csv").read_text(encoding="utf-8").splitlines()[1].startswith("x,1,1,")
    assert "note:" not in invoke(*score, "--components", "both")
    assert (tmp_path / "scores.csv").read_text(encoding="utf-8").splitlines()[1].startswith("x,2,2,")
