"""JSON documents of a results folder, each of one model: read whole and checked, or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, ValidationError, model_serializer

from benchmarks.errors import UserError
from benchmarks.files import write_json

Model = TypeVar("Model", bound="Document")


class Document(BaseModel):
    """What a JSON file of the store holds. Entries that this version does not know are left out."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True, validate_by_name=True)


class SealedDocument(Document):
    """A document that carries the SHA-256 of its other entries, so that what was changed since is not believed.

    Documents of versions before there were seals have none, and are read and written back without.
    """

    LEFT_OUT: ClassVar[frozenset[str]] = frozenset({"seal"})
    """Entries that are not written where they are None."""

    seal: str | None = None

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if name not in self.LEFT_OUT or value is not None}


class UnreadableError(ValueError):
    """A file that cannot be read as what it should be; the message is one line without the file's name."""


def read_document(path: Path, model: type[Model]) -> Model:
    """Read and check a file.

    Raises:
        FileNotFoundError: there is none.
        UnreadableError: it is damaged, or of another form.
    """
    try:
        content = path.read_bytes()
        document = model.model_validate_json(content)
        if isinstance(document, SealedDocument):
            _check_seal(content, document.seal)
        return document
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


def write_sealed(path: Path, document: SealedDocument) -> None:
    """Write a document in one step, with a seal of what it says."""
    content = document.model_dump(mode="json", by_alias=True)
    write_json(path, content | {"seal": _seal(content)})


def _check_seal(content: bytes, seal: str | None) -> None:
    if seal is not None and _seal(json.loads(content)) != seal:
        raise UnreadableError("it was changed after it was written: its seal is of other content")


def _seal(content: Mapping[str, Any]) -> str:
    """The SHA-256 (hex) of what a document says, whatever its layout and the order of its entries."""
    said = {name: value for name, value in content.items() if name != "seal"}
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
