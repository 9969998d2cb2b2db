"""A saved model made small: its weights in half precision, without the place where its data lay."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.errors import UserError
from benchmarks.files import atomic_path, write_atomic, write_json
from benchmarks.store.checksums import checksums_of
from benchmarks.store.job_folder import CARD_FILE
from benchmarks.store.models.hub import card_of
from benchmarks.store.models.saved_model import CONFIG_FILE, HARNESS_FILE, find_model, load_model, not_finite
from pctrans.weights import WEIGHTS_FILE


@dataclass(frozen=True)
class Packed:
    """What was written.

    Attributes:
        size: of its weights in bytes.
        before: of the weights as they were.
        largest_change: of a weight, relative to the largest of its tensor.
    """

    folder: Path
    size: int
    before: int
    largest_change: float


def pack_model(model: Path, to: Path) -> Packed:
    """Copy a model with its matrices and kernels in half precision; vectors, such as statistics of norms, stay.

    Loading brings the weights back to float32, in which the network computes as before.

    Raises:
        UserError: no model there, a damaged one, or one whose weights half precision cannot hold; `to` is there.
    """
    from safetensors.torch import load_file, save_file

    folder = find_model(model)
    load_model(model, "cpu")  # refuses what is not whole
    if to.exists():
        raise UserError(f"{to} is there already: give a folder that is not, or remove it.")
    if not (folder / WEIGHTS_FILE).is_file():
        raise UserError(f"{folder} has no {WEIGHTS_FILE}: the method has no weights to pack.")
    weights = load_file(folder / WEIGHTS_FILE)
    packed = {name: _halved(tensor) for name, tensor in weights.items()}
    if broken := not_finite(packed):
        raise UserError(
            f"{folder}: half precision cannot hold the weights {', '.join(broken[:3])}; nothing was written."
        )
    to.mkdir(parents=True)
    with atomic_path(to / WEIGHTS_FILE) as temporary:
        save_file(packed, temporary, metadata={"format": "pt"})
    shutil.copyfile(folder / CONFIG_FILE, to / CONFIG_FILE)
    description = json.loads((folder / HARNESS_FILE).read_text(encoding="utf-8"))
    write_atomic(to / CARD_FILE, card_of(folder, description["job"]))
    description["packed"] = {"from": description.get("sha256", {}).get(WEIGHTS_FILE), "matrices": "float16"}
    description["sha256"] = checksums_of(to, [to / WEIGHTS_FILE])
    description["job"]["data"]["spec"] = _without_folder(description["job"]["data"])
    if start := description["job"].get("started_from"):
        start["place"] = ""
    write_json(to / HARNESS_FILE, description)
    sizes = ((to / WEIGHTS_FILE).stat().st_size, (folder / WEIGHTS_FILE).stat().st_size)
    return Packed(to, *sizes, max(_change(weights[name], packed[name]) for name in weights))


def is_packed(folder: Path) -> bool:
    """Whether a model's folder was written by `pack_model`: the spec of its data then has their name for their place.

    Raises:
        UserError: the folder does not describe a model.
    """
    try:
        return "packed" in json.loads((folder / HARNESS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{folder / HARNESS_FILE} does not describe a model: {error}") from error


def _halved(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.half() if tensor.dtype == torch.float32 and tensor.ndim > 1 else tensor


def _change(before: torch.Tensor, after: torch.Tensor) -> float:
    if not before.is_floating_point() or not before.numel():
        return 0.0
    largest = before.abs().max().item()
    return (after.to(before.dtype) - before).abs().max().item() / largest if largest else 0.0


def _without_folder(data: dict[str, Any]) -> str:
    """The spec with the data's name in place of where they lay, which is nobody else's business."""
    head, mark, query = str(data["spec"]).partition("?")
    kind, colon, _ = head.partition(":")
    return f"{kind}{colon}{data['name'] if colon else ''}{mark}{query}"
