"""A trained model on disk: the method's own folder plus what the harness needs to use it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.contract import Segmenter
from benchmarks.data import Dataset
from benchmarks.data.identity import PartIdentity, identities_of_parts
from benchmarks.data.normalisation import Range, checked_range
from benchmarks.data.opening import range_of
from benchmarks.errors import UserError
from benchmarks.files import WriteError, naming_failures, sync_file, sync_folder, write_json
from benchmarks.plan.job import Job
from benchmarks.plan.methods import get_method
from benchmarks.plan.settings import TestingSettings
from benchmarks.store.checksums import changed_files, checksums_of
from benchmarks.store.job_folder import CARD_FILE
from pctrans.pretrained import built_in_model

HARNESS_FILE = "harness.json"
CONFIG_FILE = "config.json"
_UNCHECKED = (HARNESS_FILE, CONFIG_FILE, CARD_FILE)
"""The configuration gets its thresholds later, and the model card is for people."""
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class SavedModel:
    """A model ready to segment.

    Attributes:
        tile: side of the crops it was trained on, in pixels.
        testing: how its job tested it.
        precision: "float32" or "bfloat16", as its job computed.
        range: the limits that the images it was trained on were stretched between; None where they differed among them.
        diameter: median diameter of the objects it was trained on, in pixels; None where that is not known.
    """

    segmenter: Segmenter
    method: str
    tile: int
    testing: TestingSettings
    precision: str
    range: Range | None
    diameter: float | None = None


@dataclass(frozen=True)
class TrainingData:
    """What a saved model keeps of its data beside what its job does.

    Attributes:
        range: as in `SavedModel`.
        parts: of a union, or the data set itself.
    """

    range: Range | None
    parts: tuple[PartIdentity, ...]

    @classmethod
    def of(cls, dataset: Dataset) -> TrainingData:
        """What to keep of a data set, all of which is read.

        Raises:
            UserError: a sample cannot be read, or is no longer what was loaded before.
        """
        return cls(dataset.range, identities_of_parts(dataset))

    def described(self) -> dict[str, Any]:
        """Fields of the file."""
        return {"range": self.range, "parts": [asdict(part) for part in self.parts]}


def save_model(
    model: Segmenter, job: Job, folder: Path, *, diameter: float | None = None, data: TrainingData | None = None
) -> None:
    """Write the model and what made it; last, when all else is on the disk, the file that makes it a model.

    Args:
        diameter: median diameter of the objects it was trained on, in pixels.
        data: that it was trained on; None keeps what the job says of them alone.

    Raises:
        WriteError: the system refuses.
    """
    harness = folder / HARNESS_FILE
    harness.unlink(missing_ok=True)
    _save_weights(model, folder)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    for path in files:
        sync_file(path)
    sync_folder(folder)
    description = {
        "method": job.method,
        "tile": job.tile,
        "testing": job.testing.model_dump(mode="json"),
        "precision": job.training.precision,
        "diameter": diameter,
        **(data.described() if data else {}),
        "sha256": checksums_of(folder, (path for path in files if path.name not in _UNCHECKED)),
        "job": job.resolved(),
    }
    write_json(harness, description)


def _save_weights(model: Segmenter, folder: Path) -> None:
    from safetensors import SafetensorError

    try:
        with naming_failures(folder):
            model.save_pretrained(folder)  # type: ignore[attr-defined]
    except SafetensorError as error:
        raise WriteError(f"The weights in {folder} cannot be written: {error}. Is there room on that disk?") from error


def find_model(path: Path) -> Path:
    """The model folder at `path`: itself, or the `model` folder inside a job or of `train --out`.

    A model that comes with the package goes by its name; for a folder of that name see `pctrans.pretrained.model_path`.

    Raises:
        UserError: there is none.
    """
    if built_in := built_in_model(path):
        return built_in
    for folder in (path, path / "model"):
        if (folder / HARNESS_FILE).is_file():
            return folder
    others = sorted(found.parent for found in path.glob(f"jobs/*/model/{HARNESS_FILE}"))
    raise UserError(
        f"{path} holds no model of this harness: expected a folder with {HARNESS_FILE} and model.safetensors, "
        "such as JOB/model, or the --out folder of `pctrans-bench train`."
        + (f" Models of its jobs: {', '.join(map(str, others))}." if others else "")
    )


def load_model(path: Path, device: str) -> SavedModel:
    """Load a model for inference, if it is whole: every weight is there, a finite number, and as it was saved.

    Raises:
        UserError: no model there, or a damaged one.
    """
    folder = find_model(path)
    try:
        description: dict[str, Any] = json.loads((folder / HARNESS_FILE).read_text(encoding="utf-8"))
        _refuse_changed_files(folder, description.get("sha256", {}))
        with redirect_stdout(None):  # the hub mixin announces every load
            segmenter = get_method(description["method"]).load(str(folder))
        testing = TestingSettings.model_validate(description["testing"])
        tile, precision = int(description["tile"]), str(description["precision"])
        if precision not in PRECISIONS:
            raise ValueError(f"{HARNESS_FILE} says the precision {precision!r}; expected {' or '.join(PRECISIONS)}")
        limits = _range(description)
    except UserError:
        raise
    except Exception as error:  # damaged files raise whatever their library likes
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(
            f"{folder} cannot be loaded: {reason[:400]}{'…' * (len(reason) > 400)}. Copy it again from where it came, "
            "or train it again."
        ) from error
    if isinstance(segmenter, torch.nn.Module):
        _refuse_infinite_weights(segmenter, folder)
        segmenter.to(device).eval()
    return SavedModel(segmenter, description["method"], tile, testing, precision, limits, description.get("diameter"))


def _range(description: dict[str, Any]) -> Range | None:
    if "range" in description:
        stored = description["range"]
        return None if stored is None else checked_range(str(stored), HARNESS_FILE)
    try:  # a model of before the range was stored
        data = description["job"]["data"]
        return range_of(data["spec"], data["decoding"])
    except (KeyError, UserError):
        return "min-max"  # as all data that have no such option


def _refuse_changed_files(folder: Path, checksums: dict[str, str]) -> None:
    for name, problem in changed_files(folder, checksums).items():
        raise ValueError(f"{name} {problem}")


def _refuse_infinite_weights(segmenter: torch.nn.Module, folder: Path) -> None:
    if broken := not_finite(segmenter.state_dict()):
        raise UserError(
            f"{folder}: the weights {', '.join(broken[:3])}{' and others' * (len(broken) > 3)} hold values that are no "
            "finite numbers, so the model segments nothing. Copy it again from where it came, or train it again."
        )


def not_finite(tensors: Mapping[str, torch.Tensor]) -> list[str]:
    """Names of the tensors that hold infinities or what is no number."""
    return [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
