"""JSON that somebody else wrote."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.errors import UserError

# COCO's largest file has 470 MB. What is parsed takes some ten times as much memory.
MAX_JSON_BYTES = 2**29


def parse_json(content: bytes, name: str) -> Any:
    """Parse UTF-8, -16 or -32 text, with or without a byte order mark.

    Raises:
        UserError: it is no JSON, or nested too deeply.
    """
    if len(content) > MAX_JSON_BYTES:
        raise UserError(f"{name}: {len(content)} bytes of JSON; at most {MAX_JSON_BYTES} are read. Cut it into parts.")
    try:
        return json.loads(content)
    except RecursionError as error:
        raise UserError(f"{name}: nested too deeply for annotations; expected GeoJSON or COCO JSON.") from error
    except ValueError as error:  # also of text that is none of the encodings, and of numbers of thousands of digits
        raise UserError(f"{name}: cannot be read as JSON ({error}); export it again.") from error


def listed(value: Any, what: str, name: str) -> list[Any]:
    """Return a value that has to be a list.

    Raises:
        UserError: it is none.
    """
    if not isinstance(value, list):
        raise UserError(f"{name}: {what} is {describe(value)}; expected a list.")
    return value


def mapped(value: Any, what: str, name: str) -> dict[str, Any]:
    """Return a value that has to be an object.

    Raises:
        UserError: it is none.
    """
    if not isinstance(value, dict):
        raise UserError(f"{name}: {what} is {describe(value)}; expected an object with named fields.")
    return value


def describe(value: Any) -> str:
    """Return a short text that tells what was found."""
    text = repr(value) if not isinstance(value, list | dict) else f"a {type(value).__name__} of {len(value)}"
    return text if len(text) <= 60 else f"{text[:57]}…"
