"""Python processes that this one starts: they import what this one does, whatever lies in the current folder.

`python -m` puts the current folder first on the path, where a user may well have a `benchmarks` folder of their own.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The folder that this package lies in: a checkout, or the site-packages of an installation."""


def child_environment(base: Mapping[str, str]) -> dict[str, str]:
    """The environment of a Python process; all that it starts in turn inherits the same.

    The user's PYTHONPATH stays in force.

    Args:
        base: what else is in it, as a rule `os.environ`.
    """
    return {**base, **_import_settings(base)}


@contextmanager
def environment_for_children() -> Iterator[None]:
    """The same for processes that a library starts meanwhile and that take over `os.environ`."""
    before = {name: os.environ.get(name) for name in _import_settings(os.environ)}
    os.environ.update(_import_settings(os.environ))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def python_for_shell() -> str:
    """This interpreter with the same settings, as the start of a command for a shell, here or on another machine."""
    settings = [f"{name}={value}" for name, value in _import_settings(os.environ).items()]
    return shlex.join(["env", *settings, sys.executable])


def _import_settings(base: Mapping[str, str]) -> dict[str, str]:
    settings = {"PYTHONSAFEPATH": "1"}
    given = base.get("PYTHONPATH")
    # `python -m benchmarks.cli` in a checkout found the package in the current folder. Without being told, its children
    # would find none, or, what is worse and is not noticed, another checkout that is installed.
    if (ROOT / "pyproject.toml").is_file() and (given or "").split(os.pathsep)[0] != str(ROOT):
        settings["PYTHONPATH"] = os.pathsep.join([str(ROOT), given] if given else [str(ROOT)])
    return settings
