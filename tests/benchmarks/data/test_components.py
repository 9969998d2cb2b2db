"""Ids in several pieces: told apart from masks and colourings, named, and split on request."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import label

from benchmarks.data import check_dataset, open_dataset
from benchmarks.data.components import Pieces, count_pieces, pieces_note, split_components
from benchmarks.errors import UserError

GRID = np.kron(np.arange(1, 21).reshape(4, 5), np.pad(np.ones((3, 3), int), ((0, 2), (0, 2)))).astype(np.uint8)


def test_components_are_those_of_each_id_alone() -> None:
    labels = np.random.default_rng(0).integers(-1, 4, (30, 40))
    found = split_components(labels)
    assert (found[labels == -1] == -1).all() and (found[labels == 0] == 0).all()
    count = 0
    for id in (1, 2, 3):
        expected, number = label(labels == id, np.ones((3, 3)))
        count += number
        for piece in range(1, number + 1):
            (own,) = np.unique(found[expected == piece])
            assert ((found == own) == (expected == piece)).all()
    assert found.max() == count == count_pieces(labels).pieces


def test_what_labels_look_like() -> None:
    assert count_pieces(GRID) == Pieces(20, 20)
    assert count_pieces(GRID.astype(int) - 2) == Pieces(18, 18)  # -1 and 0 are no ids
    mask, colours = (GRID > 0) * 255, np.where(GRID, GRID % 4 + 1, 0)
    assert count_pieces(mask).describe() == "1 id in 20 pieces, a foreground mask"
    assert count_pieces(colours).describe() == "4 ids in 20 pieces, colours in place of ids"
    torn = GRID.copy()
    torn[torn == 20] = 1
    assert count_pieces(torn).describe() == "19 ids in 20 pieces"
    note = pieces_note({"a": count_pieces(GRID), "b": count_pieces(mask), "c": count_pieces(torn)})
    assert note and note.startswith("2 label maps") and note.index("b (1 id") < note.index("c (19 ids")
    assert pieces_note({"a": count_pieces(GRID)}) is None


@pytest.mark.parametrize(("colours", "said"), [(1, "these are foreground masks"), (4, "these are colours")])
def test_a_folder_of_masks_or_colours_is_a_problem_and_can_be_decoded(folder: Path, colours: int, said: str) -> None:
    for stem in ("a", "b", "c.1", "d"):
        Image.fromarray(np.where(GRID, GRID % colours + 1, 0)[:20, :24].astype(np.uint8)).save(
            folder / "labels" / f"{stem}.png"
        )
    (problem,) = check_dataset(open_dataset(f"folder:{folder}")).problems
    assert said in problem and "decoding=components" in problem
    split = open_dataset(f"folder:{folder}?decoding=components")
    report = check_dataset(split)
    assert report.problems == [] and report.splits["test"].counts == [20]
    assert split.fingerprint != open_dataset(f"folder:{folder}").fingerprint
    assert open_dataset(f"folder:{folder}", decoding="components").decoding == "components"
    with pytest.raises(UserError, match="no decoding 'watershed' of a folder"):
        open_dataset(f"folder:{folder}?decoding=watershed")


def test_files_with_pieces_are_named_with_their_counts(folder: Path) -> None:
    labels = np.zeros((20, 24), np.uint8)
    labels[:3, :3] = labels[10:13, 10:13] = 7
    labels[:3, 10:13] = 8
    Image.fromarray(labels).save(folder / "labels" / "b.png")
    report = check_dataset(open_dataset(f"folder:{folder}"))
    assert report.problems == []
    (note,) = report.notes
    assert "1 label maps" in note and "labels/b.png (2 ids in 3 pieces)" in note
