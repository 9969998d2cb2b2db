"""What commands that train say of the data before they begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.data import Dataset

# Frames of a film that are spread over the splits are all copies of each other.
_TOLD = 1000


def find_leaks(console: Console, dataset: Dataset) -> list[str]:
    """Read all of a data set, and find and tell of the pictures that are in several splits.

    Returns:
        Each pair in words.

    Raises:
        UserError: a sample that cannot be used.
    """
    from benchmarks.data.checking import leaks

    with console.status("comparing the images of the splits"):
        pairs = leaks(dataset)
    if pairs:
        console.print(
            f"note: {dataset.spec}: {len(pairs)} times the same picture is in two splits, which flatters figures; "
            f"first {pairs[0]}. `pctrans-bench data check` names all.",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    rest = [f"{len(pairs) - _TOLD} pairs more"] if len(pairs) > _TOLD else []
    return pairs[:_TOLD] + rest
