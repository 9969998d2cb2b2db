from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from synthesis import fail

from benchmarks.data import open_dataset
from benchmarks.errors import UserError
from benchmarks.figures.selection import crowded_window
from benchmarks.metrics import image_metrics
from benchmarks.store.overlays import colour_labels
from benchmarks.store.result import Result
from reports import panels
from reports.collect import collect
from reports.segmentations import draw_segmentations, typical_image


def scored(one_seed: Path, scores: list[dict[str, float]], truth: dict[str, int] | None = None) -> list[Result]:
    """Give results these PQ by image."""
    result = collect(one_seed, "table4").results[0]
    return [
        result.model_copy(
            update={"images": [{"id": id, "truth": (truth or {}).get(id, 5), "pq": pq} for id, pq in row.items()]}
        )
        for row in scores
    ]


def test_typical_image_by_hand(one_seed: Path) -> None:
    """The medians over the three rows are 0.2 for a, 0.6 for b and 0.5 for c: the middle one is c."""
    rows = [{"a": 0.1, "b": 0.6, "c": 0.9}, {"a": 0.2, "b": 0.7, "c": 0.5}, {"a": 0.9, "b": 0.3, "c": 0.1}]
    assert typical_image(scored(one_seed, rows)) == "c"


def test_typical_image_has_objects_and_is_in_every_row(one_seed: Path) -> None:
    rows = [{"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4}, {"a": 0.1, "b": 0.2, "c": 0.3}]
    assert typical_image(scored(one_seed, rows, {"b": 0})) == "a"  # of a and c the lower
    with pytest.raises(UserError, match="No picture"):
        typical_image(scored(one_seed, rows, dict.fromkeys("abcd", 0)))
    with pytest.raises(UserError, match="No picture"):
        typical_image([])


def test_crowded_window_against_every_window() -> None:
    rng = np.random.default_rng(3)
    truth = np.zeros((40, 60), int)
    centres = [(int(row), int(column)) for row, column in rng.integers(0, (40, 60), (25, 2))]
    for id, (row, column) in enumerate(centres, 1):
        truth[row, column] = id
    kept = [centre for id, centre in enumerate(centres, 1) if (truth == id).any()]
    rows, columns = crowded_window(truth, 15)
    assert (rows.stop - rows.start, columns.stop - columns.start) == (15, 15)

    def count(top: int, left: int) -> int:
        return sum(top <= row < top + 15 and left <= column < left + 15 for row, column in kept)

    most = max(count(top, left) for top in range(26) for left in range(46))
    assert count(rows.start, columns.start) == most


def test_a_small_image_is_shown_whole() -> None:
    truth = np.zeros((30, 20), int)
    truth[3, 4] = 1
    assert crowded_window(truth, 200) == (slice(0, 30), slice(0, 20))


def test_panel_colours_and_errors() -> None:
    truth = np.zeros((20, 40), int)
    truth[2:10, 2:10], truth[2:10, 14:22], truth[2:10, 30:38] = 5, 6, 7
    prediction = np.zeros_like(truth)
    prediction[2:10, 3:11] = 91  # matches 5, IoU 7/9
    prediction[2:10, 18:26] = 92  # on 6, IoU 1/3: 6 is missed and 92 is false
    pairs = panels.matches(truth, prediction)
    assert pairs == {91: 5}
    black = np.zeros((20, 40, 3), np.uint8)
    colours = {id: colour_labels(truth)[truth == id][0] for id in (5, 6, 7)}
    panel = panels.prediction_panel(black, truth, prediction, pairs, colours)
    z = panels.ZOOM
    assert panel.shape == (20 * z, 40 * z, 3)
    assert (panel[6 * z, 7 * z] == np.round(panels.FILL * colours[5].astype(float))).all()
    assert (panel[6 * z, 34 * z] == 0).all()  # the missed 7 is not filled,
    assert (panel[6 * z, 30 * z] == panels.MISSED).all()  # but outlined,
    assert (panel[6 * z, 14 * z] == panels.MISSED).all()  # as is 6
    inside = panel[4 * z : 8 * z, 23 * z : 25 * z].reshape(-1, 3)
    assert {tuple(colour) for colour in inside.tolist()} == {panels.FALSE, (0, 0, 0)}  # stripes
    assert (panel[18 * z, 5 * z] == 0).all()


def test_truth_and_prediction_agree_in_colour() -> None:
    truth = np.kron(np.arange(9).reshape(3, 3), np.ones((8, 8), int))
    prediction = np.where(truth > 0, 100 - truth, 0)  # the same objects under other ids
    colours = colour_labels(truth)
    table = {id: colours[truth == id][0] for id in range(1, 9)}
    picture = np.full((24, 24, 3), 90, np.uint8)
    pairs = panels.matches(truth, prediction)
    panel = panels.prediction_panel(picture, truth, prediction, pairs, table)
    assert (panel == panels.truth_panel(picture, truth, colours)).all()


def test_a_match_outside_the_window_is_still_a_match() -> None:
    """Only a corner of the prediction is shown, and nothing of its truth."""
    truth, prediction = np.zeros((2, 20, 20), int)
    truth[4:14, 4:14], prediction[3:14, 3:14] = 1, 1
    box = (slice(0, 4), slice(0, 4))
    pairs, colour = panels.matches(truth, prediction), np.array((10, 20, 30), np.uint8)
    black = np.zeros((4, 4, 3), np.uint8)
    panel = panels.prediction_panel(black, truth[box], prediction[box], pairs, {1: colour})
    assert (panel[-1, -1] == np.round(panels.FILL * colour)).all() or (panel[-1, -1] == colour).all()


def test_picture_of_the_right_size_and_image(one_seed: Path, data: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    caption = draw_segmentations(collect(one_seed, "table4"), one_seed, path)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.width == pytest.approx(5 * 1.75 * 250, abs=1)
        assert picture.height == pytest.approx((2 * (1.75 + 0.36) + 0.3) * 250, abs=1)
        pixels = np.asarray(picture.convert("RGB"))
    assert (pixels == panels.MISSED).all(axis=2).any()  # row 1 misses objects
    assert any(f"Test image {id}:" in caption for id in open_dataset(data).ids("test"))
    assert "Shown:" not in caption  # 96 pixels are shown whole


def test_titles_carry_the_scores_of_the_result_files(
    one_seed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The PQ in a title is the stored one, and the stored one is that of the predictions drawn."""
    titles: list[str] = []
    monkeypatch.setattr("matplotlib.axes.Axes.set_title", lambda axes, title, **_: titles.append(title))
    fail(one_seed, "table4-row3-seed0", "x")
    results = collect(one_seed, "table4")
    caption = draw_segmentations(results, one_seed, tmp_path / "picture.png")
    image_id = caption.removeprefix("Test image ").partition(":")[0]
    dataset: Any = open_dataset(results.results[0].dataset.spec)
    truth = dataset.load(image_id).labels
    assert titles[:2] == ["image", f"truth\n{len(np.unique(truth)) - 1} objects"]
    for row, title in zip([row for row in results.rows if row.number != 3], titles[2:], strict=True):
        stored = one_seed / "jobs" / row.results[0].key / "predictions" / f"{image_id}.tif"
        pq = image_metrics(truth, tifffile.imread(stored))["pq"]
        assert title == f"{row.number}: {row.spec.label}\nPQ {pq:.3f}"
    assert caption.endswith(" Without a result: + coordinates.")


def test_a_prediction_of_other_size_is_an_error(one_seed: Path, tmp_path: Path) -> None:
    for path in (one_seed / "jobs" / "table4-row2-seed0" / "predictions").iterdir():
        tifffile.imwrite(path, np.zeros((5, 5), np.uint16))
    with pytest.raises(UserError, match=r"row2-seed0/predictions/.*\.tif has shape \(5, 5\)"):
        draw_segmentations(collect(one_seed, "table4"), one_seed, tmp_path / "picture.png")
    assert not (tmp_path / "picture.png").exists()


def test_rows_whose_label_maps_are_gone_are_named(one_seed: Path, tmp_path: Path) -> None:
    """A table whose rows were brought from several machines, some without label maps."""
    results, path = collect(one_seed, "table4"), tmp_path / "picture.png"
    rows = [row for row in results.rows if row.results]
    for row in rows[1:]:
        shutil.rmtree(one_seed / "jobs" / row.results[0].key / "predictions")
    caption = draw_segmentations(results, one_seed, path)
    assert path.exists()
    assert caption.endswith(f" Without a label map here: {', '.join(row.label for row in rows[1:])}.")
    shutil.rmtree(one_seed / "jobs" / rows[0].results[0].key / "predictions")
    with pytest.raises(UserError, match=rf"no row has a label map .*/{rows[0].results[0].key}/predictions"):
        draw_segmentations(results, one_seed, tmp_path / "other.png")
