"""`pctrans-bench predict` and `score`: label maps of a user's own images, and how good any label maps are."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.options import Device, Out, model_place


class Components(StrEnum):
    """Label maps whose ids `score` splits into connected components."""

    truth = "truth"
    prediction = "prediction"
    both = "both"

    @property
    def sides(self) -> frozenset[str]:
        """The sides that are split."""
        return frozenset({"truth", "prediction"} if self is Components.both else {self.value})


def predict(
    model: Annotated[
        Path,
        typer.Argument(
            parser=model_place,
            metavar="MODEL",
            help="nuclei, which is built in; OUT of `train`, a job's folder, or its model folder.",
        ),
    ],
    inputs: Annotated[
        list[str], typer.Argument(help="Images: files, folders or globs; PNG, TIFF, JPEG, ND2, LIF, OME-Zarr, CZI.")
    ],
    out: Out,
    stems: Annotated[
        Path | None, typer.Option("--stems", help="Only images named in this list, such as splits/test.txt.")
    ] = None,
    tile: Annotated[
        int | None, typer.Option("--tile", min=32, help="Side of the tiles. Default: the training crop.")
    ] = None,
    overlap: Annotated[
        int | None,
        typer.Option("--overlap", min=0, help="Pixels that tiles share; should exceed the largest object."),
    ] = None,
    flips: Annotated[bool, typer.Option("--flips", help="Let mirrored views vote; four times slower.")] = False,
    min_size: Annotated[int, typer.Option("--min-size", min=0, help="Drop objects of fewer pixels.")] = 0,
    range_: Annotated[
        str | None,
        typer.Option("--range", help="min-max or robust (against hot pixels). Default: that of the training data."),
    ] = None,
    diameter: Annotated[
        str | None,
        typer.Option(
            "--diameter", help="Of the objects, in pixels, or auto: images are resized to what the model knows."
        ),
    ] = None,
    invert: Annotated[
        bool,
        typer.Option("--invert", help="Invert the image for the model: for dark objects and a model of bright ones."),
    ] = False,
    channel: Annotated[
        str | None,
        typer.Option("--channel", help="Of several channels: a name, a number from 1 on, or rgb for three as colours."),
    ] = None,
    z: Annotated[
        str | None, typer.Option("--z", help="Of several planes in depth: a number from 1 on, or max for the highest.")
    ] = None,
    t: Annotated[int | None, typer.Option("--t", min=1, help="Of several times: a number from 1 on.")] = None,
    scene: Annotated[
        str | None, typer.Option("--scene", help="Of several images in a file: a name, or a number from 1 on.")
    ] = None,
    export: Annotated[
        str | None,
        typer.Option("--export", help="Also labels, roi, geojson, coco, csv; with commas. csv and geojson have µm."),
    ] = None,
    device: Device = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Segment again what is there.")] = False,
) -> None:
    """Segment images: OUT/labels/*.tif, OUT/overlays/*.png and OUT/objects.csv. The same command continues."""
    from rich.progress import track

    from benchmarks.data.normalisation import checked_range
    from benchmarks.data.planes.choice import PlaneChoice
    from benchmarks.exports.choice import read_exports
    from benchmarks.exports.writing import export_paths
    from benchmarks.machine.environment import choose_device
    from benchmarks.machine.terminal import text_console
    from benchmarks.predicting.input_images import find_images
    from benchmarks.predicting.options import PredictOptions
    from benchmarks.predicting.user_images import labels_of_others, predict_images
    from benchmarks.tiling.magnification import checked_diameter

    console = text_console()
    images = find_images(inputs, stems)
    limits = None if range_ is None else checked_range(range_, "--range")
    exports = read_exports(export)
    size = checked_diameter(diameter, "--diameter")
    options = PredictOptions(tile, overlap, flips, min_size, limits, size, invert, PlaneChoice(channel, z, t, scene))
    segmented = predict_images(
        model,
        images,
        out,
        device=choose_device(device),
        options=options,
        overwrite=overwrite,
        exports=exports,
    )
    bar = track(segmented, "segmenting", total=len(images), console=console, disable=not console.is_terminal)
    failed = objects = 0
    for one in bar:
        failed, objects = failed + (one.problem is not None), objects + one.objects
        for line in one.told:
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"{len(images) - failed} images, {objects} objects", highlight=False)
    if others := labels_of_others(out, images):
        console.print(
            f"note: {others} label maps of earlier calls are of other images; objects.csv has those of this call only.",
            highlight=False,
        )
    scores = [out / "scores"] if (out / "scores").is_dir() else []  # which not every method gives
    for path in (out / "labels", *scores, out / "overlays", out / "objects.csv", *export_paths(out, exports)):
        console.print(f"  {path}", markup=False, highlight=False)
    if failed:
        console.print(
            f"{failed} of {len(images)} images could not be segmented or exported; see above.", highlight=False
        )
        raise typer.Exit(1)


def score(
    truth: Annotated[Path, typer.Argument(help="Folder of true label maps or outlines, or COCO JSON.")],
    prediction: Annotated[Path, typer.Argument(help="The same of the predictions, paired by stem.")],
    csv: Annotated[Path, typer.Option("--csv", help="Write one row per image here.")],
    stems: Annotated[
        Path | None,
        typer.Option("--stems", help="Score only images named in this list, such as splits/test.txt."),
    ] = None,
    components: Annotated[
        Components | None,
        typer.Option("--components", help="Make each connected part of an id an object of its own, in these maps."),
    ] = None,
    tolerance: Annotated[
        int,
        typer.Option("--tolerance", min=0, help="Do not judge so many pixels on each side of an outline of the truth."),
    ] = 0,
    compat: Annotated[bool, typer.Option("--compat", help="Add aji_pea, the released evaluation's AJI.")] = False,
) -> None:
    """Score predictions against the truth; prints the means over images."""
    from rich.table import Table

    from benchmarks.machine.terminal import text_console
    from benchmarks.metrics import COMPAT_METRICS, METRICS
    from benchmarks.metrics.scoring import mean_scores
    from benchmarks.predicting.input_images import read_stems
    from benchmarks.store.scores import score_folders, write_scores

    console = text_console()
    rows, notes = score_folders(
        truth,
        prediction,
        stems=read_stems(stems) if stems else None,
        split=components.sides if components else frozenset(),
        tolerance=tolerance,
        compat=compat,
    )
    write_scores(rows, csv)
    for note in notes:
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    table = Table("metric", "mean", "", title=_what_was_scored(len(rows), tolerance), title_justify="left")
    for name, value in mean_scores(rows).items():
        table.add_row(name, f"{value:.4f}", (METRICS | COMPAT_METRICS)[name].description)
    console.print(table)


def _what_was_scored(images: int, tolerance: int) -> str:
    band = f", outlines to {tolerance} pixels not judged" if tolerance else ""
    return f"{images} images, mean over images{band}"
