"""The one seam between NumPy and CuPy: a function works in the module that its arrays belong to."""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib import import_module
from typing import Any


def array_module(array: Any) -> Any:
    """`cupy` for an array on a GPU, `numpy` for anything else."""
    if type(array).__module__.partition(".")[0] == "cupy":
        return sys.modules["cupy"]
    return import_module("numpy")


def fft_module(array: Any) -> Any:
    """`cupyx.scipy.fft` for an array on a GPU, `scipy.fft` for anything else: both keep single precision."""
    on_gpu = array_module(array).__name__ == "cupy"
    return import_module("cupyx.scipy.fft" if on_gpu else "scipy.fft")


@lru_cache(maxsize=1)
def device_module() -> Any:
    """`cupy` where it is installed and finds a device that works, else `numpy`."""
    try:
        cupy = import_module("cupy")
        cupy.zeros(1).sum().item()
    except Exception:  # noqa: BLE001 - a missing driver shows as many kinds of errors
        return import_module("numpy")
    return cupy


def to_host(array: Any) -> Any:
    """The array as NumPy's."""
    return array.get() if array_module(array).__name__ == "cupy" else array
