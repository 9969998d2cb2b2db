"""Specification files that come with the project: YAML, validated whole, called as what it describes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from benchmarks.errors import UserError, suggestion
from benchmarks.plan.yaml_text import parse_yaml

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class Specification(BaseModel):
    """What a file says: no unknown entries, no converted types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class NamedSpecification(Specification):
    """A specification whose name is its file's without suffix."""

    name: Name


Model = TypeVar("Model", bound=BaseModel)
Named = TypeVar("Named", bound=NamedSpecification)


def list_names(folder: Path) -> list[str]:
    """Names of the specifications in a folder."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def find_specification(folder: Path, name: str, what: str) -> Path:
    """The file of a name.

    Args:
        what: what is described, for the error.

    Raises:
        UserError: there is none (the message suggests the nearest name).
    """
    known = list_names(folder)
    if name not in known:
        raise UserError(f"There is no {what} '{name}': {suggestion(name, known)}")
    return folder / f"{name}.yaml"


def read_specification(path: Path, model: type[Model], what: str) -> Model:
    """Read and validate one file.

    Args:
        what: what the file has to be, for the error: "a table specification".

    Raises:
        UserError: the file is not YAML, has an unknown or missing key, or contradicts itself.
    """
    try:
        return model.model_validate(parse_yaml(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        raise UserError(f"{path} is not {what}: {error}") from error


def read_named(path: Path, model: type[Named], what: str) -> Named:
    """Read and validate one file of a named specification.

    Args:
        what: what is described: "table".

    Raises:
        UserError: as `read_specification`, or the name is not the file's.
    """
    spec = read_specification(path, model, f"a {what} specification")
    if spec.name != path.stem:
        raise UserError(f"{path} calls its {what} '{spec.name}': name and file name have to agree.")
    return spec
