"""Comparisons: pairing by image and seed, direction, families, and the errors for rows that cannot be compared."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from synthesis import edit_result, fail, synthesise_scores

from benchmarks.errors import UserError
from reports.collect import RowResults, collect
from reports.comparisons import Comparison, against_reference, compare, compare_gains, corrected
from reports.detectable import Scatter
from reports.pairing import image_means, paired_scores


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Tables 1 and 4 with three seeds and 15 images; the full model is better than all other rows of table 4."""
    return synthesise_scores(tmp_path, {"table4": {"full model": 0.1}}, tables=["table1", "table4"])


def rows(folder: Path, table: str = "table4") -> dict[str, RowResults]:
    return {row.label: row for row in collect(folder, table).rows}


def result(folder: Path, number: int, seed: int, table: str = "table4") -> dict[str, float]:
    """Read the PQ of each image from the file."""
    path = folder / "jobs" / f"{table}-row{number}-seed{seed}" / "result.json"
    return {image["id"]: image["pq"] for image in json.loads(path.read_text())["images"]}


def edit_images(folder: Path, key: str, change: Callable[[list[dict[str, object]]], list[dict[str, object]]]) -> None:
    images = json.loads((folder / "jobs" / key / "result.json").read_text())["images"]
    edit_result(folder, key, "images", change(images))


def test_differences_are_of_the_same_image_and_seed(folder: Path) -> None:
    """The comparison equals that of a table written out with loops; one job lists its images backwards."""
    edit_images(folder, "table4-row7-seed1", lambda images: images[::-1])
    found = compare(rows(folder)["full model"], rows(folder)["+ MCC loss"], "pq")
    full, other = ([result(folder, number, seed) for seed in range(3)] for number in (8, 7))
    differences = np.array([[full[s][image] - other[s][image] for s in range(3)] for image in sorted(full[0])])
    assert (found.better, found.worse, found.metric) == ("full model", "+ MCC loss", "pq")
    assert (found.images, found.seeds) == (15, 3)
    assert found.effect == pytest.approx(differences.mean())
    assert found.p == pytest.approx(stats.wilcoxon(differences.mean(axis=1)).pvalue)
    assert found.low < found.effect < found.high


def test_less_is_better_where_the_metric_says_so(folder: Path) -> None:
    """Effects of 0.1 lower |DiC|, and the better row has the positive effect."""
    better, worse = rows(folder)["full model"], rows(folder)["no components"]
    found = compare(better, worse, "abs_dic")
    means = [np.mean([image["abs_dic"] for r in row.results for image in r.images]) for row in (better, worse)]
    assert found.effect == pytest.approx(means[1] - means[0])
    assert found.effect > 0.5
    with pytest.raises(UserError, match="compared by dic: neither more nor less"):
        compare(better, worse, "dic")


def test_swapping_rows_swaps_the_sign(folder: Path) -> None:
    one, other = rows(folder)["+ QEC loss"], rows(folder)["+ MCC loss"]
    found, swapped = compare(one, other, "aji"), compare(other, one, "aji")
    assert swapped.effect == pytest.approx(-found.effect)
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low))
    assert (swapped.p, swapped.rank_biserial) == (pytest.approx(found.p), pytest.approx(-found.rank_biserial))


def test_only_shared_seeds_and_images_are_paired(folder: Path) -> None:
    fail(folder, "table4-row7-seed1", "x")
    edit_images(folder, "table4-row8-seed0", lambda images: images[2:])
    edit_images(folder, "table4-row7-seed2", lambda images: images[:-1])
    edit_result(folder, "table4-row8-seed2", "images", _without_pq(folder, "table4-row8-seed2", 5))
    found = compare(rows(folder)["full model"], rows(folder)["+ MCC loss"], "pq")
    assert (found.images, found.seeds) == (15 - 2 - 1 - 1, 2)
    assert compare(rows(folder)["full model"], rows(folder)["+ MCC loss"], "f1").images == 12
    assert len(image_means(rows(folder)["full model"], "pq")) == 12


def _without_pq(folder: Path, key: str, index: int) -> list[dict[str, object]]:
    images = json.loads((folder / "jobs" / key / "result.json").read_text())["images"]
    images[index]["pq"] = None
    return images


def test_an_untrained_row_stands_beside_each_seed(folder: Path) -> None:
    table = rows(folder, "table1")
    scores = paired_scores([table["PCTrans"], table["Otsu + watershed"]], "pq")
    assert scores.shape == (2, 15, 3)
    assert (scores[1] == scores[1][:, :1]).all()
    assert compare(table["PCTrans"], table["Otsu + watershed"], "pq").seeds == 3
    untrained = compare(table["Otsu + watershed, smoothed"], table["Otsu + watershed"], "pq")
    assert (untrained.images, untrained.seeds) == (15, 1)


def test_gains_are_differences_of_differences(folder: Path) -> None:
    table = rows(folder)
    found = compare_gains(
        (table["full model"], table["+ QEC loss"]), (table["+ QEC loss"], table["+ discriminative loss"]), "pq"
    )
    mean = {number: np.mean([list(result(folder, number, s).values()) for s in range(3)]) for number in (5, 6, 8)}
    assert found.effect == pytest.approx((mean[8] - mean[6]) - (mean[6] - mean[5]))
    assert (found.better, found.worse) == ("full model over + QEC loss", "+ QEC loss over + discriminative loss")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda out: edit_result(out, "table4-row8-seed2", "job.data.fingerprint", "0"), "tested on different data"),
        (lambda out: edit_result(out, "table4-row8-seed2", "dataset.decoding", "pea"), "tested on different data"),
        (lambda out: [fail(out, f"table4-row8-seed{s}", "x") for s in range(3)], "'full model' has no result"),
        (lambda out: [fail(out, f"table4-row{n}-seed{s}", "x") for n, s in ((8, 0), (8, 1), (7, 2))], "share no seed"),
        (lambda out: edit_result(out, "table4-row8-seed1", "images", []), "share no image that has a pq"),
    ],
)
def test_rows_that_cannot_be_paired(folder: Path, change: Callable[[Path], object], message: str) -> None:
    change(folder)
    with pytest.raises(UserError, match=message):
        compare(rows(folder)["full model"], rows(folder)["+ MCC loss"], "pq")


def test_the_order_of_a_family_does_not_matter(folder: Path) -> None:
    table = rows(folder)
    family = [compare(table[label], table["full model"], "pq") for label in list(table)[:7]]
    p_holm = {one.better: one.p_holm for one in corrected(family)}
    assert {one.better: one.p_holm for one in corrected(family[::-1])} == p_holm
    assert max(one.p for one in family) <= max(p for p in p_holm.values() if p is not None)


NUMBERS = {"effect": 0.1, "p": 0.001, "images": 15, "seeds": 3, "parts": Scatter(0.02, 0.004, 0.01)}


@pytest.mark.parametrize(
    ("low", "high", "p_holm", "ranks", "sign"),
    [
        (0.01, 0.2, 0.049, 0.9, 1),
        (-0.2, -0.01, 0.049, -0.9, -1),
        (0.01, 0.2, 0.05, 0.9, 0),
        (-0.01, 0.2, 0.001, 0.9, 0),
        (0.01, 0.2, 0.001, -0.2, 0),  # more, but smaller, differences are below 0
        (float("nan"), float("nan"), 0.001, 1.0, 0),
    ],
)
def test_significant_is_where_test_interval_and_ranks_agree(
    low: float, high: float, p_holm: float, ranks: float, sign: int
) -> None:
    comparison = Comparison("a", "b", "pq", low=low, high=high, p_holm=p_holm, rank_biserial=ranks, **NUMBERS)  # type: ignore[arg-type]
    assert comparison.sign == sign
    with pytest.raises(ValueError, match="correct it first"):
        _ = dataclasses.replace(comparison, p_holm=None).sign


def test_every_row_and_metric_of_a_table_is_one_family(folder: Path) -> None:
    against = against_reference(collect(folder, "table4"))
    assert against.reference.label == "full model"
    assert set(against.comparisons) == {(row, metric) for row in range(1, 8) for metric in ("aji", "dice", "f1", "pq")}
    smallest = min(against.comparisons.values(), key=lambda one: one.p)
    assert smallest.p_holm == pytest.approx(28 * smallest.p)
    assert all(one.sign == -1 and one.worse == "full model" for one in against.comparisons.values())
    assert [against.sign(row, "pq") for row in collect(folder, "table4").rows] == [-1] * 7 + [0]


def test_rows_without_results_are_in_no_family(folder: Path) -> None:
    for seed in range(3):
        fail(folder, f"table4-row2-seed{seed}", "x")
        edit_result(folder, f"table4-row3-seed{seed}", "job.data.fingerprint", "0")
    against = against_reference(collect(folder, "table4"))
    assert {row for row, _ in against.comparisons} == {1, 4, 5, 6, 7}
    assert against.unpaired == (
        "'+ coordinates' and 'full model' cannot be paired: they were tested on different data.",
    )
    for seed in range(3):
        fail(folder, f"table4-row8-seed{seed}", "x")
    assert against_reference(collect(folder, "table4")).comparisons == {}
