"""Memory that runs out, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.errors import UserError

_OF_TORCH = ("can't allocate memory", "not enough memory", "out of memory")
"""How torch says so on a CPU, where it has no error of its own for it."""


@contextmanager
def explaining_lack_of_memory(what: str, advice: str) -> Iterator[None]:
    """Say what memory ran out for, and what to do.

    Args:
        what: needs the memory; begins the message.
        advice: a whole sentence.

    Raises:
        UserError: memory ran out in the block.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_lack_of_memory(error):
            raise
        raise UserError(f"{what} needs more memory than there is ({_first_line(error)}). {advice}") from error


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is no memory left, of the machine or of its accelerator."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _OF_TORCH)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
