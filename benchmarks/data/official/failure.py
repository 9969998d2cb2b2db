"""What is said where a published data set could not be fetched."""

from __future__ import annotations

from benchmarks.errors import UserError


class FetchError(UserError):
    """A download that failed, or files that are not as published: what, where, what was expected, what to do."""
