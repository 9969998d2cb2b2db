"""The terminal: text as it stands, and a live display where there is a terminal to show it on."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live


def text_console(**options: Any) -> Console:
    """Make a console that prints labels, paths and errors as they are: `[/x]` is no markup in them, `:x:` no picture.

    Args:
        **options: as rich's `Console` takes them.
    """
    return Console(markup=False, emoji=False, **options)


class LiveDisplay:
    """Keeps a part of the terminal for itself while it is entered; elsewhere it does nothing."""

    def __init__(self, console: Console):
        self.console = console
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
