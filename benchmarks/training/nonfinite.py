"""A loss that is not finite, and whose fault it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from benchmarks.training.batches import Batch
from pctrans.distributed import gathered


class NonFiniteLossError(RuntimeError):
    """A loss or its gradient is NaN or infinite: training cannot go on."""


@dataclass(frozen=True)
class _Part:
    """A micro-batch: its losses, and the images its crops are from."""

    losses: dict[str, float]
    ids: tuple[str, ...]

    @classmethod
    def joined(cls, parts: Sequence[_Part]) -> _Part:
        """One of several equal parts."""
        losses = {name: sum(part.losses[name] for part in parts) / len(parts) for name in parts[0].losses}
        return cls(losses, tuple(id for part in parts for id in part.ids))

    @property
    def finite(self) -> bool:
        return all(map(math.isfinite, self.losses.values()))


def not_finite(of_parts: list[dict[str, Tensor]], batch: Batch, iteration: int) -> NonFiniteLossError:
    """The error that names the first micro-batch with a bad loss, or the whole batch where only gradients are bad."""
    size = len(batch.ids) // len(of_parts)
    own = [
        _Part({name: value.item() for name, value in losses.items()}, batch.ids[part * size : (part + 1) * size])
        for part, losses in enumerate(of_parts)
    ]
    parts = [_Part.joined(slices) for slices in zip(*gathered(own), strict=True)]
    bad = next((part for part in parts if not part.finite), None)
    found, what = (bad, "loss") if bad else (_Part.joined(parts), "gradient")
    terms = ", ".join(f"{name} {value:g}" for name, value in found.losses.items())
    return NonFiniteLossError(
        f"the {what} is not finite at iteration {iteration + 1} ({terms}); crops of the images {', '.join(found.ids)}. "
        "The last checkpoint is from before. A lower learning rate (--set training.learning_rate=...) or a "
        "smaller gradient norm usually helps; look at these images too."
    )
