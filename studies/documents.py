"""JSON files of a study, each with the version of its form."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.errors import UserError
from benchmarks.files import write_json

Read = TypeVar("Read")


def write_document(path: Path, schema: int, content: dict[str, Any]) -> None:
    """Write `content` in one step, with the version of its form."""
    write_json(path, {"schema": schema, **content})


def read_document(path: Path, schema: int, parse: Callable[[dict[str, Any]], Read], remedy: str) -> Read | None:
    """What `parse` makes of the file; None where there is none.

    Args:
        parse: may raise ValueError, KeyError, TypeError or AttributeError for content of another form.
        remedy: what to do about a damaged file.

    Raises:
        UserError: it is damaged, or of another version.
    """
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text())
        if content["schema"] != schema:
            raise ValueError(f"schema {content['schema']}, this version reads {schema}")
        return parse(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged ({type(error).__name__}: {error}). {remedy}") from error
