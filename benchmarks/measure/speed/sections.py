"""Where the time of a training step goes, section by section, forward and backward.

A section is a range that code opens with `torch.profiler.record_function`: the parts of a step, of the losses, and
each child of the model, for which hooks open it. Ranges nest; time belongs to the innermost one. Autograd gives a
backward operation the sequence number of its forward operation, so the backward pass is shared out too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function

STEP, BACKWARD = "step", "backward"
PARTS = ("targets", "forward", "mask head", "matching", "optimiser", BACKWARD)
OTHER = "other"
_NODE = "autograd::engine::evaluate_function: "


@dataclass(frozen=True)
class Section:
    """Seconds of one section in each profiled step.

    Attributes:
        forward: the section itself, sections inside it left out.
        backward: what the backward pass spends on operations of this section.
    """

    name: str
    forward: list[float]
    backward: list[float]


@dataclass(frozen=True)
class _Range:
    name: str
    start: float
    end: float


def profile_sections(step: Callable[[], object], model: nn.Module, repeats: int) -> list[Section]:
    """Profile a step several times; sections in the order of their share, "other" last.

    The profiler slows a step, small operations more than large ones: shares are of the profiled steps.
    """
    forward: dict[str, list[float]] = defaultdict(lambda: [0.0] * repeats)
    backward: dict[str, list[float]] = defaultdict(lambda: [0.0] * repeats)
    with _named_children(model) as children:
        for index in range(repeats):
            with profile(activities=[ProfilerActivity.CPU]) as profiler, record_function(STEP):
                step()
            there, back = attribute(list(profiler.events() or ()), {STEP, *PARTS, *children})
            for name, seconds in there.items():
                forward[name][index] = seconds
            for name, seconds in back.items():
                backward[name][index] = seconds
    found = [Section(name, forward[name], backward[name]) for name in {**forward, **backward}]
    return sorted(found, key=lambda s: (s.name == OTHER, -sum(s.forward) - sum(s.backward)))


def attribute(events: Sequence[Any], names: set[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of each section in the forward and in the backward pass, from one step's profiler events.

    Both together sum to the step's seconds: what lies in no section is "other", and so is the part of the backward
    pass that belongs to no forward operation.

    Args:
        events: what the thread that takes the step did; one of them is named "step".
        names: the sections; events whose names begin with "loss: " are sections too.
    """
    ranges = sorted(
        (
            _Range(event.name, event.time_range.start, event.time_range.end)
            for event in events
            if event.name in names or event.name.startswith("loss: ")
        ),
        key=lambda r: (r.start, -r.end),
    )
    innermost = _Innermost(ranges)
    forward: dict[str, float] = defaultdict(float)
    for own, seconds in innermost.own_seconds():
        forward[OTHER if own == STEP else own] += seconds
    section_of_operation: dict[int, str] = {}
    nodes = []
    for event in events:
        if event.name.startswith(_NODE):
            nodes.append(event)
        elif event.sequence_nr >= 0 and event.name not in names:
            place = innermost.at(event.time_range.start)
            if place not in (None, BACKWARD):
                section_of_operation[event.sequence_nr] = OTHER if place == STEP else str(place)
    backward: dict[str, float] = defaultdict(float)
    for node in nodes:
        name = section_of_operation.get(node.sequence_nr, OTHER)
        backward[name] += (node.time_range.end - node.time_range.start) / 1e6
    rest = forward.pop(BACKWARD, 0.0) - sum(backward.values())
    backward[OTHER] += max(rest, 0.0)
    return dict(forward), dict(backward)


class _Innermost:
    """Tells which of nested ranges a moment lies in."""

    def __init__(self, ranges: list[_Range]):
        self._ranges = ranges

    def at(self, moment: float) -> str | None:
        found = None
        for r in self._ranges:  # an inner range starts later
            if r.start > moment:
                break
            if moment < r.end:
                found = r.name
        return found

    def own_seconds(self) -> Iterator[tuple[str, float]]:
        """Yield each range's name and its seconds less those of the ranges right inside it."""
        open_ranges: list[tuple[_Range, list[float]]] = []
        for r in self._ranges:
            while open_ranges and open_ranges[-1][0].end <= r.start:
                yield _own(*open_ranges.pop())
            if open_ranges:
                open_ranges[-1][1].append(r.end - r.start)
            open_ranges.append((r, []))
        while open_ranges:
            yield _own(*open_ranges.pop())


def _own(r: _Range, inside: list[float]) -> tuple[str, float]:
    return r.name, (r.end - r.start - sum(inside)) / 1e6


@contextmanager
def _named_children(model: nn.Module) -> Iterator[list[str]]:
    """Let each child of the model open a range of its name while it runs; waits for an accelerator at its end."""
    names = [name.replace("_", " ") for name, _ in model.named_children()]
    waits = next((p.device.type == "cuda" for p in model.parameters()), False)
    with ExitStack() as stack:
        for name, child in zip(names, model.children(), strict=True):
            running: list[Any] = []

            def enter(*_: Any, name: str = name, running: list[Any] = running) -> None:
                running.append(record_function(name))
                running[-1].__enter__()

            def leave(*_: Any, running: list[Any] = running) -> None:
                if waits:
                    torch.cuda.synchronize()
                running.pop().__exit__(None, None, None)

            stack.callback(child.register_forward_pre_hook(enter).remove)
            stack.callback(child.register_forward_hook(leave).remove)
        yield names
