"""A training step of PCTrans against one of Mask2Former, at the same sizes, in one process.

    python tests/timing/steps.py [--scale quick] [--repeats 20] [--data folder:...]

The steps alternate, so that whatever else the machine does falls on both. Sizes are checked to be the same:
backbone, width, layers, feed-forward, queries, points, crop and batch. Loading the batch is not timed.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

from benchmarks.data import Dataset, open_dataset
from benchmarks.machine.environment import choose_device, describe_environment
from benchmarks.measure.step import JobStep
from benchmarks.plan.job import Job, JobContext
from benchmarks.plan.resolving import make_job

SAME = (
    "backbone",
    "hidden_dim",
    "num_heads",
    "num_queries",
    "encoder_layers",
    "encoder_feedforward",
    "decoder_layers",
    "decoder_feedforward",
    "num_points",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", default="quick")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--data", default="synthetic-nuclei")
    arguments = parser.parse_args()
    device = choose_device("auto")
    dataset = open_dataset(arguments.data)
    jobs = {name: job_of(name, dataset, arguments.scale, device) for name in ("pctrans", "mask2former")}
    ours, theirs = (job.model for job in jobs.values())
    if different := [name for name in SAME if ours[name] != theirs[name]]:
        raise SystemExit(f"not the same sizes: {', '.join(different)}")
    steps = {name: JobStep(job, dataset, device) for name, job in jobs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for iteration in range(arguments.repeats + 2):
        for name, step in steps.items():
            batch = step.next_batch()
            begun = time.perf_counter()
            step.take(batch)
            elapsed = time.perf_counter() - begun
            if iteration >= 2:  # the first ones allocate and initialise
                seconds[name].append(elapsed)
    show(jobs["pctrans"], seconds, describe_environment(device))


def job_of(method: str, dataset: Dataset, scale: str, device: str) -> Job:
    return make_job(
        method,
        JobContext.on(dataset, scale, device=device),
        seed=0,
        overrides={"model": {"backbone": {"pretrained": None}}},
    )


def show(job: Job, seconds: dict[str, list[float]], environment: dict[str, object]) -> None:
    print(
        f"{job.scale}: crop {job.training.crop}, batch {job.training.batch_size}, {job.model['num_queries']} queries, "
        f"width {job.model['hidden_dim']}, on {environment['accelerator'] or environment['cpu']} "
        f"({environment['threads']} threads)"
    )
    for name, values in seconds.items():
        print(f"{name:<12} {median(values):.3f} s, median of {len(values)} ({min(values):.3f} to {max(values):.3f})")
    print(f"ratio        {median(seconds['pctrans']) / median(seconds['mask2former']):.2f}, PCTrans / Mask2Former")


if __name__ == "__main__":
    main()
