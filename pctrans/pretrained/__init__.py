"""Models that come with the package, each in a folder of its name."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

_HERE = Path(__file__).parent


def built_in_models() -> tuple[str, ...]:
    """Names of the models that come with the package."""
    return tuple(sorted(path.parent.name for path in _HERE.glob("*/config.json")))


def model_path(text: str) -> Path:
    """Read where a model lies: the bare name of a built-in one is that, and text with a slash is a folder.

    A path forgets that it began with `./` or ended in `/`, so a folder with a built-in model's name becomes absolute.
    """
    path = Path(text)
    return path if built_in_model(path) is None or text == str(path) else path.absolute()


def built_in_model(name: str | PathLike[str]) -> Path | None:
    """The folder of the built-in model of this very name; None for any other text, a path to such a folder too."""
    return _HERE / str(name) if str(name) in built_in_models() else None
