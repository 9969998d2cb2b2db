"""How far a job is, as a small file in its folder: the same for a process beside us and one on a cluster's node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmarks.files import write_json
from benchmarks.store.pace import NowAndThen, Rate, duration
from benchmarks.training.watcher import Watcher

WRITE_SECONDS = 1.0


class JobProgress(BaseModel):
    """What progress.json holds.

    Attributes:
        done, total: iterations while training, images while choosing thresholds and while testing.
        rate: of them a second; None while it is not known.
        losses: by name, `loss` being the sum; empty but while training.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    phase: Literal["training", "choosing thresholds", "testing"]
    done: int = Field(ge=0)
    total: int = Field(ge=0)
    rate: float | None = Field(None, ge=0)
    losses: dict[str, float] = Field(default_factory=dict)

    @property
    def seconds_left(self) -> float | None:
        """Of this phase."""
        return (self.total - self.done) / self.rate if self.rate else None

    def describe(self) -> str:
        """A line for a log."""
        if self.phase == "testing":
            return f"tested {self.done}/{self.total} images"
        if self.phase == "choosing thresholds":
            return f"choosing thresholds, {self.done}/{self.total} images"
        terms = ", ".join(f"{name} {value:.2f}" for name, value in self.losses.items() if name != "loss")
        rate = f"{self.rate:.2f} it/s" if self.rate else "? it/s"
        return (
            f"iteration {self.done}/{self.total}, loss {self.losses.get('loss', 0):.2f}, {rate} ({terms}), "
            f"{duration(self.seconds_left)} of training left"
        )


def progress_path(folder: Path) -> Path:
    return folder / "progress.json"


def read_progress(folder: Path) -> JobProgress | None:
    """None where the job has not got that far, or the file is damaged."""
    try:
        return JobProgress.model_validate_json(progress_path(folder).read_bytes())
    except (OSError, ValidationError):
        return None


def recorded(folder: Path, iterations: int, watcher: Watcher, say: Callable[[JobProgress], object]) -> Watcher:
    """A watcher that writes progress.json and hands on to `watcher`.

    Args:
        iterations: of the whole training.
        say: is told of everything, as often as it happens.
    """
    rate, choices, pictures = Rate(), Rate(), Rate()
    write = NowAndThen(WRITE_SECONDS)

    def tell(progress: JobProgress, *, at_once: bool = False) -> None:
        document = progress.model_dump(mode="json")
        if at_once:
            write_json(progress_path(folder), document)
        else:
            write(lambda: write_json(progress_path(folder), document))
        say(progress)

    def training(done: int, losses: dict[str, float], learning_rate: float) -> None:
        first = rate.value is None
        rate.update(done)
        tell(JobProgress(phase="training", done=done, total=iterations, rate=rate.value, losses=losses), at_once=first)
        watcher.training(done, losses, learning_rate)

    def validation(metrics: dict[str, float]) -> None:
        watcher.validation(metrics)
        rate.restart()

    def choosing(done: int, images: int) -> None:
        choices.update(done)
        phase: Literal["choosing thresholds"] = "choosing thresholds"
        tell(JobProgress(phase=phase, done=done, total=images, rate=choices.value), at_once=done in (1, images))
        watcher.choosing(done, images)

    def prediction(done: int, images: int) -> None:
        pictures.update(done)
        tell(JobProgress(phase="testing", done=done, total=images, rate=pictures.value), at_once=done in (1, images))
        watcher.prediction(done, images)

    return Watcher(training, validation, prediction, watcher.saved, watcher.stopping, choosing)
