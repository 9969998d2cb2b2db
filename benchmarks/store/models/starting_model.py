"""A saved model as the start of another training: read when the job is planned, and again where it is trained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.data.identity import PartIdentity
from benchmarks.errors import UserError
from benchmarks.plan.starting import StartingModel, StartingWeights, without_other_weights
from benchmarks.store.models.saved_model import CONFIG_FILE, HARNESS_FILE, find_model, load_model
from pctrans.pretrained import built_in_model


def read_starting_model(path: Path) -> StartingModel:
    """Read what planning needs of a model, which is loaded for it and so known to be whole.

    Args:
        path: as `find_model` takes it, the name of a built-in model included.

    Raises:
        UserError: no model there, a damaged one, or one whose method has no weights.
    """
    folder, place = find_model(path), str(path)
    if built_in_model(path) is None:
        folder = folder.resolve()  # OUT/model is a link that the next training in OUT moves
        place = str(folder)
    saved = load_model(folder, "cpu")
    if not isinstance(saved.segmenter, torch.nn.Module):
        raise UserError(f"--from {path}: {saved.method} is not trained, so its model has no weights to start from.")
    state = saved.segmenter.state_dict()
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        harness: dict[str, Any] = json.loads((folder / HARNESS_FILE).read_text(encoding="utf-8"))
        parts, job = tuple(PartIdentity(**part) for part in harness.get("parts", ())), harness["job"]
        before = (job.get("started_from") or {}).get("fingerprint")
        data = {name: str(job["data"][name]) for name in ("spec", "name", "fingerprint")}
        key, split, crop = str(job["key"]), str(job["split"]), int(job["training"]["crop"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder} does not say how its model was made ({type(error).__name__}: {error}); expected {CONFIG_FILE}, "
            f"and the job in {HARNESS_FILE}. Copy the model again from where it came."
        ) from error
    return StartingModel(
        StartingWeights(
            place=place, digest=weights_digest(state), key=key, data=data["name"], fingerprint=data["fingerprint"]
        ),
        method=saved.method,
        config=without_other_weights(config),
        shapes={name: tuple(tensor.shape) for name, tensor in state.items()},
        spec=data["spec"],
        parts=parts,
        split=split,
        before=before,
        range=saved.range,
        crop=crop,
        tile=saved.tile,
        diameter=saved.diameter,
    )


def starting_state(weights: StartingWeights) -> dict[str, Tensor]:
    """Load the weights that a job was planned to start from.

    Raises:
        UserError: the model is gone, damaged, or no longer what it was when the job was planned.
    """
    try:
        segmenter: Any = load_model(Path(weights.place), "cpu").segmenter
    except UserError as error:
        raise UserError(
            f"The model that this job starts from is not where it was when the job was planned, or not whole: {error} "
            "Put it back, or run the command again with --from where it is now."
        ) from error
    state: dict[str, Tensor] = segmenter.state_dict() if isinstance(segmenter, torch.nn.Module) else {}
    if (found := weights_digest(state)) != weights.digest:
        raise UserError(
            f"The model that this job starts from, {weights.place}, has changed since the job was planned: the SHA-256 "
            f"of its weights is {found[:12]}…, not {weights.digest[:12]}…. Run the command again."
        )
    return state


def weights_digest(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 (hex) of weights, by name, type, shape and value, in whatever file they are."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
