"""What a message says of a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggestion(name: str, known: Iterable[str]) -> str:
    """The nearest known name as a question, else all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(name.lower(), known, n=1)
    return f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(known)}."
