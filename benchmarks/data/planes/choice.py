"""Which plane of a file is meant: nothing is chosen silently."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from benchmarks.data.decoding.raster import RGB
from benchmarks.errors import UserError

MAX = "max"
AS_COLOURS = "rgb"
UNNAMED = "pages"
"""Axis of pages that a file gives no meaning: depth or time, as the user says."""

_WORDS = {
    "C": ("channels", "--channel NAME|N"),
    "Z": ("planes in depth", f"--z N|{MAX}"),
    "T": ("times", "--t N"),
    UNNAMED: ("pages, of which it does not say whether they are depth or time", f"--z N|{MAX} or --t N"),
}


@dataclass(frozen=True)
class PlaneChoice:
    """What the user chose; None is no choice. All numbers count from 1.

    Attributes:
        channel: its name or number, or "rgb": three channels are red, green and blue.
        z: a number, or "max": the highest value over the depth.
        t: number of the time.
        scene: name or number of the image, in files of several.
    """

    channel: str | None = None
    z: str | None = None
    t: int | None = None
    scene: str | None = None

    def __post_init__(self) -> None:
        if self.z is not None and self.z != MAX and not _is_number(self.z):
            raise UserError(f"--z {self.z!r}: expected the number of a plane, from 1 on, or {MAX}.")

    def made(self) -> dict[str, str | int]:
        """Return the choices that were made, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Stack:
    """What one image of a file holds.

    Attributes:
        name: what to call the file in errors.
        sizes: of the axes C, Z, T and `UNNAMED` that it has.
        load: the plane at an index for each of these axes, (H, W) or (H, W, 3) as a viewer shows it.
        channels: names of the channels; empty where there are none.
    """

    name: str
    sizes: Mapping[str, int]
    load: Callable[[Mapping[str, int]], np.ndarray]
    channels: Sequence[str] = field(default=())


def take(stack: Stack, choice: PlaneChoice) -> np.ndarray:
    """Load the plane that was chosen.

    Returns:
        (H, W), or (H, W, 3) of red, green and blue, in the file's own type.

    Raises:
        UserError: something is to be chosen and was not, or is not there.
    """
    _check_all_chosen(stack, choice)
    z, t = _depth_and_time(stack, choice)
    fixed = dict.fromkeys(stack.sizes, 0)
    if t is not None:
        fixed[t] = _index("--t", str(choice.t), stack.sizes[t], stack.name)
    depths = [0]
    if z is not None:
        size = stack.sizes[z]
        depths = list(range(size)) if choice.z == MAX else [_index("--z", str(choice.z), size, stack.name)]
    if stack.sizes.get("C", 1) == 3 and choice.channel == AS_COLOURS:
        return np.stack([_highest(stack, fixed | {"C": index}, z, depths) for index in range(3)], axis=-1)
    inside = stack.sizes.get("C", 1) > 1 or bool(stack.channels)
    if choice.channel is not None and inside:
        fixed["C"] = channel_index(choice.channel, stack.channels, stack.sizes.get("C", 1), stack.name)
    plane = _highest(stack, fixed, z, depths)
    return plane if inside else of_colours(plane, choice, stack.name)


def of_colours(plane: np.ndarray, choice: PlaneChoice, name: str) -> np.ndarray:
    """Take the channel that was chosen from an image in grey or colour.

    Args:
        plane: (H, W) or (H, W, 3).
        name: what to call the file in errors.

    Raises:
        UserError: it has no such channel.
    """
    if choice.channel is None or (choice.channel == AS_COLOURS and plane.ndim == 3):
        return plane
    if plane.ndim == 3:
        return np.ascontiguousarray(plane[..., channel_index(choice.channel, RGB, 3, name)])
    channel_index(choice.channel, (), 1, name)
    return plane


def channel_index(asked: str, names: Sequence[str], count: int, file: str) -> int:
    """Find a channel by name, else by number.

    Args:
        asked: a name, or a number from 1 on.
        names: of the channels; empty where they have none.
        file: what to call the file in errors.

    Raises:
        UserError: there is none, or several of the name.
    """
    if (index := position(asked, names, count)) is not None:
        return index
    raise UserError(
        f"{file}: --channel {asked} is not there, or not alone; expected one of {count} channels: "
        f"{listed(names, count)}."
    )


def position(asked: str, names: Sequence[str], count: int) -> int | None:
    """Find one of `count` by its name, else by its number from 1 on; None where there is none, or several."""
    if asked in names:
        return list(names).index(asked) if list(names).count(asked) == 1 else None
    return int(asked) - 1 if _is_number(asked) and int(asked) <= count else None


def listed(names: Sequence[str], count: int) -> str:
    """List what is numbered from 1 to `count`, with names where there are any."""
    return ", ".join(f"{number} {name}".strip() for number, name in enumerate(names, start=1)) or f"1 to {count}"


def scene_index(asked: str, names: Sequence[str], file: str) -> int:
    """Find an image of a file by name, else by number from 1 on.

    Args:
        file: what to call the file in errors.

    Raises:
        UserError: there is none, or several of the name.
    """
    if (index := position(asked, names, len(names))) is None:
        raise UserError(f"{file}: --scene {asked} is not there, or not alone; {several_scenes(names, file)}")
    return index


def several_scenes(names: Sequence[str], file: str) -> str:
    """Say which images a file holds."""
    return f"{file}: holds {len(names)} images ({listed(names, len(names))}). Choose one with --scene NAME|N."


def _check_all_chosen(stack: Stack, choice: PlaneChoice) -> None:
    """Refuse what would be a silent choice, with a list of all that there is."""
    given = {"C": choice.channel, "Z": choice.z, "T": choice.t}
    z, t = _depth_and_time(stack, choice)
    several = [axis for axis, size in stack.sizes.items() if size > 1]
    unchosen = [axis for axis in several if axis not in (z, t) and given.get(axis) is None]
    if not unchosen:
        return
    there = [_described(stack, axis) for axis in several]
    options = " and ".join(_WORDS[axis][1] for axis in unchosen)
    three = "C" in unchosen and stack.sizes["C"] == len(RGB)
    colours = f"; --channel {AS_COLOURS} takes the three as red, green and blue" if three else ""
    raise UserError(f"{stack.name}: holds {', '.join(there)}. Choose with {options}{colours}.")


def _depth_and_time(stack: Stack, choice: PlaneChoice) -> tuple[str | None, str | None]:
    """Say which axis --z and --t choose from; None where they were not given. Pages without meaning serve either.

    Raises:
        UserError: one was given, and there is nothing that it could choose from.
    """
    z = _axis("--z", choice.z, "Z", stack)
    t = _axis("--t", None if choice.t is None else str(choice.t), "T", stack)
    if z == t == UNNAMED:
        raise UserError(f"{stack.name}: holds {_described(stack, UNNAMED)}. Give one of --z and --t.")
    return z, t


def _axis(option: str, asked: str | None, own: str, stack: Stack) -> str | None:
    if asked is None:
        return None
    for axis in (own, UNNAMED):
        if axis in stack.sizes:
            return axis
    if asked != MAX:
        _index(option, asked, 1, stack.name)
    return None


def _highest(stack: Stack, fixed: Mapping[str, int], z: str | None, depths: Sequence[int]) -> np.ndarray:
    planes = (stack.load(fixed if z is None else {**fixed, z: depth}) for depth in depths)
    highest = next(planes)
    for plane in planes:
        highest = np.maximum(highest, plane)
    return highest


def _index(option: str, asked: str, size: int, name: str) -> int:
    if (index := position(asked, (), size)) is not None:
        return index
    expected = f"1 to {size}" if size > 1 else "1, as there is no more"
    raise UserError(f"{name}: {option} {asked} is not there; expected {expected}.")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) > 0


def _described(stack: Stack, axis: str) -> str:
    words = f"{stack.sizes[axis]} {_WORDS[axis][0]}"
    return f"{words} ({listed(stack.channels, stack.sizes[axis])})" if axis == "C" else words
