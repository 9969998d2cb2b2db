"""A trained model on disk: the method's own folder plus what the harness needs to use it."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.contract import Segmenter
from benchmarks.data.normalisation import Range
from benchmarks.data.opening import range_of
from benchmarks.errors import UserError
from benchmarks.files import write_json
from benchmarks.plan.job import Job
from benchmarks.plan.methods import get_method
from benchmarks.plan.settings import TestingSettings

HARNESS_FILE = "harness.json"


@dataclass(frozen=True)
class SavedModel:
    """A model ready to segment.

    Attributes:
        tile: side of the crops it was trained on, in pixels.
        testing: how its job tested it.
        precision: "float32" or "bfloat16", as its job computed.
        range: the limits that the images it was trained on were stretched between.
    """

    segmenter: Segmenter
    method: str
    tile: int
    testing: TestingSettings
    precision: str
    range: Range


def save_model(model: Segmenter, job: Job, folder: Path) -> None:
    """Write the model and what made it."""
    model.save_pretrained(folder)  # type: ignore[attr-defined]
    description = {
        "method": job.method,
        "tile": job.tile,
        "testing": job.testing.model_dump(mode="json"),
        "precision": job.training.precision,
        "job": job.resolved(),
    }
    write_json(folder / HARNESS_FILE, description)


def find_model(path: Path) -> Path:
    """The model folder at `path`: itself, or the `model` folder inside a job or of `train --out`.

    Raises:
        UserError: there is none.
    """
    for folder in (path, path / "model"):
        if (folder / HARNESS_FILE).is_file():
            return folder
    raise UserError(
        f"{path} holds no model of this harness: expected a folder with {HARNESS_FILE} and model.safetensors, "
        "such as JOB/model, or the --out folder of `pctrans-bench train`."
    )


def load_model(path: Path, device: str) -> SavedModel:
    """Load a model for inference.

    Raises:
        UserError: no model there, or a damaged one.
    """
    folder = find_model(path)
    try:
        description: dict[str, Any] = json.loads((folder / HARNESS_FILE).read_text(encoding="utf-8"))
        with redirect_stdout(None):  # the hub mixin announces every load
            segmenter = get_method(description["method"]).load(str(folder))
        testing = TestingSettings.model_validate(description["testing"])
        tile, precision = int(description["tile"]), str(description["precision"])
    except UserError:
        raise
    except Exception as error:  # damaged files raise whatever their library likes
        raise UserError(f"{folder} cannot be loaded: {type(error).__name__}: {error}") from error
    if isinstance(segmenter, torch.nn.Module):
        segmenter.to(device).eval()
    return SavedModel(segmenter, description["method"], tile, testing, precision, _range(description))


def _range(description: dict[str, Any]) -> Range:
    try:
        return range_of(description["job"]["data"]["spec"])
    except (KeyError, UserError):
        return "min-max"  # as all data that have no such option
