"""`pctrans-bench predict` and `score`: label maps of a user's own images, and how good any label maps are."""

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


def score(
    truth: Annotated[Path, typer.Argument(help="Folder of true label maps (PNG, TIFF, NPY).")],
    prediction: Annotated[Path, typer.Argument(help="Folder of predicted label maps, paired by stem.")],
    csv: Annotated[Path, typer.Option("--csv", help="Write one row per image here.")],
    stems: Annotated[
        Path | None,
        typer.Option("--stems", help="Score only images named in this list, such as splits/test.txt."),
    ] = None,
    tolerance: Annotated[
        int,
        typer.Option("--tolerance", min=0, help="Do not judge so many pixels on each side of an outline of the truth."),
    ] = 0,
    compat: Annotated[bool, typer.Option("--compat", help="Add aji_pea, the released evaluation's AJI.")] = False,
) -> None:
    """Score predictions against the truth; prints the means over images."""
    from rich.console import Console
    from rich.table import Table

    from benchmarks.metrics import COMPAT_METRICS, METRICS
    from benchmarks.metrics.scoring import mean_scores
    from benchmarks.run.user_images import read_stems
    from benchmarks.store.scores import score_folders, write_scores

    rows = score_folders(
        truth, prediction, stems=read_stems(stems) if stems else None, tolerance=tolerance, compat=compat
    )
    write_scores(rows, csv)
    table = Table("metric", "mean", "", title=_what_was_scored(len(rows), tolerance), title_justify="left")
    for name, value in mean_scores(rows).items():
        table.add_row(name, f"{value:.4f}", (METRICS | COMPAT_METRICS)[name].description)
    Console().print(table)


def _what_was_scored(images: int, tolerance: int) -> str:
    band = f", outlines to {tolerance} pixels not judged" if tolerance else ""
    return f"{images} images, mean over images{band}"
