"""Writing how far a job is, while it runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from benchmarks.store.documents import write_document
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.pace import Rate, Throttle
from benchmarks.store.progress import JobProgress, Phase
from benchmarks.training.watcher import Watcher

WRITE_SECONDS = 1.0


def recorded(folder: JobFolder, iterations: int, watcher: Watcher, say: Callable[[JobProgress], object]) -> Watcher:
    """A watcher that writes progress.json and hands on to `watcher`.

    Args:
        iterations: of the whole training.
        say: is told of everything, as often as it happens.
    """
    recorder = _Recorder(folder, iterations, say)

    def training(done: int, losses: dict[str, float], learning_rate: float) -> None:
        recorder.training(done, losses)
        watcher.training(done, losses, learning_rate)

    def validation(metrics: dict[str, float]) -> None:
        recorder.validation_pq = metrics["pq"]
        recorder.rates["training"].restart()
        watcher.validation(metrics)

    def images(phase: Phase, hand_on: Callable[[int, int], None]) -> Callable[[int, int], None]:
        def after_image(done: int, total: int) -> None:
            recorder.images(phase, done, total)
            hand_on(done, total)

        return after_image

    return Watcher(
        training=training,
        validation=validation,
        choosing=images("choosing thresholds", watcher.choosing),
        prediction=images("testing", watcher.prediction),
        scoring=images("validating", watcher.scoring),
        saved=watcher.saved,
        stopping=watcher.stopping,
    )


class _Recorder:
    """Writes progress now and then, and at the beginning and the end of a phase."""

    def __init__(self, folder: JobFolder, iterations: int, say: Callable[[JobProgress], object]):
        self.folder, self.iterations, self.say = folder, iterations, say
        self.rates: defaultdict[Phase, Rate] = defaultdict(Rate)
        self.validation_pq: float | None = None
        self._throttle = Throttle(WRITE_SECONDS)

    def training(self, done: int, losses: dict[str, float]) -> None:
        rate = self.rates["training"]
        first = rate.value is None
        rate.update(done)
        self._tell(
            JobProgress(
                phase="training",
                done=done,
                total=self.iterations,
                rate=rate.value,
                losses=losses,
                validation_pq=self.validation_pq,
            ),
            at_once=first,
        )

    def images(self, phase: Phase, done: int, total: int) -> None:
        rate = self.rates[phase]
        rate.update(done)
        progress = JobProgress(phase=phase, done=done, total=total, rate=rate.value)
        self._tell(progress, at_once=done in (1, total))

    def _tell(self, progress: JobProgress, *, at_once: bool) -> None:
        if at_once:
            write_document(self.folder.progress, progress)
        else:
            self._throttle(lambda: write_document(self.folder.progress, progress))
        self.say(progress)
