"""A download in the making: the bytes that are there, and of which file on which server they are."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.data.official.failure import FetchError
from benchmarks.files import write_json


@dataclass(frozen=True)
class Origin:
    """Which file the bytes are a part of.

    Attributes:
        url: its address.
        validator: the server's ETag or date of the file, for If-Range; None where it gave neither.
        total: its bytes; None where the server did not say.
    """

    url: str
    validator: str | None
    total: int | None


class Partial:
    """`NAME.part`, and `NAME.part.json` with its origin. Use as a context: no other command writes it meanwhile.

    Attributes:
        file: the open file; bytes are added at its end.
    """

    def __init__(self, path: Path) -> None:
        """Args: path: of the `.part`; what is there is gone on with."""
        self._path, self._note = path, path.with_name(f"{path.name}.json")

    def __enter__(self) -> Self:
        """Raises: FetchError: another command is at it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self._path.open("a+b")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.file.close()
            raise FetchError(f"{self._path}: another command is downloading it; wait until it has ended.") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.size:
            self.remove()
        self.file.close()

    @property
    def size(self) -> int:
        """The bytes that are there."""
        self.file.flush()
        return os.fstat(self.file.fileno()).st_size

    @property
    def origin(self) -> Origin | None:
        """Of which file the bytes are; None where that is not known."""
        try:
            return Origin(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def restart(self, origin: Origin | None) -> None:
        """Throw away what is there; the next bytes are of `origin`."""
        self.file.truncate(0)
        if origin is None:
            self._note.unlink(missing_ok=True)
        else:
            write_json(self._note, asdict(origin))

    def remove(self) -> None:
        """Remove both files."""
        self._note.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)
