"""`pctrans-bench power`: before a run, how many seeds or images it takes to find a difference."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.options import Filled


def power(
    difference: Annotated[
        float, typer.Option("--difference", min=0, help="The difference that is to be found, in the metric's unit.")
    ],
    table: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A table in OUT, whose scatter is taken; else give --image-sd."),
    ] = None,
    out: Filled = Path("results"),
    metric: Annotated[
        str | None, typer.Option("--metric", help="Metric of the table that is compared. Default: pq.")
    ] = None,
    images: Annotated[
        int | None, typer.Option("--images", min=1, help="Test images of the run. Default: those of the table.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, help="Seeds of the run. Default: those of the table, else 3.")
    ] = None,
    image_sd: Annotated[
        float | None, typer.Option("--image-sd", min=0, help="How a difference scatters over images, without a table.")
    ] = None,
    seed_sd: Annotated[float | None, typer.Option("--seed-sd", min=0, help="The same over seeds. Default: 0.")] = None,
    residual_sd: Annotated[
        float | None, typer.Option("--residual-sd", min=0, help="The same over both together. Default: 0.")
    ] = None,
    comparisons: Annotated[
        int | None, typer.Option("--comparisons", min=1, help="How many are corrected together. Default: the table's.")
    ] = None,
) -> None:
    """Say how many seeds or images it takes to find a difference with 80 % power; computes no job.

    The scatter of differences over images and seeds is that of a table that was run, such as a pilot with two seeds, or
    is given.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from benchmarks.errors import UserError
    from benchmarks.machine.terminal import text_console
    from reports.collect import collect
    from reports.detectable import Scatter
    from reports.power import HEADINGS, Design, cells, conclusion, from_results, required

    if difference <= 0:
        raise UserError(f"--difference {difference:g}: expected more than 0, such as 0.005 for half a point of PQ.")
    spreads = (image_sd, seed_sd, residual_sd)
    if table is not None:
        if any(one is not None for one in spreads):
            raise UserError("Give a table or --image-sd, --seed-sd and --residual-sd: either says how it scatters.")
        design = {"images": images, "seeds": seeds, "family": comparisons}
        found = from_results(collect(out, table), metric or "pq", difference, **design)
    elif image_sd is not None and images is not None:
        if metric is not None:
            raise UserError("--metric is of a table; without one the difference is in the unit of --image-sd.")
        parts = Scatter(image_sd, seed_sd or 0.0, residual_sd or 0.0)
        found = [required("planned", parts, Design(images, seeds or 3, comparisons or 1, difference))]
    else:
        raise UserError(
            "How differences scatter is not known: name a table that was run into --out (two seeds and two rows are "
            "enough), or give --image-sd and --images, and --seed-sd and --residual-sd where trainings differ."
        )
    console = text_console(highlight=False)
    shown = Table(*HEADINGS, box=SIMPLE_HEAD)
    for one in found:
        shown.add_row(*map(Text, cells(one)))
    # As wide as it needs: on a narrow terminal its lines wrap, while rich would shorten figures.
    shown.width = text_console(width=1000).measure(shown).maximum
    console.print(shown, crop=False)
    console.print(conclusion(found), soft_wrap=True)
