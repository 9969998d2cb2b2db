"""The methods that can be run, by name: a module and a line in `METHODS`, or another package's entry point."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from benchmarks.errors import UserError, suggestion
from benchmarks.plan.extras import how_to_install, is_installed, torchvision_misfit

if TYPE_CHECKING:
    from pydantic import BaseModel

    from benchmarks.contract import Segmenter

ENTRY_POINTS = "pctrans_bench.methods"
"""Group of the entry points through which installed packages add methods; each names a `Method`."""


class Obstacle(NamedTuple):
    """Why a method cannot be run here, and what to do or to know about it: clauses without a full stop."""

    reason: str
    advice: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.advice}"


@dataclass(frozen=True)
class Method:
    """A method by lazy reference: listing methods imports none of them.

    Attributes:
        title: as tables print it.
        model: "module:class" of a `Segmenter`, built from its configuration, with `save_pretrained` and
            `from_pretrained`.
        config: "module:class" of that configuration, a pydantic model.
        source: publication.
        uses: what it needs beside torch, with the licence.
        extra: a package that is not installed with this one, and the name of the extra that brings it.
        only_at: scales that it is offered at; none for all.
        why_only: a clause that says why.
        loss_floors: terms of its loss that cannot come near zero; whether a training has converged is told by the rest.
        trained: False for a method without parameters; its jobs skip training, and one seed is enough.
        scales: `model`, `training` and `testing` sections by scale, for methods of other packages; this
            project's own are in `benchmarks/plan/scales/`, beside each other.
        provider: "package version" of a method that another package adds; part of its jobs' keys.
    """

    title: str
    model: str
    config: str
    source: str
    uses: str = ""
    extra: str = ""
    only_at: tuple[str, ...] = ()
    why_only: str = ""
    loss_floors: tuple[str, ...] = ()
    trained: bool = True
    scales: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    provider: str | None = None

    def config_class(self) -> type[BaseModel]:
        """The class of its configuration, which needs none of the method's own packages.

        Raises:
            UserError: a torchvision that does not fit torch, beside which modules cannot be imported.
        """
        with self._explained():
            found: type[BaseModel] = _load(self.config)
        return found

    @property
    def lacking(self) -> Obstacle | None:
        """Which package is to be installed before a model can be built; None if all are."""
        if not self.extra or is_installed(self.extra):
            return None
        return Obstacle(f"{self.title} needs {self.extra}, which is not installed", how_to_install(self.extra))

    def offered_at(self, scale: str) -> bool:
        """Whether the method has a configuration at a scale."""
        return not self.only_at or scale in self.only_at

    def obstacle(self, scale: str) -> Obstacle | None:
        """Why a table at this scale runs without the method; None where it can be run."""
        if not self.offered_at(scale):
            return Obstacle(f"{self.title} is offered at scale {', '.join(self.only_at)} only", self.why_only)
        return self.lacking

    @property
    def has_backbone(self) -> bool:
        """Whether its configuration has the backbone that trained rows share."""
        return "backbone" in self.config_class().model_fields

    @property
    def scores_objects(self) -> bool:
        """Whether the model says how sure it is of each object (`benchmarks.contract.Scoring`).

        Imports it; of a model that cannot be imported here it is assumed, as of all that are trained.
        """
        if self.lacking:
            return self.trained
        return callable(getattr(_load(self.model), "segment_with_confidence", None))

    def build(self, config: Mapping[str, Any]) -> Segmenter:
        """A fresh model of a resolved configuration.

        Raises:
            UserError: pretrained weights that cannot be had, or a package that is not there or does not fit torch.
        """
        self._refuse_lacking()
        with self._explained():
            from pctrans.backbone import PretrainedWeightsError

            model_class = _load(self.model)
        try:
            return model_class(self.config_class().model_validate(dict(config)))
        except PretrainedWeightsError as error:
            raise UserError(str(error)) from error

    def load(self, folder: str) -> Segmenter:
        """The model saved in a folder.

        Raises:
            ValueError: the folder lacks weights of the model, or has others.
            UserError: a package that is not there or does not fit torch.
        """
        from torch import nn

        from pctrans.weights import refuse_other_weights

        self._refuse_lacking()
        with self._explained():
            model_class = _load(self.model)
        model = model_class.from_pretrained(folder)
        if isinstance(model, nn.Module):
            refuse_other_weights(model, Path(folder))
        return model

    def _refuse_lacking(self) -> None:
        if self.lacking:
            raise UserError(f"{self.lacking}.")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say in the user's terms why the method's module cannot be imported, where that is known."""
        try:
            yield
        except (ImportError, RuntimeError) as error:  # what torchvision and transformers raise of each other
            if misfit := torchvision_misfit():
                raise UserError(f"{self.title} cannot be used: {misfit}") from error
            raise


METHODS: dict[str, Method] = {
    "pctrans": Method(
        title="PCTrans",
        model="pctrans.model:PCTrans",
        config="pctrans.config:PCTransConfig",
        source="Chen et al., ICCV workshops 2023",
        uses="transformers' ResNet (Apache-2.0)",
        # Eq. 6 and 7 sum over all queries, of similarities that are bounded: log(1 + some hundreds) is left of them.
        # The other terms can vanish, but for the discriminative loss's regulariser, 0.001 of the length of the means.
        loss_floors=("query_contrast", "mask_contrast"),
    ),
    "mask2former": Method(
        title="Mask2Former",
        model="baselines.mask2former:Mask2Former",
        config="baselines.mask2former:Mask2FormerConfig",
        source="Cheng et al., CVPR 2022",
        uses="transformers' Mask2Former and ResNet (Apache-2.0)",
    ),
    "osformer": Method(
        title="OSFormer",
        model="baselines.osformer:OSFormer",
        config="baselines.osformer:OSFormerConfig",
        source="Pei et al., ECCV 2022; own implementation",
        uses="transformers' ResNet (Apache-2.0)",
    ),
    "discriminative": Method(
        title="Discriminative",
        model="baselines.discriminative:DiscriminativeEmbedding",
        config="baselines.discriminative:DiscriminativeConfig",
        source="De Brabandere et al., CVPR workshops 2017; own implementation",
        uses="transformers' ResNet (Apache-2.0)",
    ),
    "stardist": Method(
        title="StarDist",
        model="baselines.stardist:StarDist",
        config="baselines.stardist:StarDistConfig",
        source="Schmidt et al., MICCAI 2018; own implementation",
        uses="transformers' ResNet (Apache-2.0)",
        # Cross-entropy against a probability that is neither 0 nor 1: its own entropy is left.
        loss_floors=("probability",),
    ),
    "cellpose": Method(
        title="Cellpose",
        model="baselines.cellpose:Cellpose",
        config="baselines.cellpose:CellposeConfig",
        source="Stringer et al., Nature Methods 2021; own implementation",
        uses="transformers' ResNet (Apache-2.0)",
    ),
    "maskrcnn": Method(
        title="Mask R-CNN",
        model="baselines.maskrcnn.model:MaskRCNN",
        config="baselines.maskrcnn.config:MaskRCNNConfig",
        source="He et al., ICCV 2017",
        uses="torchvision's Mask R-CNN (BSD-3-Clause), transformers' ResNet (Apache-2.0)",
        extra="torchvision",
        # Cross-entropy against masks that were resized to 28×28: at outlines they are neither 0 nor 1.
        loss_floors=("mask",),
    ),
    "eomt": Method(
        title="EoMT",
        model="baselines.eomt:EoMT",
        config="baselines.eomt.config:EoMTConfig",
        source="Kerssies et al., CVPR 2025",
        uses="transformers' EoMT (Apache-2.0); a released checkpoint (MIT)",
        only_at=("paper",),
        why_only="a plain ViT lives on its pretraining, and a short training from random weights would not measure it",
    ),
    "watershed": Method(
        title="Otsu + watershed",
        model="baselines.watershed:Watershed",
        config="baselines.watershed:WatershedConfig",
        source="Otsu, 1979; Vincent and Soille, 1991",
        uses="scikit-image (BSD-3-Clause)",
        trained=False,
    ),
}
"""This project's own methods; `all_methods` knows other packages' too."""


def all_methods() -> dict[str, Method]:
    """Own and installed methods by name.

    Raises:
        UserError: an installed package's method cannot be read, or takes a name that is taken.
    """
    return METHODS | _installed()


def get_method(name: str) -> Method:
    """The method of that name.

    Raises:
        UserError: there is none; suggests the nearest.
    """
    if name in METHODS:
        return METHODS[name]
    methods = all_methods()
    if name in methods:
        return methods[name]
    raise UserError(f"There is no method '{name}': {suggestion(name, methods)}")


def configure(name: str, overrides: Mapping[str, Any]) -> BaseModel:
    """The complete configuration of a method.

    Raises:
        UserError: a field that does not exist, or a value out of range; names it.
    """
    try:
        return get_method(name).config_class().model_validate(dict(overrides))
    except ValidationError as error:
        raise UserError(describe(error, f"configuration of {name}")) from error


def search_space(config: BaseModel) -> dict[str, tuple[float, float]] | None:
    """The thresholds of a method's configuration that can be chosen after training, each with the range to try.

    Returns:
        None for a method that has none.
    """
    space = getattr(getattr(config, "inference", None), "search_space", None)
    return None if space is None else {field: (float(low), float(high)) for field, (low, high) in space.items()}


def describe(error: ValidationError, what: str) -> str:
    """A validation error in the user's terms: one line a problem, with the path of the field."""
    lines = []
    for problem in error.errors(include_url=False):
        path = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            lines.append(f"  {path}: there is no such field")
        elif isinstance(problem["input"], Mapping):  # fields that do not fit each other, which the message names
            lines.append(f"  {f'{path}: ' if path else ''}{problem['msg'].removeprefix('Value error, ')}")
        else:
            lines.append(f"  {path}: {problem['msg']}, got {problem['input']!r}")
    return f"The {what} is not valid:\n" + "\n".join(lines)


@cache
def _installed() -> dict[str, Method]:
    found: dict[str, Method] = {}
    for point in entry_points(group=ENTRY_POINTS):
        if point.name in METHODS or point.name in found:
            raise UserError(
                f"{_provider(point)} adds a method '{point.name}', a name that is taken: uninstall it, or have its "
                f"author rename the entry point."
            )
        found[point.name] = _read(point)
    return found


def _read(point: EntryPoint) -> Method:
    """The `Method` an entry point names; importing it must not need the method's own dependencies."""
    try:
        method = point.load()
    except Exception as error:  # a foreign package may fail in any way
        raise UserError(
            f"{_provider(point)} adds a method '{point.name}' that cannot be loaded "
            f"({point.value}: {type(error).__name__}: {error}): repair or uninstall it."
        ) from error
    if not isinstance(method, Method):
        raise UserError(
            f"{_provider(point)} adds a method '{point.name}', but {point.value} is a {type(method).__name__}: "
            "a benchmarks.plan.methods.Method was expected."
        )
    return Method(**{**vars(method), "provider": _provider(point)})


def _provider(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an installed package"


def _load(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)
