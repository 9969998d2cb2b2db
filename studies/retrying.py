"""Waiting for a storage that is away for a moment: a network that blinks ends no study."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from typing import TypeVar

from benchmarks.errors import UserError
from benchmarks.tracking.addresses import shown

RETRY_SECONDS = 600.0
PAUSE_SECONDS = 5.0

PASSING = {
    *(errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EPIPE),
    *(errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH),
}
"""Errors of a file system or server that may come back; a folder that must not be written stays so."""

Answer = TypeVar("Answer")
logger = logging.getLogger("pctrans_bench")


def storage_errors() -> tuple[type[Exception], ...]:
    """What Optuna's storages raise where they cannot be reached."""
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    return optuna.exceptions.StorageInternalError, SQLAlchemyError, OSError


def retried(action: Callable[[], Answer]) -> Answer:
    """What `action` returns, tried again for RETRY_SECONDS while the storage does not answer.

    Raises:
        UserError: it did not answer in that time.
    """
    until = time.monotonic() + RETRY_SECONDS
    said = False
    while True:
        try:
            return action()
        except storage_errors() as error:
            if isinstance(error, OSError) and error.errno not in PASSING:
                raise
            reason = shown((str(error.__cause__ or error).splitlines() or [""])[0])
            if not said:
                logger.warning("The study's storage does not answer (%s): waiting for it.", reason)
                said = True
            if time.monotonic() >= until:
                raise UserError(
                    f"The study's storage has not answered for {RETRY_SECONDS / 60:.0f} minutes "
                    f"({type(error).__name__}: {reason}). Nothing is lost: the same command goes on when it is back."
                ) from error
            time.sleep(PAUSE_SECONDS)
