"""What costs the same at every scale: metrics, the start of the command line, and what reports read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.data import open_dataset
from benchmarks.machine.children import child_environment
from benchmarks.measure.step import Series, repeat
from benchmarks.metrics import COMPAT_METRICS, METRICS, contingency_table, image_metrics
from benchmarks.plan.expansion import expand_table
from benchmarks.plan.job import JobContext
from benchmarks.plan.tables import load_table
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.result import SCHEMA, Cost, DatasetFacts, Result
from benchmarks.store.run_file import save_run

IMAGES = 50
"""Images of a result that `finished_results` writes."""


def measure_metrics(repeats: int, budget: float) -> list[Series]:
    """Time each metric of one 520×696 image with 250 instances, and all together."""
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
    """Yield 250 places, row by row."""
    grid = [(float(y), float(x)) for y in np.linspace(15, 505, 14) for x in np.linspace(15, 681, 18)]
    return iter(grid[:250])


def measure_start(repeats: int, budget: float) -> list[Series]:
    """Time the command line in a fresh process."""
    commands = {"start of the command line, --help": ["--help"], "list methods": ["list", "methods"]}
    return [
        repeat(name, lambda a=arguments: _command(a), most=repeats, budget=budget)  # type: ignore[misc]
        for name, arguments in commands.items()
    ]


def _command(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "benchmarks.cli", *arguments]
    subprocess.run(command, env=child_environment(os.environ), check=True, capture_output=True)


def finished_results(out: Path, table: str, seeds: int) -> int:
    """Write a result for each row and seed of a table, all metrics 0.5 on 50 images; returns how many."""
    plan = expand_table(load_table(table), JobContext.on(open_dataset("synthetic-nuclei"), "quick"), seeds=seeds)
    metrics = dict.fromkeys(METRICS, 0.5)
    images = [{"id": f"image-{index}", "truth": 100, "predicted": 100, **metrics} for index in range(IMAGES)]
    for planned in plan.jobs:
        job = planned.job
        facts = DatasetFacts(**job.data.model_dump(), split=job.split, images=IMAGES, instances=100 * IMAGES)
        result = Result(
            schema=SCHEMA,
            key=job.key,
            label=planned.label,
            job=job.resolved(),
            dataset=facts,
            metrics=metrics,
            images=images,
            cost=Cost(iterations=job.training.iterations, train_seconds=1.0),
            environment={},
        )
        JobFolder.of(job, out).write_result(result)
    save_run(plan, out)
    return len(plan.jobs)
