"""What commands that train say of the data before they begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from benchmarks.data import Dataset

# Frames of a film that are spread over the splits are all copies of each other.
_TOLD = 1000


def find_leaks(console: Console, dataset: Dataset, out: Path) -> list[str]:
    """Find and tell of the pictures that are in several splits; all is read, unless a run in `out` has looked before.

    Returns:
        Each pair in words.

    Raises:
        UserError: a sample that cannot be used.
    """
    from benchmarks.data.checking import leaks
    from benchmarks.store.run_file import known_leaks

    pairs = known_leaks(out, dataset.fingerprint)
    if pairs is None:
        with console.status("comparing the images of the splits"):
            pairs = leaks(dataset)
        if len(pairs) > _TOLD:
            pairs = [*pairs[:_TOLD], f"{len(pairs) - _TOLD} pairs more"]
    if pairs:
        count = f"more than {_TOLD}" if len(pairs) > _TOLD else len(pairs)
        console.print(
            f"note: {dataset.spec}: {count} times the same picture is in two splits, which flatters figures; "
            f"first {pairs[0]}. `pctrans-bench data check` names all.",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    return pairs
