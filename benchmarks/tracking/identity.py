"""OUT/tracking.json holds the id by which runs in MLflow say which results folder they belong to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks.files import write_json


def folder_id(out: Path) -> str:
    """Return the id of a results folder, and make one where there is none.

    The id lies in the folder and says nothing of its path: a folder that is moved or renamed keeps its runs, and two
    folders that send to one server do not share any. Callers hold the folder's lock.

    Raises:
        OSError: the file is there but cannot be read, or it cannot be written.
    """
    path = out / "tracking.json"
    content = _read(path)
    known = content.get("id") if isinstance(content, dict) else None
    if isinstance(known, str) and known:
        return known
    # Earlier versions kept a list of everything sent in this file; nobody needs it any more.
    made = uuid4().hex
    write_json(path, {"id": made})
    return made


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
