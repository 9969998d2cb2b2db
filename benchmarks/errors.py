"""Errors that speak to the user."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user can put right: the message says what was found, where, and what was expected.

    The command line prints the message without a traceback and ends with exit status 2.
    """


def suggestion(name: str, known: Iterable[str]) -> str:
    """What a message says of an unknown name: the nearest known one as a question, else all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(name.lower(), known, n=1)
    return f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(known)}."
