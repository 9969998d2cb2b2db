"""`pctrans-bench push` and `pack`: a saved model for others, on the Hugging Face hub or as a small folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.options import model_place


def push(
    model: Annotated[
        Path,
        typer.Argument(
            parser=model_place, metavar="MODEL", help="OUT of `train`, a job's folder, or its model folder."
        ),
    ],
    to: Annotated[str, typer.Option("--to", metavar="USER/NAME", help="Repository on the hub; made if needed.")],
    private: Annotated[bool, typer.Option("--private", help="If it has to be made: for you alone.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent, and send nothing.")] = False,
) -> None:
    """Send a saved model with its model card to the Hugging Face hub, where everybody may see it."""
    from benchmarks.machine.terminal import text_console
    from benchmarks.store.models.hub import prepare_upload
    from benchmarks.store.models.hub import push as push_to_hub

    console = text_console(highlight=False)
    upload = prepare_upload(model, to)
    for name, size in upload.sizes.items():
        console.print(f"{size:>13,} bytes  {name}", markup=False, soft_wrap=True)
    places = ", ".join(upload.places)
    console.print(f"harness.json names where things lay: {places}", style="dim", markup=False, soft_wrap=True)
    if dry_run:
        console.print(f"\n{upload.card}", markup=False, soft_wrap=True)
        console.print(f"Nothing was sent. Without --dry-run, this goes to {to}.", markup=False, soft_wrap=True)
        return
    console.print(f"sent to {push_to_hub(upload, private=private)}", markup=False, soft_wrap=True)


def pack(
    model: Annotated[
        Path,
        typer.Argument(
            parser=model_place, metavar="MODEL", help="OUT of `train`, a job's folder, or its model folder."
        ),
    ],
    to: Annotated[Path, typer.Option("--to", help="Folder to make, for `predict` as the model itself.")],
) -> None:
    """Copy a saved model with its weights in half precision: half the size, to give away."""
    from benchmarks.machine.terminal import text_console
    from benchmarks.store.models.packing import pack_model

    packed = pack_model(model, to)
    text_console(highlight=False).print(
        f"{packed.folder}: {packed.size:,} bytes of weights instead of {packed.before:,}; no weight changed by more "
        f"than {packed.largest_change:.2g} of the largest of its tensor. `pctrans-bench score` says what it is worth.",
        markup=False,
        soft_wrap=True,
    )
