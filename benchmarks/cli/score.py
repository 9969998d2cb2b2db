"""`pctrans-bench score`: any two folders of label maps, whoever made them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def score(
    truth: Annotated[Path, typer.Argument(help="Folder of true label maps (PNG, TIFF, NPY).")],
    prediction: Annotated[Path, typer.Argument(help="Folder of predicted label maps, paired by stem.")],
    csv: Annotated[Path, typer.Option("--csv", help="Write one row per image here.")],
    stems: Annotated[
        Path | None,
        typer.Option("--stems", help="Score only images named in this list, such as splits/test.txt."),
    ] = None,
    compat: Annotated[bool, typer.Option("--compat", help="Add aji_pea, the released evaluation's AJI.")] = False,
) -> None:
    """Score predictions against the truth; prints the means over images."""
    from rich.console import Console
    from rich.table import Table

    from benchmarks.metrics import COMPAT_METRICS, METRICS
    from benchmarks.metrics.scoring import mean_scores
    from benchmarks.run.user_images import read_stems
    from benchmarks.store.scores import score_folders, write_scores

    rows = score_folders(truth, prediction, stems=read_stems(stems) if stems else None, compat=compat)
    write_scores(rows, csv)
    table = Table("metric", "mean", "", title=f"{len(rows)} images, mean over images", title_justify="left")
    for name, value in mean_scores(rows).items():
        table.add_row(name, f"{value:.4f}", (METRICS | COMPAT_METRICS)[name].description)
    Console().print(table)
