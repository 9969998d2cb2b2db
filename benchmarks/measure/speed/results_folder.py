"""A folder of finished results without any training, to time what reads them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.data import open_dataset
from benchmarks.metrics import METRICS
from benchmarks.plan.expansion import expand_table
from benchmarks.plan.job import JobContext
from benchmarks.plan.tables import load_table
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.result import SCHEMA, Cost, DatasetFacts, Result
from benchmarks.store.run_file import save_run

IMAGES = 50


def finished_results(out: Path, table: str, seeds: int) -> int:
    """Write a result for each row and seed of a table, all metrics 0.5 on 50 images; returns how many."""
    plan = expand_table(load_table(table), JobContext.on(open_dataset("synthetic-nuclei"), scale="quick"), seeds=seeds)
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
