"""Found by a Python that is started with this folder on its path: one call to the system fails, as FAULT says.

FAULT=fsync:17:ENOSPC lets the seventeenth `os.fsync` of the process fail, as on a full disk; FAULT_LOG gets a line when
it does.
"""

from __future__ import annotations

import errno
import os

if stated := os.environ.get("FAULT"):
    name, at, reason = stated.split(":")
    works, calls = getattr(os, name), 0

    def fails_once(*arguments, **options):
        global calls
        calls += 1
        if calls == int(at):
            with open(os.environ["FAULT_LOG"], "a") as log:  # noqa: PTH123  # pathlib is what is being tested
                log.write(f"{stated} {arguments}\n")
            number = getattr(errno, reason)
            raise OSError(number, os.strerror(number))
        return works(*arguments, **options)

    setattr(os, name, fails_once)
