"""A training step of PCTrans against one of Mask2Former, at the same sizes, in one process.

    python tests/timing/steps.py [--scale quick] [--repeats 20] [--data folder:...]

The steps alternate, so that whatever else the machine does falls on both. Sizes are checked to be the same:
backbone, width, layers, feed-forward, queries, points, crop and batch. Loading the batch is not timed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import cast

import torch

from benchmarks.allocator import keep_freed_memory
from benchmarks.contract import Segmenter
from benchmarks.data import Dataset, open_dataset
from benchmarks.environment import choose_device, describe_environment
from benchmarks.expansion import reference
from benchmarks.jobs import Job, make_job
from benchmarks.methods import get_method
from benchmarks.training.batches import BatchSource
from benchmarks.training.loop import training_step
from benchmarks.training.optimisation import build_optimiser

SAME = (
    "backbone", "hidden_dim", "num_heads", "num_queries", "encoder_layers", "encoder_feedforward",
    "decoder_layers", "decoder_feedforward", "num_points",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", default="quick")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--data", default="synthetic-nuclei")
    arguments = parser.parse_args()
    keep_freed_memory()  # as a job does
    device = choose_device("auto")
    dataset = open_dataset(arguments.data)
    jobs = {name: job_of(name, dataset, arguments.scale, device) for name in ("pctrans", "mask2former")}
    ours, theirs = (job.model for job in jobs.values())
    if different := [name for name in SAME if ours[name] != theirs[name]]:
        raise SystemExit(f"not the same sizes: {', '.join(different)}")
    steps = {name: stepper(job, dataset, device) for name, job in jobs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for iteration in range(arguments.repeats + 2):
        for name, step in steps.items():
            elapsed = step(iteration)
            if iteration >= 2:  # the first ones allocate and initialise
                seconds[name].append(elapsed)
    show(jobs["pctrans"], seconds, describe_environment(device))


def job_of(method: str, dataset: Dataset, scale: str, device: str) -> Job:
    return make_job(
        method, reference(dataset), split="test", scale=scale, protocol=dataset.protocol, seed=0,
        overrides={"model": {"backbone": {"pretrained": None}}}, device=device,
    )  # fmt: skip


def stepper(job: Job, dataset: Dataset, device: str) -> Callable[[int], float]:
    """A function that trains one iteration and tells its seconds."""
    torch.manual_seed(job.seed)
    model = cast(torch.nn.Module, get_method(job.method).build(job.model)).to(device).train()
    optimiser = build_optimiser(model, job.training)
    batches = BatchSource.of_job(job, dataset)

    def step(iteration: int) -> float:
        batch = batches.batch(iteration)
        begun = time.perf_counter()
        losses = training_step(cast(Segmenter, model), optimiser, batch, job.training, iteration, torch.device(device))
        sum(value.item() for value in losses.values())  # waits for the device
        return time.perf_counter() - begun

    return step


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
