"""Read the arrays of a pickled dictionary without running anything of it.

A pickle is a program: it names functions and calls them. Here every name it may use stands for a record that keeps what
it was given, so that neither Python nor NumPy makes an object of what the file says; all other names are refused.
"""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

from benchmarks.data.decoding.limits import check_bytes
from benchmarks.errors import UserError

_MODULES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
_ADVICE = "a pickle may run any program and is not trusted. Save the masks as PNG or TIFF"


class _Record:
    """What NumPy would have been called with, and the state it would have been given."""

    def __init__(self, *given: Any) -> None:
        self.given, self.state = given, ()

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Array(_Record):
    """An array: version, shape, type, whether the first axis is the fastest, and its bytes or its objects."""


class _Type(_Record):
    """A type: its code; version, byte order and more."""


class _Reader(pickle._Unpickler):  # in Python: C's grows its memo to whatever index a file names
    def find_class(self, module: str, name: str) -> Any:
        # Made anew for each file, so that no file can change what another finds.
        known: Mapping[str, Callable[..., Any]] = {
            "ndarray": type("ndarray", (_Array,), {}),
            "dtype": type("dtype", (_Type,), {}),
            "_reconstruct": lambda *given: _Array(*given),
            "_frombuffer": lambda data, kind, shape, order: _framed(data, kind, shape, order),
            "scalar": lambda *given: _Record(*given),
        }
        if module in _MODULES and name in known:
            return known[name]
        if (module, name) == ("_codecs", "encode"):
            return lambda text, encoding: text.encode({"latin1": "latin-1"}[encoding])
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise pickle.UnpicklingError("it names objects that lie elsewhere")

    def get_extension(self, code: int) -> NoReturn:
        raise pickle.UnpicklingError("it names registered extensions")


def unpickle_dictionary(content: bytes, name: str) -> dict[str, Any]:
    """Read the dictionary that `numpy.save` pickled.

    Args:
        content: the pickle, without the header of the `.npy`.
        name: what to call the file in errors.

    Returns:
        Its entries; arrays as records for `as_array`.

    Raises:
        UserError: it is damaged, holds anything but NumPy's arrays and plain containers, or is no dictionary.
    """
    try:
        outer = _Reader(io.BytesIO(content)).load()
        found = outer.state[4][0]
        if not isinstance(found, dict):
            raise TypeError(f"it holds a {type(found).__name__}")
    except Exception as error:  # whatever a program that is cut short or forged leads to
        raise UserError(f"{name}: not a dictionary of arrays as Cellpose saves it ({error}); {_ADVICE}.") from error
    return found


def as_array(record: Any, name: str) -> np.ndarray:
    """Make the array of a record.

    Args:
        name: what to call it in errors.

    Raises:
        UserError: it is no array of numbers, or its bytes are not as many as its shape asks for.
    """
    try:
        _, shape, kind, fortran, data = record.state
        dtype = np.dtype(_order(kind.state[1]) + _code(kind.given[0]))
        if not isinstance(data, bytes | bytearray) or any(type(axis) is not int or axis < 0 for axis in shape):
            raise TypeError("its values are no numbers")
        check_bytes(shape, dtype.itemsize, name)
        if math.prod(shape) * dtype.itemsize != len(data):
            raise ValueError(f"{len(data)} bytes for an array of shape {shape} and type {dtype}")
        return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    except UserError:
        raise
    except Exception as error:  # a record of anything else than an array has other fields
        raise UserError(f"{name}: not an array of numbers ({error}); {_ADVICE}.") from error


def _framed(data: Any, kind: Any, shape: Any, order: Any) -> _Array:
    if not isinstance(data, bytes | bytearray):
        raise TypeError("its values are no bytes")
    array = _Array()
    array.__setstate__((1, shape, kind, order == "F", bytes(data)))
    return array


def _order(order: Any) -> str:
    """The byte order of a type; none where a value is one byte."""
    if order not in ("<", ">", "=", "|"):
        raise TypeError(f"values of byte order {order!r}")
    return order


def _code(code: Any) -> str:
    """The code of a type of numbers, such as u2."""
    if code not in ("b1", *(f"{letter}{size}" for letter in "iu" for size in (1, 2, 4, 8)), "f2", "f4", "f8"):
        raise TypeError(f"values of type {code!r}")
    return code
