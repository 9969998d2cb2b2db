from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from test_model_card import trained
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.errors import UserError
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.models.hub import prepare_upload, push
from benchmarks.store.models.saved_model import HARNESS_FILE, load_model


class Hub:
    """Stands in for the hub: keeps what is sent, refuses what it is told to."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.files: dict[str, bytes] = {}
        self.refusal: Exception | None = None

    def create_repo(self, repo_id: str, **options: Any) -> None:
        self.calls.append(f"create {repo_id} private={options['private']}")

    def create_commit(self, repo_id: str, operations: list[Any], **_: Any) -> SimpleNamespace:
        if self.refusal:
            raise self.refusal
        self.calls.append(f"commit {repo_id}")
        for one in operations:
            content = one.path_or_fileobj
            self.files[one.path_in_repo] = content if isinstance(content, bytes) else Path(content).read_bytes()
        return SimpleNamespace(commit_url=f"https://hub/{repo_id}/commit/1")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    stand_in = Hub()
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: stand_in)
    return stand_in


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    return trained(tmp_path_factory.mktemp("hub"))[1]


def test_what_is_sent_is_what_was_tested(finished: JobFolder, hub: Hub, tmp_path: Path) -> None:
    assert push(prepare_upload(finished.path, "me/nuclei"), private=True) == "https://hub/me/nuclei/commit/1"
    assert hub.calls == ["create me/nuclei private=True", "commit me/nuclei"]
    assert hub.files == {path.name: path.read_bytes() for path in finished.model.iterdir()}
    for name, content in hub.files.items():
        (tmp_path / name).write_bytes(content)
    assert load_model(tmp_path, "cpu").method == "watershed"


def test_a_dry_run_says_what_would_be_sent_and_sends_nothing(finished: JobFolder, hub: Hub) -> None:
    done = CliRunner().invoke(app, ["push", str(finished.path), "--to", "me/nuclei", "--dry-run"])
    assert done.exit_code == 0, done.output
    assert hub.calls == []
    assert all(path.name in done.output for path in finished.model.iterdir())
    assert "Nothing was sent" in done.output and "## Limits" in done.output and "synthetic-nuclei" in done.output


def test_a_model_of_before_gets_a_card_and_an_edited_one_stays(finished: JobFolder, hub: Hub) -> None:
    ours = finished.model_card.read_text()
    try:
        finished.model_card.unlink()
        assert prepare_upload(finished.path, "me/x").card == ours
        finished.model_card.write_text("---\ntags: [model_hub_mixin]\n---\nThis model has been pushed …")
        assert prepare_upload(finished.path, "me/x").card == ours
        finished.model_card.write_text(ours + "Mine.")
        assert prepare_upload(finished.path, "me/x").card.endswith("Mine.")
    finally:
        finished.model_card.write_text(ours)
    assert hub.calls == []


def test_a_damaged_model_or_a_bad_name_is_not_sent(tmp_path: Path, finished: JobFolder) -> None:
    with pytest.raises(UserError, match="expected USER/NAME"):
        prepare_upload(finished.path, "nuclei")
    harness = tmp_path / HARNESS_FILE
    harness.write_text((finished.model / HARNESS_FILE).read_text().replace('"sha256": {}', '"sha256": {"a.bin": "0"}'))
    with pytest.raises(UserError, match=r"a.bin is missing. Nothing was sent"):
        prepare_upload(tmp_path, "me/x")
    harness.write_text("{}")
    with pytest.raises(UserError, match="does not describe a model"):
        prepare_upload(tmp_path, "me/x")


def test_a_refusal_says_what_to_do(finished: JobFolder, hub: Hub) -> None:
    hub.refusal = RuntimeError("401 Client Error")
    with pytest.raises(UserError, match=r"was not written: 401 Client Error\. Log in with"):
        push(prepare_upload(finished.path, "me/x"), private=False)
