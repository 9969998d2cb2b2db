"""What one method costs at one scale: loading, a training step and its sections, inference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import numpy as np

from benchmarks.contract import Segmenter
from benchmarks.data import Dataset, open_dataset
from benchmarks.machine.environment import peak_memory_bytes, reset_peak_memory
from benchmarks.measure.speed.fitting import fit
from benchmarks.measure.speed.sections import Section, profile_sections
from benchmarks.measure.step import JobStep, Series, repeat
from benchmarks.plan.job import Job
from benchmarks.plan.settings import WHOLE
from benchmarks.run.prediction import segment_sample

GROUPS = ("loading", "step", "inference", "metrics", "harness")
MOST_PROFILED = 5
LARGEST_WHOLE = 2048**2
"""Pixels of an image above which it is not segmented whole: every object's mask is then as large as the image."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class ScaleReport:
    """What one method costs at one scale.

    Attributes:
        settings: the settings of the step that was timed.
        note: what had to be changed to fit the machine.
        peak_memory_bytes: the training steps' peak: the process' resident memory, or an accelerator's allocations.
        series: the seconds of whole things: loading, a training iteration, inference.
        sections: the parts of profiled steps; their sum is the step.
    """

    scale: str
    method: str
    settings: dict[str, Any]
    parameters: int
    note: str
    peak_memory_bytes: int | None
    series: list[Series] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)

    @property
    def profiled_seconds(self) -> float:
        """Seconds of all profiled steps together."""
        return sum(sum(section.forward) + sum(section.backward) for section in self.sections)

    def share(self, section: Section) -> float:
        """Return the share that a section has in the time of the profiled steps, forward and backward."""
        return (sum(section.forward) + sum(section.backward)) / self.profiled_seconds

    def described(self) -> dict[str, Any]:
        """Return the report as what JSON can hold."""
        return asdict(self)


def measure_scale(
    job: Job,
    dataset: Dataset,
    device: str,
    *,
    groups: tuple[str, ...] = GROUPS,
    repeats: int,
    budget: float,
    progress: Say = lambda _: None,
) -> ScaleReport:
    """Time loading, training and inference of a job that is trained.

    Args:
        repeats: how often each thing is run at most.
        budget: seconds for each thing, after which no further run of it is started.
        progress: called with what is measured next.
    """
    fitted, peak = fit(job, dataset, device), None
    notes = [fitted.note] if fitted.note else []
    step = JobStep(fitted.job, dataset, device)
    series: list[Series] = []
    sections: list[Section] = []
    if "loading" in groups:
        progress("loading")
        series += _loading(step, dataset, repeats, budget)
    if "step" in groups:
        progress("training iteration")
        reset_peak_memory(device)
        series.append(repeat("training iteration", _taker(step), most=repeats, budget=budget))
        peak = peak_memory_bytes(device)
        progress("sections of an iteration")
        profiled = max(1, min(MOST_PROFILED, repeats, int(budget / series[-1].median)))
        batch = step.next_batch()
        sections = profile_sections(lambda: step.take(batch), step.model, profiled)
    if "inference" in groups:
        progress("inference")
        image = dataset.load(dataset.ids(job.split)[0]).image
        if image[0].size > LARGEST_WHOLE:
            notes.append(
                f"whole images are left out: {image[0].size / 1e6:.0f} megapixels, limit {LARGEST_WHOLE / 1e6:.0f}"
            )
        series += _inference(step, image, device, repeats, budget)
    training = fitted.job.training
    settings = {
        name: getattr(training, name) for name in ("crop", "batch_size", "micro_batch_size", "iterations", "precision")
    }
    report = (job.scale, job.method, settings, step.parameters, "; ".join(notes), peak, series, sections)
    return ScaleReport(*report)


def _taker(step: JobStep) -> Callable[[], None]:
    """Return a function that trains on one batch again and again, so that loading is not in it."""
    batch = step.next_batch()
    return lambda: step.take(batch)


def _loading(step: JobStep, dataset: Dataset, repeats: int, budget: float) -> list[Series]:
    first = dataset.ids("train")[0]
    places = iter(range(10**9))

    def batch_series(name: str) -> Series:
        whole = repeat(name, lambda: step.batches.batch(next(places)), most=repeats, budget=budget)
        return Series(name, [seconds / step.batches.batch_size for seconds in whole.seconds])

    def cold() -> None:
        open_dataset(dataset.spec).load(first)

    for id in dataset.ids("train")[: 4 * step.batches.batch_size]:
        dataset.load(id)
    return [
        repeat("open the data set, decode a sample", cold, most=repeats, budget=budget),
        batch_series("load and augment a sample, decoded before"),
    ]


def _inference(step: JobStep, image: np.ndarray, device: str, repeats: int, budget: float) -> list[Series]:
    job, model = step.job, step.model.eval()
    size = f"{image.shape[1]}×{image.shape[2]}"

    def segment(tile: int) -> np.ndarray:
        return segment_sample(cast(Segmenter, model), image, tile, job.testing, device, job.training.precision)

    tilings = [("whole", WHOLE)] if image[0].size <= LARGEST_WHOLE else []
    if max(image.shape[1:]) > job.tile:
        tilings.insert(0, (f"in tiles of {job.tile}", job.tile))
    found = [
        repeat(f"inference, {size} {how}", lambda tile=tile: segment(tile), most=repeats, budget=budget)  # type: ignore[misc]
        for how, tile in tilings
    ]
    step.model.train()
    return found
