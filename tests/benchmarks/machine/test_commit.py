"""Which commit a result says that it is of: never one of another repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks.machine import commit
from benchmarks.machine.commit import commit_of_checkout, commit_of_this_code


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=nobody", "-c", "user.email=nobody@localhost", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path.resolve() / "project"
    root.mkdir()
    (root / "file").write_text("1")
    for arguments in (("init",), ("add", "."), ("commit", "--message", "one")):
        git(root, *arguments)
    return root


def test_a_checkout_has_its_commit_and_says_where_it_was_changed(checkout: Path) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    assert commit_of_checkout(checkout) == head
    (checkout / "file").write_text("2")
    assert commit_of_checkout(checkout) == f"{head}+changes"


def test_an_environment_in_somebodys_checkout_is_not_of_that(checkout: Path, tmp_path: Path) -> None:
    packages = checkout / ".venv" / "lib" / "site-packages"
    packages.mkdir(parents=True)
    assert commit_of_checkout(packages) is None
    assert commit_of_checkout(tmp_path) is None


def test_without_a_checkout_the_build_and_then_the_installation_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Installed:
        notes: str | None = '{"url": "https://x", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}}'

        def read_text(self, name: str) -> str | None:
            return self.notes if name == "direct_url.json" else None

    monkeypatch.setattr(commit, "ROOT", tmp_path)
    monkeypatch.setattr(commit, "STAMP", tmp_path / "COMMIT")
    monkeypatch.setattr(commit, "distribution", lambda name: Installed())
    assert commit_of_this_code() == "c0ffee"
    (tmp_path / "COMMIT").write_text("deadbeef\n")
    assert commit_of_this_code() == "deadbeef"
    (tmp_path / "COMMIT").unlink()
    for Installed.notes in (None, "{}", "[]", '{"dir_info": {"editable": true}}', "no JSON"):
        assert commit_of_this_code() is None
