"""Packages that are not installed with this one: whether they are there, and whether they work."""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec


def is_installed(package: str) -> bool:
    """Whether a package is there, told without importing it."""
    return find_spec(package) is not None


def how_to_install(package: str) -> str:
    """The command that brings a package, which is the extra of that name."""
    advice = f"pip install 'pctrans-bench[{package}]'"
    return f"{advice}, from where torch came from" if package == "torchvision" else advice


def torchvision_misfit() -> str | None:
    """A sentence for a torchvision that is there and was not built for this torch; None where there is none.

    Not only what needs torchvision fails then: `transformers` imports it wherever it is.
    """
    if not is_installed("torchvision"):
        return None
    try:
        importlib.import_module("torchvision")
    except (ImportError, OSError, RuntimeError) as error:
        return (
            f"torchvision {_version('torchvision')} does not work with torch {_version('torch')} ({error}), and beside "
            "it nothing does that needs transformers. Install the torchvision that was built for this torch, where "
            "torch came from, or uninstall it: only Mask R-CNN needs it."
        )
    return None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of an unknown version"
