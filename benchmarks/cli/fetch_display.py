"""Shows how a download goes: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import TransferSpeedColumn as Speed

from benchmarks.store.pace import Throttle

LOG_SECONDS = 10.0
"""Seconds between two lines where there is no terminal."""


class FetchDisplay:
    """Follows `benchmarks.data.official.fetch`. Use as a context."""

    def __init__(self, console: Console):
        self.console = console
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), Speed(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._bars: dict[str, TaskID] = {}
        self._log = Throttle(LOG_SECONDS)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def said(self, sentence: str) -> None:
        """Print a sentence."""
        self.console.print(sentence, markup=False, highlight=False, soft_wrap=True)

    def received(self, name: str, done: int, total: int | None) -> None:
        """Move the bar of an archive, or print a line now and then."""
        if not self.console.is_terminal:
            of = f" of {total / 1e6:.1f}" if total is not None else ""
            self._log(lambda: self.said(f"{name}: {done / 1e6:.1f}{of} MB"))
            return
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=None)
        self._progress.update(self._bars[name], completed=done, total=total)
