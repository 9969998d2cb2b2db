"""Opening datasets by their specs: what a spec opens, and what the error for a wrong one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.data import open_dataset
from benchmarks.errors import UserError


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("synthetic-nucleii", "did you mean synthetic-nuclei"),
        ("Folder:x", "did you mean folder:PATH"),
        ("bbbc39:x", "did you mean bbbc039:PATH"),
        ("imagenet", "known are folder:PATH"),
        ("", "known are"),
        ("folder:", "path is missing"),
        ("synthetic-nuclei:x", "takes no path"),
        ("folder:/nowhere/at/all", "/nowhere/at/all"),
        ("bbbc039:/nowhere/at/all", "no such folder"),
        ("cvppp-a1:/nowhere/at/all", "/nowhere/at/all"),
        ("folder:x?seed=1", "no option 'seed'"),
    ],
)
def test_wrong_specs_are_answered(spec: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        open_dataset(spec)
    assert said in str(error.value)


def test_a_bare_folder_is_answered_with_the_right_form(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"did you mean folder:{tmp_path}"):
        open_dataset(str(tmp_path))


def test_decoding_belongs_to_bbbc039_and_may_not_contradict_the_spec(folder: Path) -> None:
    assert open_dataset(f"folder:{folder}", decoding="ids").decoding == "ids"
    with pytest.raises(UserError, match="no decoding 'pea' of a folder; expected ids or components"):
        open_dataset(f"folder:{folder}", decoding="pea")
    with pytest.raises(UserError, match="'pea' was asked for as well"):
        open_dataset(f"bbbc039:{folder}?decoding=official", decoding="pea")


def test_splits_and_ids_that_do_not_exist_are_refused() -> None:
    dataset = open_dataset("synthetic-nuclei")
    with pytest.raises(UserError, match="expected one of train, val, test"):
        dataset.ids("validation")
    with pytest.raises(UserError, match="no image 'train-0024'"):
        dataset.load("train-0024")
