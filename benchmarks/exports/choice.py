"""What `--export` names."""

from __future__ import annotations

from typing import Literal, get_args

from benchmarks.errors import UserError

Export = Literal["labels", "roi", "geojson", "coco", "csv"]
EXPORTS: tuple[Export, ...] = get_args(Export)


def read_exports(text: str | None) -> frozenset[Export]:
    """Read names that commas separate; None is none.

    Raises:
        UserError: a name that is not known, or none.
    """
    if text is None:
        return frozenset()
    named = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in named if name not in EXPORTS]
    if unknown or not named:
        found = f"{unknown[0]!r} is none of the exports" if unknown else f"{text!r} names no export"
        raise UserError(f"--export: {found}; expected some of {', '.join(EXPORTS)}, with commas between them.")
    return frozenset(known for known in EXPORTS if known in named)
