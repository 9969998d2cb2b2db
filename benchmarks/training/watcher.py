"""Who is told how a job is going."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ImageProgress = Callable[[int, int], object]
"""Called with images done and images in all."""
TrainingProgress = Callable[[int, dict[str, float], float], object]
"""Called with iterations done, losses and learning rate."""


class StopRequested(BaseException):
    """Whoever watches wants an end. No `Exception`: to a job it is an interrupt, which leaves its last checkpoint."""


def _nothing(*_: Any) -> None:
    pass


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Watcher:
    """What to call; nothing, by default.

    Attributes:
        training: called with iterations done, losses and learning rate.
        validation: called with the metrics of a validation.
        prediction: called with images done and images in all.
        choosing: the same, while thresholds are chosen.
        scoring: the same, while a study has the model scored on the validation split.
        saved: called with the job's folder whenever there is something new in it.
        stopping: asked after every iteration; where it says so, training saves a checkpoint and raises `StopRequested`.
            Several processes that train together are not asked.
    """

    training: Callable[[int, dict[str, float], float], None] = field(default=_nothing)
    validation: Callable[[dict[str, float]], None] = field(default=_nothing)
    prediction: Callable[[int, int], None] = field(default=_nothing)
    saved: Callable[[Path], object] = field(default=_nothing)
    stopping: Callable[[], bool] = field(default=_never)
    choosing: Callable[[int, int], None] = field(default=_nothing)
    scoring: Callable[[int, int], None] = field(default=_nothing)
