"""Links in results that somebody else made lead nowhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from benchmarks.errors import UserError
from benchmarks.exports.choice import Export
from benchmarks.exports.writing import export_paths
from benchmarks.files import exclusive
from benchmarks.links import FOLDERS, refuse_linked_folders
from benchmarks.store.job_folder import JobFolder

KEY = "a" * 16


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A file that no results are in."""
    path = tmp_path / "mine.txt"
    path.write_text("precious")
    return path


def test_a_lock_that_is_a_link_changes_nothing(tmp_path: Path, mine: Path) -> None:
    link, folder = tmp_path / "out" / "tracking.lock", JobFolder.named(KEY, tmp_path / "out")
    folder.path.mkdir(parents=True)
    for path in (link, folder.path / "lock"):
        path.symlink_to(mine)
    with pytest.raises(UserError, match=r"tracking\.lock is a link to .*mine\.txt.*Delete the link"), exclusive(link):
        pass
    with pytest.raises(UserError, match=r"lock is a link to .*mine\.txt"), folder.lock():
        pass
    assert mine.read_text() == "precious"


def test_a_lock_that_dangles_makes_no_file(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "nothing")
    with pytest.raises(UserError, match="is a link to"), exclusive(tmp_path / "lock"):
        pass
    assert not (tmp_path / "nothing").exists()


def test_a_lock_keeps_what_is_in_it(tmp_path: Path) -> None:
    """Hard links cannot be told from files."""
    (tmp_path / "lock").write_text("host")
    with exclusive(tmp_path / "lock"):
        assert (tmp_path / "lock").read_text() == "host"


@pytest.mark.parametrize("inner", ["model", "predictions", "output.log", "overlays/first.png"])
def test_a_job_folder_that_holds_links_is_not_run(tmp_path: Path, mine: Path, inner: str) -> None:
    folder = JobFolder.named(KEY, tmp_path / "out")
    (folder.path / inner).parent.mkdir(parents=True)
    (folder.path / inner).symlink_to(mine)
    with pytest.raises(UserError, match=rf"{inner} is a link to"), folder.lock():
        pass


def test_a_job_folder_that_is_elsewhere_is_not_run(tmp_path: Path) -> None:
    folder = JobFolder.named(KEY, tmp_path / "out")
    folder.path.parent.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    folder.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=rf"{KEY} leads out of .*nothing is written outside the --out"), folder.lock():
        pass
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_out_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    with JobFolder.named(KEY, tmp_path / "out").lock() as mine:
        assert mine
    assert refuse_linked_folders(tmp_path / "out") == tmp_path / "out"


def test_all_folders_of_exports_are_looked_at() -> None:
    out = Path("out")
    made = export_paths(out, get_args(Export))
    assert {path.name for path in made if not path.suffix} <= set(FOLDERS)


@pytest.mark.parametrize("name", FOLDERS)
def test_parts_of_out_that_lie_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(tmp_path)
    with pytest.raises(UserError, match=f"{name} leads out of"):
        refuse_linked_folders(tmp_path / "out")


def test_commands_say_so_and_end_with_2(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "reports").symlink_to(tmp_path)
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.cli", "report", "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2 and "Error: " in ended.stderr and "reports leads out of" in ended.stderr
