"""`pctrans-bench predict`: label maps, overlays and measurements of a user's own images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.options import Device, Out


def predict(
    model: Annotated[Path, typer.Argument(help="OUT of `train`, a job's folder, or its model folder.")],
    inputs: Annotated[list[str], typer.Argument(help="Images: files, folders or globs; PNG or TIFF.")],
    out: Out,
    stems: Annotated[
        Path | None, typer.Option("--stems", help="Only images named in this list, such as splits/test.txt.")
    ] = None,
    tile: Annotated[
        int | None, typer.Option("--tile", min=32, help="Side of the tiles. Default: the training crop.")
    ] = None,
    flips: Annotated[bool, typer.Option("--flips", help="Let mirrored views vote; four times slower.")] = False,
    min_size: Annotated[int, typer.Option("--min-size", min=0, help="Drop objects of fewer pixels.")] = 0,
    device: Device = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Segment again what is there.")] = False,
) -> None:
    """Segment images: OUT/labels/*.tif, OUT/overlays/*.png and OUT/objects.csv. The same command continues."""
    from rich.console import Console
    from rich.progress import track

    from benchmarks.machine.environment import choose_device
    from benchmarks.run.user_images import find_images, predict_images

    console = Console()
    images = find_images(inputs, stems)
    segmented = predict_images(
        model,
        images,
        out,
        device=choose_device(device),
        tile=tile,
        flips=flips,
        min_size=min_size,
        overwrite=overwrite,
    )
    objects = sum(track(segmented, "segmenting", total=len(images), console=console, disable=not console.is_terminal))
    console.print(f"{len(images)} images, {objects} objects", highlight=False)
    for what in ("labels", "overlays", "objects.csv"):
        console.print(f"  {out / what}", markup=False, highlight=False)
