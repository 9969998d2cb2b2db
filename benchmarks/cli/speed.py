"""`pctrans-bench speed`: what one training step costs on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks.cli.options import ConfigFile, Data, Device, ProtocolOption, Scale, Set, one_job


def speed(
    method: Annotated[str, typer.Argument(help="Name of a method; `list methods` shows them.")] = "pctrans",
    data: Data = "synthetic-nuclei",
    scale: Scale = None,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Steps to time.")] = 5,
    set_: Set = None,
    config: ConfigFile = None,
    protocol: ProtocolOption = None,
    device: Device = "auto",
) -> None:
    """Time a training step: seconds, peak memory, and the share of the matching."""
    from rich.console import Console

    from benchmarks.data import open_dataset
    from benchmarks.environment import choose_device, describe_environment
    from benchmarks.speed import measure_step

    device = choose_device(device)
    dataset = open_dataset(data)
    job = one_job(
        method, dataset, scale=scale, protocol=protocol, seed=0, config=config, assignments=set_, device=device
    )
    cost = measure_step(job, dataset, device, repeats=repeats)
    environment = describe_environment(device)
    console = Console(highlight=False)
    console.print(
        f"{method} at scale {job.scale}: crop {job.training.crop}, batch {job.training.batch_size}, "
        f"{cost.parameters / 1e6:.1f} M parameters, on {environment['accelerator'] or environment['cpu']} "
        f"({environment['threads']} threads)"
    )
    spread = f"{min(cost.seconds):.3f} to {max(cost.seconds):.3f}"
    console.print(f"step       {cost.median_seconds:.3f} s, median of {repeats} ({spread})")
    console.print(f"memory     {cost.peak_memory_bytes / 2**30:.2f} GiB at the peak")
    for name, share in cost.shares.items():
        console.print(f"{name:<10} {share:.1%} of a step")
