"""JSON documents of a results folder, each of one model: read whole and checked, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmarks.errors import UserError
from benchmarks.files import write_json

Model = TypeVar("Model", bound="Document")


class Document(BaseModel):
    """What a JSON file of the store holds. Entries that this version does not know are left out."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True, validate_by_name=True)


class UnreadableError(ValueError):
    """A file that cannot be read as what it should be; the message is one line without the file's name."""


def read_document(path: Path, model: type[Model]) -> Model:
    """Read and check a file.

    Raises:
        FileNotFoundError: there is none.
        UnreadableError: it is damaged, or of another form.
    """
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UnreadableError(f"{where}: {first['msg']}" if where else first["msg"]) from error
    except OSError as error:
        raise UnreadableError(str(error)) from error


def read_if_there(path: Path, model: type[Model], remedy: str) -> Model | None:
    """Read and check a file; None where there is none.

    Args:
        remedy: what the user is to do about a damaged one.

    Raises:
        UserError: it is damaged, or of another form.
    """
    try:
        return read_document(path, model)
    except FileNotFoundError:
        return None
    except UnreadableError as error:
        raise UserError(f"{path} is damaged ({error}). {remedy}") from error


def write_document(path: Path, document: Document) -> None:
    """Write a document in one step."""
    write_json(path, document.model_dump(mode="json", by_alias=True))
