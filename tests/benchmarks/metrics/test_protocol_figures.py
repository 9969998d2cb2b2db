"""Every variant of a stored prediction against literal loops over the masks of the same files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import slow_metrics
from PIL import Image

from benchmarks.data.label_files import write_labels
from benchmarks.errors import UserError
from benchmarks.metrics.scoring import score_image
from benchmarks.protocol import POOLED, Score, choose, disagreement, open_decodings, rescore

Literal = Callable[[np.ndarray, np.ndarray], float]
SHAPE = (10, 12)
IMAGES = 4


def abs_dic(truth: np.ndarray, prediction: np.ndarray) -> float:
    return abs(len(slow_metrics.masks(prediction)) - len(slow_metrics.masks(truth)))


def pq(truth: np.ndarray, prediction: np.ndarray) -> float:
    return slow_metrics.f1(truth, prediction) * slow_metrics.sq(truth, prediction)


OWN: dict[str, Literal] = {
    "aji": slow_metrics.aji,
    "dice": slow_metrics.dice,
    "f1": slow_metrics.f1,
    "pq": pq,
    "sbd": slow_metrics.sbd,
    "abs_dic": abs_dic,
}


def random_maps(rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Blocky truths and predictions that share most of their blocks; the last pair is empty on both sides."""
    maps = []
    for _ in range(IMAGES - 1):
        truth = np.kron(rng.integers(0, 5, (5, 6)), np.ones((2, 2), int))
        other = np.kron(rng.integers(0, 5, (5, 6)), np.ones((2, 2), int))
        maps.append((truth, np.where(rng.random(SHAPE) < 0.3, other, truth)))
    return [*maps, (np.zeros(SHAPE, int), np.zeros(SHAPE, int))]


def write_data(root: Path, maps: list[tuple[np.ndarray, np.ndarray]]) -> tuple[str, Path]:
    """A `folder:` data set whose test split has these truths, and a folder of the predictions."""
    stems = [f"cell{index}" for index in range(len(maps))]
    for name in ("images", "labels", "splits"):
        (root / name).mkdir(parents=True)
    for stem, (truth, prediction) in zip([*stems, "t", "v"], [*maps, maps[0], maps[0]], strict=True):
        Image.fromarray(np.arange(truth.size, dtype=np.uint8).reshape(truth.shape)).save(root / f"images/{stem}.png")
        Image.fromarray(truth.astype(np.uint16)).save(root / f"labels/{stem}.png")
        if stem in stems:
            write_labels(root / f"predictions/{stem}.tif", prediction)
    for split, listed in (("train", ["t"]), ("val", ["v"]), ("test", stems)):
        (root / f"splits/{split}.txt").write_text("\n".join(listed))
    return f"folder:{root}", root / "predictions"


def figures(scores: list[Score]) -> dict[tuple[str, str], dict[str, float]]:
    found: dict[tuple[str, str], dict[str, float]] = {}
    for score in scores:
        found.setdefault((score.variant, score.metric), {})[score.image] = score.value
    return found


def side_by_side(images: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.where(image > 0, image + 50 * i, 0) for i, image in enumerate(images)], axis=1)


@pytest.mark.parametrize("seed", range(5))
def test_every_variant_is_its_literal_definition(tmp_path: Path, seed: int) -> None:
    maps = random_maps(np.random.default_rng(seed))
    spec, predictions = write_data(tmp_path / "cells", maps)
    variants = choose(data="cells", decoding="ids", decodings=("ids",), protocol="nuclei").variants
    found = figures(rescore(predictions, open_decodings(spec, "ids"), "test", variants))
    ids = [f"cell{index}" for index in range(IMAGES)]

    def per_image(literal: Literal, change: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> dict[str, float]:
        return {id: literal(truth, change(truth, guess)) for id, (truth, guess) in zip(ids, maps, strict=True)}

    def same(_: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        return prediction

    def cut(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        return prediction * (truth > 0)

    wide = side_by_side([truth for truth, _ in maps]), side_by_side([guess for _, guess in maps])
    expected = {
        **{("own", name): per_image(literal, same) for name, literal in OWN.items()},
        **{("foreground", name): per_image(literal, cut) for name, literal in OWN.items()},
        **{("pooled", name): {POOLED: literal(*wide)} for name, literal in OWN.items() if name != "abs_dic"},
        ("aji_pea", "aji"): per_image(slow_metrics.aji_pea, same),
        ("dice_empty_0", "dice"): per_image(slow_metrics.dice_zero_if_empty, same),
        ("iou_at_least_half", "f1"): per_image(slow_metrics.f1_at_least_half, same),
        ("iou_at_least_half", "pq"): per_image(slow_metrics.pq_at_least_half, same),
        ("sbd_max", "sbd"): per_image(slow_metrics.sbd_max, same),
        ("released", "aji"): per_image(slow_metrics.aji_pea, same),
        ("released", "dice"): per_image(slow_metrics.dice_zero_if_empty, same),
        ("released", "f1"): per_image(slow_metrics.f1, same),
        ("released", "pq"): per_image(pq, same),
    }
    for variant, literal in (("aji_plus", slow_metrics.aji_plus), ("aji_cellpose", slow_metrics.aji_cellpose)):
        assigned = found.pop((variant, "aji"))  # of equally good assignments, any
        for id, (truth, prediction) in zip(ids, maps, strict=True):
            assert min(abs(assigned[id] - other) for other in literal(truth, prediction)) < 1e-9
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert found[name] == pytest.approx(values), name


def test_a_leaf_set_is_scored_as_released_within_the_foreground(tmp_path: Path) -> None:
    truth, prediction = np.zeros(SHAPE, int), np.zeros(SHAPE, int)
    truth[:4, :4], prediction[:4, :6], prediction[8:, :3] = 1, 1, 2
    spec, predictions = write_data(tmp_path / "leaves", [(truth, prediction)])
    choice = choose(data="cvppp-a1", decoding="ids", decodings=("ids",), protocol="leaves")
    found = figures(rescore(predictions, open_decodings(spec, "ids"), "test", choice.variants))
    # 16 px of 24 are right, and an object of 6 px lies outside: 2·16/40 = 0.8, and 0.4 over both predictions.
    assert found["own", "sbd"] == {"cell0": pytest.approx(0.4)}
    assert found["sbd_max", "sbd"] == {"cell0": pytest.approx(0.8)}
    assert found["own", "abs_dic"] == {"cell0": 1}
    assert found["foreground", "sbd"] == found["released", "sbd"] == {"cell0": 1}
    assert found["foreground", "abs_dic"] == found["released", "abs_dic"] == {"cell0": 0}


def write_bbbc039(root: Path, red: np.ndarray) -> None:
    for name in ("images", "masks", "metadata"):
        (root / name).mkdir(parents=True)
    for split in ("training", "validation", "test"):
        (root / "metadata" / f"{split}.txt").write_text(f"{split}.png")
        Image.fromarray(np.arange(red.size, dtype=np.uint16).reshape(red.shape)).save(root / f"images/{split}.tif")
        mask = np.zeros((*red.shape, 4), np.uint8)
        mask[..., 0], mask[..., 3] = red, 255
        Image.fromarray(mask).save(root / f"masks/{split}.png")


@pytest.mark.parametrize("own", ["pea", "official"])
def test_decodings_that_differ(tmp_path: Path, own: str) -> None:
    red = np.zeros((20, 30), np.uint8)
    red[0:6, 0:6], red[0:6, 6:12] = 1, 2  # touching nuclei of two colours: two, whatever the decoding
    red[10:16, 0:6], red[16:20, 6:16] = 1, 1  # corner to corner: one for PEA, 36 and 40 px officially
    red[2, 20:24] = 1  # 4 px: dropped by PEA
    prediction = np.zeros((20, 30), int)
    prediction[0:6, 0:6], prediction[0:6, 6:12], prediction[10:16, 0:6], prediction[16:20, 6:16] = 1, 2, 3, 4
    write_bbbc039(tmp_path / "bbbc", red)
    write_labels(tmp_path / "predictions" / "test.tif", prediction)
    datasets = open_decodings(f"bbbc039:{tmp_path / 'bbbc'}?decoding={own}", own)
    other = {"pea": "official", "official": "pea"}[own]
    assert list(datasets) == [own, other]
    variants = choose(data="bbbc039", decoding=own, decodings=("pea", "official"), protocol="nuclei").variants
    found = figures(rescore(tmp_path / "predictions", datasets, "test", variants))
    # Officially 4 of 5 nuclei are found exactly. PEA's three: two exactly, the third has IoU 40/76 > 0.5 with
    # prediction 4, and prediction 3 is spurious.
    f1 = {"official": 4 / 4.5, "pea": 3 / 3.5}
    aji = {"official": 148 / 152, "pea": (36 + 36 + 40) / (36 + 36 + 76 + 36)}
    count = {"official": 1, "pea": 1}
    for metric, values in (("f1", f1), ("aji", aji), ("abs_dic", count)):
        assert found["own", metric] == {"test": pytest.approx(values[own])}
        assert found[f"decoding_{other}", metric] == {"test": pytest.approx(values[other])}
    assert found["released", "f1"] == {"test": pytest.approx(f1["pea"])}
    assert found["released", "aji"] == {"test": pytest.approx(aji["pea"])}


def test_each_prediction_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.protocol import rescoring

    spec, predictions = write_data(tmp_path / "cells", random_maps(np.random.default_rng(0)))
    read: list[str] = []

    def counted(path: Path) -> np.ndarray:
        read.append(path.name)
        return read_labels(path)

    read_labels = rescoring.read_labels
    monkeypatch.setattr(rescoring, "read_labels", counted)
    variants = choose(data="cells", decoding="ids", decodings=("ids",), protocol="nuclei").variants
    rescore(predictions, open_decodings(spec, "ids"), "test", variants)
    assert read == [f"cell{index}.tif" for index in range(IMAGES)]


@pytest.fixture
def scored(tmp_path: Path) -> tuple[list[Score], list[dict]]:
    maps = random_maps(np.random.default_rng(7))
    spec, predictions = write_data(tmp_path / "cells", maps)
    variants = choose(data="cells", decoding="ids", decodings=("ids",), protocol="nuclei").variants
    images = [{"id": f"cell{index}", **score_image(*pair)} for index, pair in enumerate(maps)]
    return rescore(predictions, open_decodings(spec, "ids"), "test", variants), images


def test_own_figures_are_the_stored_ones_to_the_last_bit(scored: tuple[list[Score], list[dict]]) -> None:
    scores, images = scored
    stored = {(image["id"], name): image[name] for image in images for name in OWN}
    assert {(score.image, score.metric): score.value for score in scores if score.variant == "own"} == stored
    assert disagreement(scores, images) is None


def test_a_disagreement_names_image_and_metric(scored: tuple[list[Score], list[dict]]) -> None:
    scores, images = scored
    changed = [image | {"dice": image["dice"] - 1e-8} if image["id"] == "cell2" else image for image in images]
    assert "dice of image cell2" in str(disagreement(scores, changed))
    assert "cell3 is in only one" in str(disagreement(scores, images[:3]))
    assert "cell9 is in only one" in str(disagreement(scores, [*images, {"id": "cell9"}]))
    without = [{name: value for name, value in image.items() if name != "pq"} for image in images]
    assert "result.json says None" in str(disagreement(scores, without))


def test_what_cannot_be_scored_names_the_file(tmp_path: Path) -> None:
    spec, predictions = write_data(tmp_path / "cells", random_maps(np.random.default_rng(0)))
    datasets = open_decodings(spec, "ids")
    variants = choose(data="cells", decoding="ids", decodings=("ids",), protocol="nuclei").variants
    write_labels(predictions / "cell1.tif", np.zeros((3, 4), int))
    with pytest.raises(UserError, match=r"cell1\.tif: .*10×12.*3×4"):
        rescore(predictions, datasets, "test", variants)
    (predictions / "cell1.tif").write_bytes(b"II*\0")
    with pytest.raises(UserError, match=r"cell1\.tif"):
        rescore(predictions, datasets, "test", variants)
    (predictions / "cell1.tif").unlink()
    with pytest.raises(UserError, match=r"cell1\.tif"):
        rescore(predictions, datasets, "test", variants)
