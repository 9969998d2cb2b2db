"""Text files are UTF-8 whatever the locale: every place that opens one says so, and the program reads its own."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("pctrans", "baselines", "benchmarks", "studies", "reports")
# The position of the mode among the arguments of each call that opens a file, and whether it is one of text without.
OPENING = {"open": 0, "fdopen": 1, "NamedTemporaryFile": 0, "TemporaryFile": 0}
# `open` of these is not of a file of text.
OTHERS = {"Image", "archive", "os", "webbrowser", "zipfile"}


def unstated(source: str) -> Iterator[int]:
    """The lines of calls that open a file of text without an encoding."""
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call) or any(keyword.arg == "encoding" for keyword in call.keywords):
            continue
        function = call.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name in ("read_text", "write_text"):
            if len(call.args) <= (name == "write_text"):  # what comes next is the encoding
                yield call.lineno
        elif name in OPENING:
            owner = function.value if isinstance(function, ast.Attribute) else None
            if isinstance(owner, ast.Name) and owner.id in OTHERS:
                continue
            place = OPENING[name] + (owner is None and name == "open")
            modes = [keyword.value for keyword in call.keywords if keyword.arg == "mode"] + call.args[place : place + 1]
            mode = modes[0].value if modes and isinstance(modes[0], ast.Constant) else ""
            if "b" not in str(mode):
                yield call.lineno


def test_the_check_finds_what_it_looks_for() -> None:
    source = "path.read_text()\nopen(p)\np.open('w')\np.open('rb')\nopen(p, 'wb')\np.read_text(encoding='utf-8')\n"
    assert list(unstated(source)) == [1, 2, 3]


def test_every_file_of_text_is_opened_with_an_encoding() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for line in unstated(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize("arguments", [["list", "tables"], ["list", "studies"], ["list", "scales"]])
def test_the_program_reads_its_own_files_in_an_ascii_locale(arguments: list[str]) -> None:
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0",
    }  # fmt: skip
    environment.pop("PYTHONIOENCODING", None)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.cli", *arguments], env=environment, capture_output=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
