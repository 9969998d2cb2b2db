"""A moving average of the weights (Polyak), which tests better than the last step of a short training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage:
    """Exponential moving average of a model's parameters and buffers.

    The first steps count for less than `decay` says, as in Tan and Le 2019 (EfficientNet): after n steps it is
    min(decay, (1 + n) / (10 + n)), so that the random start is forgotten.

    Attributes:
        state: the average, by the names of the model's state_dict.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.decay, self.steps = decay, 0
        self.state = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights after one more step. Integer buffers, which are counts, are copied."""
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        current = model.state_dict()
        averaged = [name for name, value in current.items() if value.is_floating_point()]
        torch._foreach_lerp_([self.state[name] for name in averaged], [current[name] for name in averaged], 1 - decay)
        for name in current.keys() - set(averaged):
            self.state[name].copy_(current[name])

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """The model with the average in the place of its weights, which come back afterwards."""
        own = {name: value.detach().clone() for name, value in model.state_dict().items()}
        model.load_state_dict(self.state)
        try:
            yield
        finally:
            model.load_state_dict(own)

    def state_dict(self) -> dict[str, int | dict[str, Tensor]]:
        """For the checkpoint."""
        return {"steps": self.steps, "state": self.state}

    def load_state_dict(self, state: dict) -> None:
        """Take over what `state_dict` gave.

        Raises:
            KeyError: the average of another model.
        """
        self.steps = int(state["steps"])
        with torch.no_grad():
            for name, value in self.state.items():
                value.copy_(state["state"][name])
