"""Errors that speak to the user."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can put right: the message says what was found, where, and what was expected.

    The command line prints the message without a traceback and ends with exit status 2.
    """
