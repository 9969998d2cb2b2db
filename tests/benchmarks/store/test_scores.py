from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from skimage.io import imsave

from benchmarks.errors import UserError
from benchmarks.metrics import METRICS, image_metrics
from benchmarks.metrics.scoring import mean_scores, score_image
from benchmarks.store.scores import score_folders, write_scores

TRUTH = np.zeros((12, 10), np.uint16)
TRUTH[1:5, 1:5] = 3
TRUTH[6:11, 2:9] = 700
PREDICTION = np.roll(TRUTH, 1, axis=1)


def write(path: Path, labels: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    if path.suffix.lower() in (".tif", ".tiff"):
        tifffile.imwrite(path, labels)
    elif path.suffix == ".npy":
        np.save(path, labels)
    else:
        imsave(path, labels, check_contrast=False)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Three images in different formats on the two sides, and files that are no label maps."""
    truth, prediction = tmp_path / "truth", tmp_path / "prediction"
    write(truth / "b.png", TRUTH)
    write(truth / "a.png", TRUTH)
    write(truth / "c.TIFF", np.zeros_like(TRUTH))
    write(prediction / "b.tif", PREDICTION)
    write(prediction / "a.npy", TRUTH.astype(np.int32))
    write(prediction / "c.tif", PREDICTION.astype(np.uint32))
    (truth / "notes.txt").write_text("not data")
    (prediction / "._b.tif").write_text("left by macOS")
    (prediction / "overlays").mkdir()
    return truth, prediction


def test_one_row_an_image_in_the_order_of_the_stems(folders: tuple[Path, Path]):
    rows, _ = score_folders(*folders)
    assert [(row["image"], row["truth"], row["predicted"]) for row in rows] == [
        ("a", 2, 2),
        ("b", 2, 2),
        ("c", 0, 2),
    ]
    assert [*rows[0]] == ["image", "truth", "predicted", *METRICS]
    assert rows[0]["pq"] == 1
    assert rows[1] == {"image": "b", "truth": 2, "predicted": 2, **image_metrics(TRUTH, PREDICTION)}
    assert rows[2]["aji"] == 0


def test_the_table_reads_back_to_the_last_bit(folders: tuple[Path, Path], tmp_path: Path):
    rows, _ = score_folders(*folders, compat=True)
    write_scores(rows, tmp_path / "new" / "scores.csv")
    with (tmp_path / "new" / "scores.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [*read[0]] == ["image", "truth", "predicted", *METRICS, "aji_pea"]
    for row, again in zip(rows, read, strict=True):
        assert {name: float(again[name]) for name in METRICS} == {name: row[name] for name in METRICS}
        assert (again["image"], int(again["truth"])) == (row["image"], row["truth"])


def test_means_are_over_images(folders: tuple[Path, Path]):
    rows, _ = score_folders(*folders)
    means = mean_scores(rows)
    assert [*means] == [*METRICS]
    # One of three is perfect, one is half found by count only: abs DiC 0, 0, 2.
    assert means["abs_dic"] == pytest.approx(2 / 3)
    assert means["aji"] == pytest.approx((1 + rows[1]["aji"] + 0) / 3)
    assert mean_scores(rows[::-1]) == means
    assert mean_scores([score_image(TRUTH, PREDICTION, compat=True)])["aji_pea"] == rows[1]["aji"]


def test_every_unpaired_file_is_named(folders: tuple[Path, Path]):
    truth, prediction = folders
    write(truth / "lonely.png", TRUTH)
    write(truth / "lost.png", TRUTH)
    with pytest.raises(UserError, match=r"(?s)truth/lonely\.png.*truth/lost\.png") as error:
        score_folders(truth, prediction)
    assert str(prediction) in str(error.value)
    with pytest.raises(UserError, match=r"(?s)truth/lonely\.png.*truth/lost\.png"):
        score_folders(prediction, truth)


def test_unequal_sizes_name_both_files(folders: tuple[Path, Path]):
    truth, prediction = folders
    write(prediction / "b.tif", PREDICTION.T)
    with pytest.raises(UserError, match=r"truth/b\.png is 12×10 .*prediction/b\.tif is 10×12"):
        score_folders(truth, prediction)


def test_two_files_of_a_stem_are_ambiguous(folders: tuple[Path, Path]):
    truth, prediction = folders
    write(truth / "b.tif", TRUTH)
    with pytest.raises(UserError, match=r"b\.png and b\.tif have the same stem"):
        score_folders(truth, prediction)


def test_folders_without_label_maps(folders: tuple[Path, Path], tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: no label map found, expected files ending in \.png"):
        score_folders(folders[0], tmp_path / "empty")
    with pytest.raises(UserError, match=r"absent: not a folder"):
        score_folders(tmp_path / "absent", folders[1])


def test_a_file_that_is_no_label_map_is_named(folders: tuple[Path, Path]):
    truth, prediction = folders
    (prediction / "b.tif").write_bytes(b"not a TIFF")
    with pytest.raises(UserError, match=r"b\.tif"):
        score_folders(truth, prediction)


def test_masks_are_named_with_their_counts_and_split_on_request(folders: tuple[Path, Path]):
    truth, prediction = folders
    for name in ("a.png", "b.png"):
        write(truth / name, (TRUTH > 0).astype(np.uint8) * 255)
    rows, notes = score_folders(truth, prediction)
    assert [row["truth"] for row in rows] == [1, 1, 0]
    (note,) = notes
    assert "2 label maps hold ids in several pieces" in note and f"{truth / 'a.png'} (1 id in 2 pieces" in note
    assert "--components truth" in note
    rows, notes = score_folders(truth, prediction, split={"truth"})
    assert [(row["truth"], row["predicted"]) for row in rows] == [(2, 2), (2, 2), (0, 2)]
    assert rows[0]["pq"] == 1.0 and notes == []
    one_piece = np.where(TRUTH > 0, 9, 0)
    write(prediction / "a.npy", one_piece)
    rows, notes = score_folders(truth, prediction, split={"truth", "prediction"})
    assert rows[0]["pq"] == 1.0 and notes == []


def test_the_truth_may_ignore_and_a_prediction_may_not(folders: tuple[Path, Path]):
    truth, prediction = folders
    ignoring = TRUTH.astype(np.int32)
    ignoring[6:] = -1
    (truth / "a.png").unlink()
    write(truth / "a.tif", ignoring)
    (row, *_), _ = score_folders(truth, prediction)
    assert (row["truth"], row["predicted"], row["pq"]) == (1, 1, 1.0)
    write(prediction / "a.npy", ignoring)
    with pytest.raises(UserError, match=r"a\.npy: a label image with the negative value -1; 0 is background"):
        score_folders(truth, prediction)


def test_names_that_spreadsheets_would_run_are_made_text(tmp_path: Path):
    write_scores([{"image": "=1+1", "pq": -0.5}, {"image": "a=b", "pq": 1.0}], tmp_path / "scores.csv")
    assert (tmp_path / "scores.csv").read_text(encoding="utf-8") == "image,pq\n'=1+1,-0.5\na=b,1.0\n"


def test_composed_and_decomposed_names_are_the_same(tmp_path: Path):
    write(tmp_path / "truth" / "Zelle-\u00e4.png", TRUTH)
    write(tmp_path / "prediction" / "Zelle-a\u0308.png", TRUTH)
    rows, _ = score_folders(tmp_path / "truth", tmp_path / "prediction")
    assert [row["image"] for row in rows] == ["Zelle-\u00e4"]
    write(tmp_path / "truth" / "Zelle-a\u0308.tif", TRUTH)
    with pytest.raises(UserError, match="have the same stem"):
        score_folders(tmp_path / "truth", tmp_path / "prediction")


def write_outlines(path: Path, *boxes: tuple[int, int, int, int]) -> None:
    rings = [[[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]] for x0, y0, x1, y1 in boxes]
    features = [{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}} for ring in rings]
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(features))


def test_outlines_take_the_size_of_the_label_map_on_the_other_side(tmp_path: Path):
    write(tmp_path / "maps" / "a.png", TRUTH)
    write_outlines(tmp_path / "outlines" / "a.geojson", (1, 1, 5, 5), (2, 6, 9, 11))
    for sides in (("maps", "outlines"), ("outlines", "maps")):
        (row,), notes = score_folders(*(tmp_path / side for side in sides))
        assert (row["truth"], row["predicted"], row["pq"]) == (2, 2, 1.0) and notes == []
    with pytest.raises(UserError, match="outlines do not say how large their image is"):
        score_folders(tmp_path / "outlines", tmp_path / "outlines")


def test_what_outlines_lose_is_noted(tmp_path: Path):
    write(tmp_path / "maps" / "a.png", TRUTH)
    write_outlines(tmp_path / "outlines" / "a.geojson", (1, 1, 5, 5), (2, 2, 4, 4))
    _, (note, *_) = score_folders(tmp_path / "maps", tmp_path / "outlines")
    assert "4 pixels that several objects claim (the smaller object has them)" in note


def test_cellposes_names_are_paired_with_those_of_the_truth(tmp_path: Path):
    write(tmp_path / "truth" / "a.png", TRUTH)
    write(tmp_path / "made" / "a_cp_masks.png", TRUTH)
    write(tmp_path / "made" / "a.png", np.full_like(TRUTH, 7))
    (row,), (note,) = score_folders(tmp_path / "truth", tmp_path / "made")
    assert (row["image"], row["pq"]) == ("a", 1.0) and "one of Cellpose's, which is read" in note
