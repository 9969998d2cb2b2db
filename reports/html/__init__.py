"""One HTML page of everything in a results folder: it needs no network, and trusts nothing that it shows."""

from __future__ import annotations

from reports.html.page import write_html

__all__ = ["write_html"]
