"""Many small symmetric systems at once: Gaussian elimination, every entry an array over all of them.

A library solves such systems one by one, and spends its time between them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]


def triangle(count: int) -> NDArray[np.intp]:
    """Where the entries of a symmetric matrix lie in its upper triangle by rows: intp[count, count]."""
    place = np.zeros((count, count), np.intp)
    upper = np.triu_indices(count)
    place[upper] = np.arange(len(upper[0]))
    result: NDArray[np.intp] = place + np.triu(place, 1).T
    return result


def eliminate(matrix: Floats, right: Floats, unknowns: int) -> None:
    """Take the first unknowns out of symmetric positive definite systems, in place (Golub and Van Loan 2013, 4.2).

    What is left in the rows and columns of the other unknowns is their Schur complement; in those of the unknowns that
    were taken out, what `substitute` needs.

    Parameters
    ----------
    matrix : float[n (n + 1) / 2, ...]
        Upper triangles by rows.
    right : float[n, ..., ...]
        Right-hand sides; axes beyond those of the matrix come after the first.
    unknowns : int
    """
    count = len(right)
    place = triangle(count)
    for k in range(unknowns):
        inverse = 1 / matrix[place[k, k]]
        for i in range(k + 1, count):
            factor = matrix[place[k, i]] * inverse
            matrix[place[i, i] : place[i, -1] + 1] -= factor * matrix[place[k, i] : place[k, -1] + 1]
            right[i] -= factor * right[k]


def solved(matrix: Floats, right: Floats) -> Floats:
    """Solve symmetric positive definite systems.

    Parameters
    ----------
    matrix : float[n (n + 1) / 2, ...]
        Upper triangles by rows; left as they are.
    right : float[n, ..., ...]

    Returns
    -------
    float[n, ..., ...]
    """
    count = len(right)
    place = triangle(count)
    matrix, found = matrix.copy(), right.copy()
    eliminate(matrix, found, count)
    for k in reversed(range(count)):
        for i in range(k + 1, count):
            found[k] -= matrix[place[k, i]] * found[i]
        found[k] /= matrix[place[k, k]]
    return found
