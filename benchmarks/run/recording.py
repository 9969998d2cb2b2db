"""Writing how far a job is, while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from benchmarks.store.documents import write_document
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.pace import NowAndThen, Rate
from benchmarks.store.progress import JobProgress
from benchmarks.training.watcher import Watcher

WRITE_SECONDS = 1.0


def recorded(folder: JobFolder, iterations: int, watcher: Watcher, say: Callable[[JobProgress], object]) -> Watcher:
    """A watcher that writes progress.json and hands on to `watcher`.

    Args:
        iterations: of the whole training.
        say: is told of everything, as often as it happens.
    """
    rate, choices, pictures = Rate(), Rate(), Rate()
    write = NowAndThen(WRITE_SECONDS)

    def tell(progress: JobProgress, *, at_once: bool = False) -> None:
        if at_once:
            write_document(folder.progress, progress)
        else:
            write(lambda: write_document(folder.progress, progress))
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
