"""HDF5 and MATLAB files: h5py is asked for only when one is opened, since nothing else needs it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat

from evaluation.errors import DatasetError, EvaluationError


@contextlib.contextmanager
def open_hdf5(path: Path) -> Iterator[Any]:
    """An HDF5 file, read-only; MATLAB's own files since version 7.3 are such.

    Raises
    ------
    EvaluationError
        If h5py is not installed.
    DatasetError
        If the file is missing or no HDF5.
    """
    try:
        import h5py
    except ImportError:
        raise EvaluationError(
            f"{path.name} is an HDF5 file and h5py is not installed: pip install 'pulsemesh[evaluation]'"
        ) from None
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DatasetError(f"{path} cannot be read as HDF5: {error}") from None
    with file:
        yield file


def dataset_of(file: Any, name: str, path: Path) -> Any:
    """A dataset of an open HDF5 file.

    Raises
    ------
    DatasetError
        If it has none of that name.
    """
    if name not in file:
        raise DatasetError(f"{path} holds no {name!r}, but {', '.join(sorted(file)) or 'nothing'}")
    return file[name]


def matlab(path: Path, names: list[str]) -> dict[str, Any]:
    """Variables of a MATLAB file, axes in MATLAB's order.

    Parameters
    ----------
    path : Path
        Of any version.
    names : list of str

    Returns
    -------
    dict of str to ndarray
        Text as an array of str.

    Raises
    ------
    EvaluationError
        If it is of version 7.3 and h5py is not installed.
    DatasetError
        If it cannot be read or lacks one of the variables.
    """
    try:
        found: dict[str, Any] = loadmat(path, variable_names=names)
    except NotImplementedError:  # scipy's word for version 7.3
        with open_hdf5(path) as file:
            return {name: _from_hdf5(dataset_of(file, name, path)) for name in names}
    except FileNotFoundError:
        raise DatasetError(f"there is no file {path}") from None
    except (ValueError, OSError, TypeError) as error:
        raise DatasetError(f"{path} cannot be read as a MATLAB file: {error}") from None
    for name in names:
        if name not in found:
            raise DatasetError(f"{path} holds no variable {name!r}")
    return {name: found[name] for name in names}


def _from_hdf5(dataset: Any) -> Any:
    values = np.asarray(dataset)
    if dataset.attrs.get("MATLAB_class") == b"char":
        return np.array(["".join(chr(code) for code in values.ravel())])
    return values.T
