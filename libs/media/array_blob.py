"""A small container of named arrays: a JSON header, then the arrays as they lie in memory.

The same arrays always give the same bytes, unlike an archive with time stamps, and nothing in it can be code.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = b"PMARRAY1"
_KINDS = frozenset("biuf")


def pack(arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any] | None = None) -> bytes:
    """The container's bytes.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Booleans, integers and floats of any shape.
    header : mapping, optional
        What JSON can hold, NaN and infinities excepted.

    Raises
    ------
    TypeError
        If an array holds anything but numbers or booleans.
    ValueError
        If the header holds a NaN or an infinity.
    """
    index, parts, offset = [], [], 0
    for name, value in arrays.items():
        array = np.ascontiguousarray(value)
        if array.dtype.kind not in _KINDS:
            raise TypeError(f"{name} holds {array.dtype}, not numbers")
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        content = array.tobytes()
        # np.shape: a scalar array keeps its empty shape, which ascontiguousarray would make (1,)
        index.append({"name": name, "dtype": array.dtype.str, "shape": list(np.shape(value)), "offset": offset})
        parts.append(content)
        offset += len(content)
    head = json.dumps({"header": dict(header or {}), "arrays": index}, separators=(",", ":"), allow_nan=False).encode()
    return b"".join([_MAGIC, struct.pack("<I", len(head)), head, *parts])


def unpack(data: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays and header of what `pack` wrote.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    arrays : dict of str to ndarray
        Read-only views of `data`.
    header : dict

    Raises
    ------
    ValueError
        If `data` is no such container, or is cut short.
    """
    start = len(_MAGIC) + 4
    if data[: len(_MAGIC)] != _MAGIC or len(data) < start:
        raise ValueError("this is not a container of arrays")
    (size,) = struct.unpack_from("<I", data, len(_MAGIC))
    head = json.loads(data[start : start + size])
    arrays = {}
    for entry in head["arrays"]:
        dtype, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
        count = int(np.prod(shape, dtype=np.int64))
        arrays[entry["name"]] = np.frombuffer(data, dtype, count, start + size + entry["offset"]).reshape(shape)
    return arrays, head["header"]
