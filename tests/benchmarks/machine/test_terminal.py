"""What people call their data and rows is printed as they wrote it."""

from __future__ import annotations

import io

from rich.table import Table

from benchmarks.machine.terminal import text_console

HOSTILE = "[/x] [red]y[/red] :x: [link=http://a]b"


def test_no_text_is_markup() -> None:
    stream = io.StringIO()
    console = text_console(file=stream, width=200)
    table = Table("name", title=HOSTILE)
    table.add_row(HOSTILE)
    console.print(table)
    console.print(f"said: {HOSTILE}")
    assert stream.getvalue().count(HOSTILE) == 3
