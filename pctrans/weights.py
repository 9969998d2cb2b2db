"""Whether a file of weights is of a model: the loader of the hub mixin leaves what a file lacks as it was drawn."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

WEIGHTS_FILE = "model.safetensors"
_COUNTS = "num_batches_tracked"
"""Ends the names of counts of batch normalisation, which no model computes with and older torch did not save."""


def refuse_other_weights(model: nn.Module, folder: Path) -> None:
    """Compare the names of weights in a saved model with those of the model it was loaded into.

    A folder without WEIGHTS_FILE is of a class that saves in a way of its own.

    Raises:
        ValueError: the file lacks weights of the model, or has others.
    """
    from safetensors import safe_open

    path = folder / WEIGHTS_FILE
    if not path.is_file():
        return
    with safe_open(path, "pt") as file:
        stored = set(file.keys())
    state = model.state_dict()
    # Of tensors that share their memory, the file has one.
    held = {_place(tensor) for name, tensor in state.items() if name in stored}
    lacking = [name for name, tensor in state.items() if name not in stored and _place(tensor) not in held]
    lacking = [name for name in lacking if not name.endswith(_COUNTS)]
    if lacking:
        raise ValueError(f"{WEIGHTS_FILE} lacks {_counted(lacking)} of the {len(state)} weights of the model")
    if others := sorted(stored - set(state)):
        raise ValueError(f"{WEIGHTS_FILE} has {_counted(others)} that the model has not")


def _place(tensor: Tensor) -> tuple[int, int, tuple[int, ...]]:
    return tensor.untyped_storage().data_ptr(), int(tensor.storage_offset()), tuple(tensor.shape)


def _counted(names: list[str]) -> str:
    return f"{len(names)} ({', '.join(names[:3])}{', …' * (len(names) > 3)})"
