"""Everything that is measured at one scale, and what does not depend on a scale."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import numpy as np

from benchmarks.contract import Segmenter
from benchmarks.data import Dataset, open_dataset
from benchmarks.machine.children import child_environment
from benchmarks.machine.environment import peak_memory_bytes, reset_peak_memory
from benchmarks.measure.speed.fitting import fit
from benchmarks.measure.speed.sections import Section, profile_sections
from benchmarks.measure.step import JobStep, Series, repeat
from benchmarks.metrics import COMPAT_METRICS, METRICS, contingency_table, image_metrics
from benchmarks.plan.job import Job
from benchmarks.plan.settings import WHOLE
from benchmarks.run.prediction import segment_sample

GROUPS = ("loading", "step", "inference", "metrics", "harness")
MOST_PROFILED = 5
LARGEST_WHOLE = 2048**2
"""Pixels of an image above which it is not segmented whole: every object's mask is then as large as the image."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class ScaleReport:
    """What one method costs at one scale.

    Attributes:
        settings: of the step that was timed.
        note: what had to be changed to fit the machine.
        peak_memory_bytes: of the training steps: the process' resident memory, or an accelerator's allocations.
        series: whole things: loading, a training iteration, inference.
        sections: of profiled steps, with the share of each; their sum is the step.
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
        """Of all profiled steps together."""
        return sum(sum(section.forward) + sum(section.backward) for section in self.sections)

    def share(self, section: Section) -> float:
        """Of the profiled steps' time, forward and backward."""
        return (sum(section.forward) + sum(section.backward)) / self.profiled_seconds

    def described(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


def measure_scale(
    job: Job,
    dataset: Dataset,
    device: str,
    *,
    groups: tuple[str, ...] = GROUPS,
    repeats: int,
    budget: float,
    progress: Progress = lambda _: None,
) -> ScaleReport:
    """Time loading, training and inference of a job that is trained.

    Args:
        repeats: runs of each thing at most.
        budget: seconds for each thing, after which no further run of it is started.
        progress: told what is measured next.
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
    """A step on one batch again and again, so that loading is not in it."""
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


def measure_metrics(repeats: int, budget: float) -> list[Series]:
    """Each metric of one 520×696 image with 250 instances, and all together."""
    truth, prediction = discs(16, 0.0), discs(15, 4.0)
    table = contingency_table(truth, prediction)
    found = [
        repeat("all metrics of an image", lambda: image_metrics(truth, prediction), most=repeats, budget=budget),
        repeat("contingency table", lambda: contingency_table(truth, prediction), most=repeats, budget=budget),
    ]
    for metric in (METRICS | COMPAT_METRICS).values():
        compute = metric.compute
        found.append(repeat(metric.title, lambda c=compute: c(table), most=repeats, budget=budget))  # type: ignore[misc]
    return found


def measure_start(repeats: int, budget: float) -> list[Series]:
    """The command line in a fresh process."""
    commands = {"start of the command line, --help": ["--help"], "list methods": ["list", "methods"]}
    return [
        repeat(name, lambda a=arguments: _command(a), most=repeats, budget=budget)  # type: ignore[misc]
        for name, arguments in commands.items()
    ]


def _command(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "benchmarks.cli", *arguments]
    subprocess.run(command, env=child_environment(os.environ), check=True, capture_output=True)


def discs(radius: int, shift: float) -> np.ndarray:
    """A 520×696 label map of 250 discs on a grid, each moved at random by about `shift` pixels."""
    generator = np.random.default_rng(0)
    labels = np.zeros((520, 696), np.int32)
    rows, columns = np.mgrid[:520, :696]
    for label, (y, x) in enumerate(_places(), 1):
        dy, dx = generator.normal(0, shift, 2)
        labels[(rows - y - dy) ** 2 + (columns - x - dx) ** 2 < radius**2] = label
    return labels


def _places() -> Iterator[tuple[float, float]]:
    """250 places, row by row."""
    grid = [(float(y), float(x)) for y in np.linspace(15, 505, 14) for x in np.linspace(15, 681, 18)]
    return iter(grid[:250])
