"""`pctrans-bench scaling`: how seconds and memory grow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.options import Device, Scale, default_scale


def scaling(
    axes: Annotated[
        list[str] | None, typer.Argument(help="queries, crop, instances, image or stitching. Default: all.")
    ] = None,
    scale: Scale = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for points.csv, scaling.png and README.md.")] = Path(
        "scaling"
    ),
    largest: Annotated[int | None, typer.Option("--largest", min=1, help="Leave values above this out.")] = None,
    device: Device = "auto",
) -> None:
    """Chart seconds and peak memory against queries, crop, instances and image size; PCTrans, random weights."""
    from benchmarks.errors import UserError
    from benchmarks.machine.environment import choose_device, describe_environment
    from benchmarks.machine.terminal import text_console
    from benchmarks.measure.scaling import AXES, Record, Records, sweep
    from benchmarks.plan.scales import SCALES
    from reports.scaling import write_scaling

    for name in axes or ():
        if name not in AXES:
            raise UserError(f"There is no axis '{name}': there are {', '.join(AXES)}.")
    device, scale = choose_device(device), default_scale(scale)
    if scale not in SCALES:
        raise UserError(f"--scale {scale}: there are {', '.join(SCALES)}.")
    environment = describe_environment(device)
    names = ("cpu", "accelerator", "threads", "memory_gib", "torch", "commit")
    settings = {"scale": scale, **{name: environment[name] for name in names}}
    records = Records(out, settings)
    console = text_console(highlight=False)

    def told(record: Record) -> None:
        if record.seconds is None or record.added_bytes is None:
            console.print(f"{record.axis} {record.value}: {record.note}")
        else:
            memory = record.added_bytes / 2**30
            console.print(f"{record.axis} {record.value}: {record.seconds:.3f} s, {memory:.3f} GiB added at the peak")

    sweep([AXES[name] for name in axes or AXES], records, scale=scale, device=device, largest=largest, told=told)
    if records.records:
        arguments = [*(axes or []), "--scale", scale, *(["--largest", str(largest)] if largest else [])]
        write_scaling(records, out, settings, f"pctrans-bench scaling {' '.join(arguments)} --out {out}")
        console.print(f"{out / 'scaling.png'}, {out / 'README.md'}, {out / 'points.csv'}")
