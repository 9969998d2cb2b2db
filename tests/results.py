"""Results of jobs that were not run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.plan.job import Job
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.result import SCHEMA, Cost, DatasetFacts, Result


def write_result(job: Job, out: Path, **fields: Any) -> JobFolder:
    """A result with these fields; the others say as little as they may."""
    folder = JobFolder.of(job, out)
    facts = DatasetFacts(**job.data.model_dump(), split=job.split, images=0, instances=0)
    cost = Cost(iterations=job.training.iterations, train_seconds=0.0)
    given: dict[str, Any] = {
        **{"version": SCHEMA, "key": job.key, "job": job.resolved(), "dataset": facts, "cost": cost},
        **{"metrics": {}, "images": [], "environment": {}},
    }
    folder.write_result(Result(**given | fields))
    return folder


def write_empty_result(folder: JobFolder) -> None:
    """A result of a job that nobody looks into: it only has to be there."""
    facts = DatasetFacts(spec="none", split="test", images=0, instances=0)
    cost = Cost(iterations=0, train_seconds=0.0)
    folder.write_result(
        Result(
            version=SCHEMA,
            key=folder.key,
            job={},
            dataset=facts,
            metrics={},
            images=[],
            cost=cost,
            environment={},
        )
    )
