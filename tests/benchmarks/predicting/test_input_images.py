from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.errors import UserError
from benchmarks.predicting.input_images import find_images, read_stems


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for name in ("b.png", "a.tif", "c.PNG", ".hidden.png", "notes.txt"):
        path = tmp_path / name
        if path.suffix.lower() in (".png", ".tif"):
            Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)
        else:
            path.write_text("x")
    return tmp_path


def test_files_folders_and_globs(images: Path) -> None:
    assert [p.name for p in find_images([str(images)])] == ["a.tif", "b.png", "c.PNG"]
    assert [p.name for p in find_images([str(images / "*.png")])] == ["b.png"]
    assert [p.name for p in find_images([str(images / "b.png"), str(images / "a.tif"), str(images)])] == [
        "a.tif", "b.png", "c.PNG",
    ]  # fmt: skip


def test_nothing_found_is_an_error(images: Path) -> None:
    for text in ("notes.txt", "*.jpg", "nowhere"):
        with pytest.raises(UserError, match="no PNG, TIFF or JPEG image"):
            find_images([str(images / text)])


def test_two_images_of_one_stem_are_an_error(images: Path) -> None:
    (images / "other").mkdir()
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(images / "other" / "a.png")
    with pytest.raises(UserError, match="same stem"):
        find_images([str(images), str(images / "other")])


def test_a_list_of_stems(images: Path) -> None:
    stems = images / "test.txt"
    stems.write_text("c.PNG\n\na\n")
    assert read_stems(stems) == ["c", "a"]
    assert [p.name for p in find_images([str(images)], stems)] == ["a.tif", "c.PNG"]
    stems.write_text("a\nz\n")
    with pytest.raises(UserError, match="names z"):
        find_images([str(images)], stems)
    stems.write_text("\n")
    with pytest.raises(UserError, match="is empty"):
        read_stems(stems)


def test_a_glob_works_below_a_folder_whose_name_is_a_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "[1] plate*" / "deep"
    folder.mkdir(parents=True)
    for name in ("a.png", "b.png", "c[1].png"):
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(folder / name)
    assert [p.name for p in find_images([str(folder / "*.png")])] == ["a.png", "b.png", "c[1].png"]
    assert [p.name for p in find_images([str(tmp_path / "[1] plate*" / "**" / "[ab].png")])] == ["a.png", "b.png"]
    assert [p.name for p in find_images([str(folder / "c[1].png")])] == ["c[1].png"]


def test_names_in_either_normal_form_are_one_name(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "Zelle-a\u0308.png")
    stems = tmp_path / "list.txt"
    stems.write_text("Zelle-\u00e4\n", encoding="utf-8")
    assert len(find_images([str(tmp_path)], stems)) == 1
    (tmp_path / "other").mkdir()
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "other" / "Zelle-\u00e4.png")
    with pytest.raises(UserError, match="same stem"):
        find_images([str(tmp_path), str(tmp_path / "other")])
