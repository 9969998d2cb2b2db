"""Sending a saved model to the Hugging Face hub: the files as they were tested, in one commit."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.errors import UserError
from benchmarks.store.checksums import changed_files
from benchmarks.store.documents import UnreadableError
from benchmarks.store.job_folder import CARD_FILE, JobFolder
from benchmarks.store.models.model_card import MARK, model_card
from benchmarks.store.models.saved_model import HARNESS_FILE, find_model
from benchmarks.store.result import Result

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Upload:
    """What goes to the hub.

    Attributes:
        repository: USER/NAME.
        files: by their path in the repository.
        card: the text of its model card.
        places: where the training data lay, and the model that training started from: `harness.json` names them.
    """

    repository: str
    files: dict[str, Path]
    card: str
    places: tuple[str, ...]

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each file, the card among them."""
        sizes = {name: path.stat().st_size for name, path in self.files.items()}
        return sizes | {CARD_FILE: len(self.card.encode())}


def prepare_upload(model: Path, repository: str) -> Upload:
    """Gather what would be sent, and send nothing.

    A card that is not ours, such as that of a model of an older version, gives way to one; one that was edited stays.

    Args:
        model: OUT of `train`, a job's folder, or its model folder.

    Raises:
        UserError: no model there, or one that is not as it was saved; a name that is no USER/NAME.
    """
    if not _REPOSITORY.fullmatch(repository):
        raise UserError(f"--to {repository}: expected USER/NAME, a repository on the hub, such as me/nuclei-pctrans.")
    folder = find_model(model).resolve()
    try:
        description = json.loads((folder / HARNESS_FILE).read_text(encoding="utf-8"))
        job, checksums = dict(description["job"]), dict(description.get("sha256", {}))
        card, places = card_of(folder, job), [str(job["data"]["spec"])]
        if start := job.get("started_from"):
            places.append(str(start["place"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder / HARNESS_FILE} does not describe a model ({error}): copy the folder again from where it came."
        ) from error
    if changed := changed_files(folder, checksums):
        what = "; ".join(f"{name} {problem}" for name, problem in changed.items())
        raise UserError(f"{folder}: {what}. Nothing was sent: copy the model again from where it came, or train again.")
    files = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".") and path != folder / CARD_FILE
    }
    return Upload(repository, files, card, tuple(filter(None, places)))


def push(upload: Upload, *, private: bool) -> str:
    """Send an upload; returns the address of the commit.

    The repository is made if there is none. Login is that of huggingface_hub (`hf auth login`, or HF_TOKEN).

    Raises:
        UserError: the hub refuses, or cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi()
    operations = [CommitOperationAdd(name, str(path)) for name, path in upload.files.items()]
    operations.append(CommitOperationAdd(CARD_FILE, upload.card.encode()))
    try:
        api.create_repo(upload.repository, repo_type="model", private=private, exist_ok=True)
        commit = api.create_commit(
            upload.repository, operations, repo_type="model", commit_message="Model of pctrans-bench"
        )
    except Exception as error:  # the hub's library raises its own errors and those of whatever it sends with
        reason = " ".join(str(error).split())
        raise UserError(
            f"{upload.repository} was not written: {reason[:400]}. Log in with `hf auth login` as somebody who may "
            "write there, and give the same command again."
        ) from error
    return str(commit.commit_url)


def card_of(folder: Path, job: dict[str, Any]) -> str:
    """The card of the model in `folder`, made by the resolved job: the one there if it is ours, else a new one."""
    try:
        text = (folder / CARD_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    return text if MARK in text else model_card(job, _result(folder, str(job["key"])))


def _result(folder: Path, key: str) -> Result | None:
    """Find the result of the job that a model lies in; None where it was moved out of it, or the result is damaged."""
    job = JobFolder(folder.parent)
    try:
        return job.read_result() if job.key == key else None
    except UnreadableError:
        return None
