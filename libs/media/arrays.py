"""The one seam between NumPy and CuPy: a function works in the module that its arrays belong to."""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np


def array_module(array: Any) -> Any:
    """`cupy` for an array on a GPU, `numpy` for anything else."""
    if type(array).__module__.partition(".")[0] == "cupy":
        return sys.modules["cupy"]
    return np


def ndimage_module(array: Any) -> Any:
    """`cupyx.scipy.ndimage` for an array on a GPU, `scipy.ndimage` for anything else."""
    on_gpu = array_module(array).__name__ == "cupy"
    return import_module("cupyx.scipy.ndimage" if on_gpu else "scipy.ndimage")


def fft_module(array: Any) -> Any:
    """`cupyx.scipy.fft` for an array on a GPU, `scipy.fft` for anything else: both keep single precision."""
    on_gpu = array_module(array).__name__ == "cupy"
    return import_module("cupyx.scipy.fft" if on_gpu else "scipy.fft")


@lru_cache(maxsize=1)
def array_backend() -> str:
    """What this process computes with: `cupy <version>, <device>` or `numpy <version>`.

    CuPy is used where it is installed and finds a device that works; anything it raises while it looks means that
    there is none.
    """
    try:
        cupy = import_module("cupy")
        properties = cupy.cuda.runtime.getDeviceProperties(0)
        cupy.zeros(1).sum().item()
    except Exception:  # noqa: BLE001 - a missing driver shows as many kinds of errors
        return f"numpy {np.__version__}"
    return f"cupy {cupy.__version__}, {properties['name'].decode()}"


def to_device(array: Any) -> Any:
    """The array on the device that `array_backend` names."""
    if array_backend().startswith("cupy"):
        return import_module("cupy").asarray(array)
    return array


def to_host(array: Any) -> Any:
    """The array as NumPy's."""
    return array.get() if array_module(array).__name__ == "cupy" else array
