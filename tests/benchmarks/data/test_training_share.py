"""Parts of the training images: nested, drawn, and the whole unchanged."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.data import open_dataset
from benchmarks.data.opening import training_share_of
from benchmarks.data.training_share import TrainingShare
from benchmarks.errors import UserError
from benchmarks.plan.job import JobContext
from benchmarks.plan.resolving import make_job

SPEC = "synthetic-nuclei?size=64&train=13&val=1&test=2"
SHARES = ("1/8", "1/4", "1/2", "0.75", "1")


@pytest.mark.parametrize("draw", [0, 1, 7])
def test_parts_are_nested_and_rounded_up(draw: int) -> None:
    parts = [set(open_dataset(f"{SPEC}&train-share={share}&draw={draw}").ids("train")) for share in SHARES]
    assert [len(part) for part in parts] == [2, 4, 7, 10, 13]
    assert all(small < large for small, large in pairwise(parts))


def test_other_splits_stay_whole() -> None:
    part, whole = open_dataset(f"{SPEC}&train-share=1/8"), open_dataset(SPEC)
    assert [part.ids(split) for split in ("val", "test")] == [whole.ids(split) for split in ("val", "test")]
    assert part.evaluation_split == whole.evaluation_split


def test_images_that_are_left_out_cannot_be_loaded() -> None:
    part, whole = open_dataset(f"{SPEC}&train-share=1/8"), open_dataset(SPEC)
    (id, *_) = set(whole.ids("train")) - set(part.ids("train"))
    with pytest.raises(UserError, match="no image"):
        part.load(id)


def test_draws_differ_and_repeat() -> None:
    first, again, other = (open_dataset(f"{SPEC}&train-share=1/2&draw={draw}").ids("train") for draw in (0, 0, 1))
    assert first == again != other


def test_keys_of_the_whole_stay_and_those_of_parts_differ() -> None:
    specs = [SPEC, f"{SPEC}&train-share=1", f"{SPEC}&train-share=1&draw=3", f"{SPEC}&train-share=1/2"]
    keys = [make_job("pctrans", JobContext.on(open_dataset(spec), "smoke"), seed=0).key for spec in specs]
    assert keys[0] == keys[1] == keys[2] != keys[3]


def test_folders_have_parts_too_with_their_other_options(tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    for name in ("images", "labels", "splits"):
        (tmp_path / name).mkdir()
    names = [f"{number:02d}" for number in range(6)]
    for name in names:
        Image.fromarray(np.full((32, 32), 9, np.uint8)).save(tmp_path / "images" / f"{name}.png")
        Image.fromarray(np.full((32, 32), 1, np.uint8)).save(tmp_path / "labels" / f"{name}.png")
    for split, part in (("train", names[:4]), ("val", names[4:5]), ("test", names[5:])):
        (tmp_path / "splits" / f"{split}.txt").write_text("\n".join(part))
    dataset = open_dataset(f"folder:{tmp_path}?decoding=components&train-share=1/2")
    assert len(dataset.ids("train")) == 2
    assert dataset.decoding == "components"
    assert dataset.name.endswith(", 1/2 of its training images")
    dataset.validate()


@pytest.mark.parametrize("share", ["0", "2", "1/0", "-1/2", "9/8", "1/8/2", "half", "", "1e-3", "nan"])
def test_what_is_no_share_is_refused(share: str) -> None:
    with pytest.raises(UserError, match="train-share"):
        open_dataset(f"{SPEC}&train-share={share}")


def test_what_is_no_draw_is_refused() -> None:
    with pytest.raises(UserError, match="draw is"):
        open_dataset(f"{SPEC}&train-share=1/2&draw=-1")


def test_a_spec_says_its_share() -> None:
    assert training_share_of(f"{SPEC}&train-share=1/8&draw=2") == TrainingShare(Fraction(1, 8), 2)
    assert training_share_of("folder:/nowhere").whole
    part = TrainingShare(Fraction(1, 8), 2)
    assert training_share_of(f"folder:/nowhere?{part.option()}") == part
