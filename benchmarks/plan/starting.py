"""The trained model that a job starts from, in place of fresh weights: `train --from`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.errors import UserError
from benchmarks.plan.methods import Method
from benchmarks.plan.nested import lookup, merge
from benchmarks.plan.settings import Settings
from pctrans.pretrained import built_in_models

if TYPE_CHECKING:
    from benchmarks.data.identity import PartIdentity
    from benchmarks.data.normalisation import Range

_OTHER_WEIGHTS = ("backbone.pretrained", "checkpoint")
"""Fields of a model that name weights; none are left for them to bring."""


class StartingWeights(Settings):
    """Weights that a job starts from, by content: the same ones in another folder are the same start."""

    place: str
    """The model's folder, or the name of one that comes with the package."""
    digest: str
    """SHA-256 (hex) of names, types, shapes and values of all weights."""
    key: str
    """Of the job that made them."""
    data: str
    """Name of the data set that they were trained on."""
    fingerprint: str
    """Of that data set."""

    @property
    def name(self) -> str:
        """What to call the model: by its name where it comes with the package, else by the job that made it."""
        return self.place if self.place in built_in_models() else f"job {self.key}"


@dataclass(frozen=True)
class StartingModel:
    """What planning a job from a trained model takes.

    Attributes:
        weights: what the job keeps of it.
        method: name of its method.
        config: its architecture, as a section `model`, with nothing that names other weights.
        shapes: of each of its weights.
        spec: the data it was trained on.
        parts: of these data, a union's or themselves, where the model is of a version that keeps them.
        split: that it was tested on.
        before: fingerprint of the data of the model that it started from itself, if it did.
        range: the limits that its images were stretched between; None where they differed among them.
        crop: side of the crops it was trained on, in pixels.
        tile: side of the tiles it was tested in, in pixels.
        diameter: median diameter of the objects it was trained on, in pixels; None where that is not known.
    """

    weights: StartingWeights
    method: str
    config: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]
    spec: str
    parts: tuple[PartIdentity, ...]
    split: str
    before: str | None
    range: Range | None
    crop: int
    tile: int
    diameter: float | None


def without_pretrained(model: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the same model from random weights, for which nothing has to be at hand."""
    return merge(model, {"backbone": {"pretrained": None}}) if model.get("backbone") else model


def without_other_weights(model: dict[str, Any]) -> dict[str, Any]:
    """Return a section `model` of the same architecture that names no weights, those of `checkpoint` included."""
    return without_pretrained(model | ({"checkpoint": None} if "checkpoint" in model else {}))


def refuse_unfit_start(start: StartingModel, name: str, method: Method, overrides: Mapping[str, Any]) -> None:
    """Compare what a user asks for with the model that training starts from.

    Args:
        name: of the method.
        overrides: what the user sets, in sections.

    Raises:
        UserError: another method than the model's, one that is not trained, or other weights beside the model's.
    """
    if name != start.method:
        raise UserError(
            f"--from {start.weights.place} is a model of {start.method}, not of {name}: leave the method out, or give "
            f"a model of {name}."
        )
    if not method.trained:
        raise UserError(f"--from {start.weights.place}: {method.title} is not trained, so it starts from no weights.")
    for path in _OTHER_WEIGHTS:
        if (other := lookup(overrides, f"model.{path}")) is not None:
            raise UserError(
                f"model.{path}={other}: all weights are those of --from {start.weights.place}. Leave one of them out."
            )


def refuse_other_shapes(start: StartingModel, method: Method, model: Mapping[str, Any]) -> None:
    """Compare the weights of a resolved configuration with those that training starts from; none are made.

    Raises:
        UserError: names the first weight that has another shape, or that only one of them has.
    """
    wanted = shapes_of(method, model)
    for name in sorted(wanted.keys() | start.shapes.keys()):
        here, there = wanted.get(name), start.shapes.get(name)
        if here != there:
            raise UserError(
                f"--from {start.weights.place}: with these settings the weight {name} {_words(here)}, and in that "
                f"model it {_words(there)}. Leave out the --set model.… (or in --config) that changes the "
                "architecture, or train without --from."
            )


def shapes_of(method: Method, model: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight of a configuration, without making any."""
    import torch

    with torch.device("meta"):
        built: Any = method.build(model)
    return {name: tuple(tensor.shape) for name, tensor in built.state_dict().items()}


def _words(shape: tuple[int, ...] | None) -> str:
    if shape is None:
        return "is not there"
    return f"has the shape {' × '.join(map(str, shape))}" if shape else "is one number"
