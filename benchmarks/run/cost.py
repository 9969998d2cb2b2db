"""What a model costs, told by counting instead of timing."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.contract import Segmenter
from benchmarks.data import Dataset
from benchmarks.plan.job import Job
from benchmarks.plan.methods import get_method
from benchmarks.plan.starting import without_pretrained
from benchmarks.training.batches import BatchSource


def count_parameters(segmenter: Segmenter) -> int:
    """Parameters of the whole model; 0 for a method without any."""
    parameters = segmenter.parameters() if isinstance(segmenter, torch.nn.Module) else []
    return sum(parameter.numel() for parameter in parameters)


def training_flops(segmenter: Segmenter, job: Job, dataset: Dataset, device: str) -> int:
    """Floating-point operations of training on one crop: forward pass, losses and backward pass.

    Counted by torch over matrix products, convolutions and attention; sampling, norms and activations are
    not in it. The crop is the first of the job's batches. The random state of the process is left as it was,
    the model is not: it has gradients and other running statistics afterwards.
    """
    batch = BatchSource.of_job(job, dataset, batch_size=1).batch(0)
    cast(torch.nn.Module, segmenter).train()
    with torch.random.fork_rng(devices=[device] if device.startswith("cuda") else []):
        torch.manual_seed(job.seed)
        with FlopCounterMode(display=False) as counter:
            losses = segmenter.losses(batch.images.to(device), batch.labels.to(device))
            torch.stack([value.float() for value in losses.values()]).sum().backward()
    return counter.get_total_flops()


def parameters_at(method: str, model: dict[str, Any]) -> int:
    """Parameters of a method with this configuration, counted without making any."""
    with torch.device("meta"):
        return count_parameters(get_method(method).build(without_pretrained(model)))
