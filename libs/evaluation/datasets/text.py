"""Tables of numbers in text files, read with messages that name the file and the line."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import DatasetError


def read_text(path: Path) -> str:
    """A whole text file.

    Raises
    ------
    DatasetError
        If it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DatasetError(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from None


def rows(path: Path) -> list[list[str]]:
    """The rows of a file of comma-separated values that are not empty.

    Raises
    ------
    DatasetError
        If it cannot be read.
    """
    return [row for row in csv.reader(read_text(path).splitlines()) if any(cell.strip() for cell in row)]


def number(cell: str) -> float:
    """What a cell holds; NaN where it is no finite number."""
    try:
        value = float(cell)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def columns(path: Path, wanted: list[int], header: bool = False) -> NDArray[np.float64]:
    """Columns of a file of comma-separated values by index.

    Parameters
    ----------
    path : Path
    wanted : list of int
        From 0.
    header : bool
        Whether the first row holds names.

    Returns
    -------
    float64[len(wanted), n]
        NaN where a cell is no number.

    Raises
    ------
    DatasetError
        If the file cannot be read, is empty, or no row has that many columns.
    """
    table = rows(path)[1 if header else 0 :]
    long = [row for row in table if len(row) > max(wanted)]
    if not long:
        raise DatasetError(f"{path} has no row of {max(wanted) + 1} values")
    return np.array([[number(row[index]) for row in long] for index in wanted])
