"""Cellpose's `_seg.npy`: the masks of honest files, and nothing of what hostile ones would run."""

from __future__ import annotations

import codecs
import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.data.annotations.cellpose import read_seg
from benchmarks.errors import UserError

MASKS = np.arange(30, dtype=np.uint16).reshape(5, 6) // 7 * 300


def saved(entries: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, entries, allow_pickle=True)
    return stream.getvalue()


def seg(masks: Any = MASKS, **more: Any) -> dict[str, Any]:
    """What `cellpose.io.masks_flows_to_seg` puts in."""
    flows = [np.zeros((1, 5, 6, 3), np.uint8), np.zeros((5, 6), np.float32), [None, np.float64(3.5)], []]
    return {
        "outlines": MASKS > 0,
        "colors": np.zeros((4, 3), np.uint8),
        "masks": masks,
        "chan_choose": [0, 0],
        "ismanual": np.zeros(4, bool),
        "filename": "Zelle ä.tif",
        "flows": flows,
        "est_diam": np.float32(30.0),
        "diameter": 17.5,
        **more,
    }


def read(content: bytes, *, ignore: bool = False) -> np.ndarray:
    return read_seg(content, "a_seg.npy", None, ignore).labels


def with_pickle(program: bytes) -> bytes:
    header = saved({})
    return header[: header.index(b"\n") + 1] + program


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "u8", "i4", "i8", ">u2", ">i4", "f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_masks_of_what_numpy_saved_are_read(kind: str, order: str) -> None:
    masks = (MASKS % 251).astype(kind, order=order)
    np.testing.assert_array_equal(read(saved(seg(masks))), MASKS % 251)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_every_protocol_of_pickle_is_read(protocol: int) -> None:
    for masks in (MASKS, np.asfortranarray(MASKS)):
        outer = np.empty((), object)
        outer[()] = seg(masks)
        np.testing.assert_array_equal(read(with_pickle(pickle.dumps(outer, protocol))), MASKS)


def test_names_of_numpy_1_are_known() -> None:
    # Protocol 3 has no frames, whose lengths would have to follow the shorter name.
    outer = np.empty((), object)
    outer[()] = seg()
    program = pickle.dumps(outer, 3)
    older = program.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    assert older != program
    np.testing.assert_array_equal(read(with_pickle(older)), MASKS)


def test_an_image_without_objects_and_a_plain_array_are_read() -> None:
    assert not read(saved(seg(np.zeros((5, 6), np.uint16)))).any()
    np.testing.assert_array_equal(read(saved(MASKS)), MASKS)


class _Runs:
    """What a hostile file names."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.called = (function, arguments)

    def __reduce__(self) -> Any:
        return self.called


def test_no_program_is_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    for hostile in (
        _Runs(os.system, f"touch {trace}"),
        _Runs(eval, f"open({str(trace)!r}, 'w')"),
        _Runs(exec, f"open({str(trace)!r}, 'w')"),
        _Runs(Path.touch, trace),
        _Runs(getattr, "text", "upper"),
    ):
        for entries in (hostile, seg(extra=hostile), seg(hostile), {"masks": [hostile]}):
            with pytest.raises(UserError, match=r"a_seg\.npy: not a dictionary of arrays.*it names .*is not trusted"):
                read(saved(entries))
    assert not trace.exists()


@pytest.mark.parametrize(
    "named",
    [
        "numpy\nload",
        "numpy\nfromfile",
        "numpy.core.multiarray\nfromfile",
        "builtins\neval",
        "os\nsystem",
        "_codecs\ndecode",
    ],
)
def test_other_names_are_refused_of_numpy_too(named: str) -> None:
    with pytest.raises(UserError, match=f"it names {named.replace(chr(10), '.')}"):
        read(with_pickle(b"\x80\x02c" + named.encode() + b"\n."))


def test_what_a_file_does_to_the_names_it_may_use_is_gone_with_it() -> None:
    """A program may set attributes of what it finds."""
    program = b"\x80\x02cnumpy._core.multiarray\n_reconstruct\n}U\x08__code__U\x01xs\x86b."
    for _ in range(2):
        with pytest.raises(UserError, match="not a dictionary"):
            read(with_pickle(program))
    spoil = b"\x80\x02cnumpy._core.multiarray\n_reconstruct\nN}U\x0c__defaults__U\x01xs\x86b."
    with pytest.raises(UserError):
        read(with_pickle(spoil))
    np.testing.assert_array_equal(read(saved(seg())), MASKS)


class _Forged:
    """An array that says something else of itself than it holds."""

    def __init__(self, state: Any) -> None:
        self.state = state

    def __reduce__(self) -> Any:
        return np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), self.state


class _ForgedType:
    """An array of a type with a byte order that there is not."""

    def __init__(self, order: str) -> None:
        self.order = order

    def __reduce__(self) -> Any:
        kind = _Runs(np.dtype, "u2", False, True)
        kind.called = (*kind.called, (3, self.order, None, None, None, -1, -1, 0))  # type: ignore[assignment]
        return np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), (1, (5, 6), kind, False, MASKS.tobytes())


DTYPE = np.dtype(np.uint16)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (seg(_Forged((1, (10**9, 10**9), DTYPE, False, b"xx"))), "at most 1 GiB"),
        (seg(_Forged((1, (5, 7), DTYPE, False, MASKS.tobytes()))), "60 bytes for an array of shape"),
        (seg(_Forged((1, (-1, -30), DTYPE, False, MASKS.tobytes()))), "not an array of numbers"),
        (seg(_Forged((1, (5, 6), np.dtype(object), False, [1] * 30))), "not an array of numbers"),
        (seg(_Forged((1, (5, 6), np.dtype("u2,u2"), False, bytes(120)))), "not an array of numbers"),
        (seg(_Forged((1, "ab", DTYPE, False, b""))), "not an array of numbers"),
        (seg(_ForgedType("u2,")), "byte order 'u2,'"),
        (seg(_ForgedType("")), "byte order ''"),
        (seg(_Runs(np._core.numeric._frombuffer, 10**15, DTYPE, (5, 6), "C")), "its values are no bytes"),
        (seg(_Runs(codecs.encode, "a", "rot13")), "not a dictionary"),
        (seg([[1, 2], [3, 4]]), "not an array of numbers"),
        (seg(None), "not an array of numbers"),
        (seg(np.zeros((2, 5, 6), np.uint16)), r"masks of shape \(2, 5, 6\); expected one plane"),
        (seg(np.zeros((0, 6), np.uint16)), "expected one plane"),
        (seg(np.full((5, 6), 0.5)), "with the value 0.5"),
        (seg(np.full((5, 6), -1)), "the negative value -1"),
        (seg(np.array([["a"]])), "not an array of numbers"),
        ({"flows": []}, r"no entry 'masks'.*\['flows'\]"),
        ([1, 2], "not a dictionary"),
        (None, "not a dictionary"),
    ],
)
def test_what_is_no_mask_is_refused(entries: Any, said: str) -> None:
    outer = np.empty((), object)
    outer[()] = entries
    with pytest.raises(UserError, match=rf"(?s)a_seg\.npy.*{said}"):
        read(saved(outer))


def test_damage_and_endless_programs_are_refused() -> None:
    whole = saved(seg())
    for length in range(0, len(whole), 97):
        with pytest.raises(UserError, match=r"a_seg\.npy"):
            read(whole[:length])
    for program in (
        b"",
        b".",
        b"\x80\x05K\x01r\xff\xff\xff\x7f.",
        b"(" * 10_000,
        b"]" * 10_000 + b"a" * 9_999 + b".",
        b"\x82\x01.",
        b"P5\n.",
    ):
        with pytest.raises(UserError, match=r"a_seg\.npy: not a dictionary"):
            read(with_pickle(program))
