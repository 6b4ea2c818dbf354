"""The coarse grid of a field: from planes to a few samples, and from samples back to every pixel.

Both ways are linear and separable: a matrix for the rows and one for the columns. A Gaussian pyramid's level is the
binomial filter and decimation of Burt and Adelson (1983, IEEE Trans. Comm. 31:532) repeated; patches are means of
squares. Back, samples are interpolated linearly between their places, so that nothing overshoots.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from media.arrays import array_module

Matrix = NDArray[np.float32]
Kind = Literal["pyramid", "patch"]


@dataclass(frozen=True)
class Axis:
    """One axis of a grid.

    Attributes
    ----------
    reduce : float32[n, chroma]
        Rows sum to 1.
    fine : float32[luma, n]
        Linear interpolation at every luma sample; rows sum to 1.
    coarse : float32[chroma, n]
        The same at every chroma sample.
    origin, step : float
        Sample i lies at `origin + i * step` in chroma samples.
    """

    reduce: Matrix
    fine: Matrix
    coarse: Matrix
    origin: float
    step: float

    @property
    def samples(self) -> int:
        """How many there are."""
        return int(self.reduce.shape[0])


@dataclass(frozen=True)
class FieldGrid:
    """A grid over a picture, for fields of the shape (channels, rows, columns)."""

    rows: Axis
    columns: Axis

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a field."""
        return self.rows.samples, self.columns.samples

    @property
    def finest(self) -> bool:
        """Whether a sample of the field is a chroma sample: nothing is reduced."""
        return self.rows.step == 1

    def reduce(self, planes: Matrix) -> Matrix:
        """Means of each sample's surroundings; float32[channels, rows, columns] of float32[channels, h, w]."""
        if self.finest:
            return planes
        xp = array_module(planes)
        found: Matrix = xp.asarray(self.rows.reduce) @ planes @ xp.asarray(self.columns.reduce.T)
        return found

    def expand(self, field: Matrix, rows: slice, columns: slice, luma: bool) -> Matrix:
        """A field at the samples of a box; `rows` and `columns` count samples of the plane."""
        xp = array_module(field)
        if luma:
            down, across = self.rows.fine[rows], self.columns.fine[columns]
        elif self.finest:
            return field[..., rows, columns]
        else:
            down, across = self.rows.coarse[rows], self.columns.coarse[columns]
        found: Matrix = xp.asarray(down) @ field @ xp.asarray(across.T)
        return found


@lru_cache(maxsize=16)
def field_grid(height: int, width: int, kind: Kind, size: int, released: bool = False) -> FieldGrid:
    """The grid of a picture.

    Parameters
    ----------
    height, width : int
        Of the luma plane.
    kind : str
        `pyramid` or `patch`.
    size : int
        The pyramid's level (1 is the chroma planes' own resolution), or the side of a patch in luma pixels.
    released : bool
        Interpolate back as MATLAB's `imresize` (bicubic, samples taken for the middles of equal parts of the picture),
        which the released code of Wu et al. 2012 used on samples that lie elsewhere.

    Raises
    ------
    ValueError
        If the picture is too small for it.
    """
    return FieldGrid(*(_axis(length, kind, size, released) for length in (height, width)))


def _axis(luma: int, kind: Kind, size: int, released: bool) -> Axis:
    chroma = (luma + 1) // 2
    if kind == "pyramid":
        step, origin = 2 ** (size - 1), 0.0
        if chroma < 2 * step:
            raise ValueError(
                f"level {size} of the pyramid is too deep for a picture of {luma} pixels: choose a pyramid_level of at "
                f"most {max((chroma // 2).bit_length(), 1)}"
            )
        reduce: NDArray[np.float64] = np.eye(chroma)
        for _ in range(size - 1):
            reduce = _binomial(reduce.shape[0]) @ reduce
    else:
        step, origin = size // 2, (size // 2 - 1) / 2
        reduce = np.asarray(np.kron(np.eye(-(-chroma // step)), np.ones((1, step))), np.float64)[:, :chroma]
        reduce /= reduce.sum(axis=1, keepdims=True)
    samples = reduce.shape[0]
    at_chroma = (np.arange(chroma) - origin) / step
    at_luma = ((np.arange(luma) - 0.5) / 2 - origin) / step
    if released:
        fine = _bicubic((np.arange(luma) + 0.5) * samples / luma - 0.5, samples)
        coarse = _bicubic((np.arange(chroma) + 0.5) * samples / chroma - 0.5, samples)
    else:
        fine, coarse = _linear(at_luma, samples), _linear(at_chroma, samples)
    matrices = [np.ascontiguousarray(matrix, np.float32) for matrix in (reduce, fine, coarse)]
    return Axis(matrices[0], matrices[1], matrices[2], origin, float(step))


def _binomial(samples: int) -> NDArray[np.float64]:
    """Filter with 1 4 6 4 1 / 16, mirrored at the ends, and keep every other sample."""
    kept = np.arange(0, samples, 2)
    matrix = np.zeros((len(kept), samples))
    for offset, weight in zip(range(-2, 3), (1, 4, 6, 4, 1), strict=True):
        at = np.abs(kept + offset)
        at = np.where(at >= samples, 2 * (samples - 1) - at, at)
        np.add.at(matrix, (np.arange(len(kept)), np.clip(at, 0, samples - 1)), weight / 16)
    return matrix


def _linear(at: NDArray[np.float64], samples: int) -> NDArray[np.float64]:
    """Interpolation at places in units of samples; beyond the ends the end's value."""
    at = np.clip(at, 0, samples - 1)
    left = np.minimum(np.floor(at).astype(int), max(samples - 2, 0))
    matrix = np.zeros((len(at), samples))
    row = np.arange(len(at))
    matrix[row, left] += 1 - (at - left)
    matrix[row, np.minimum(left + 1, samples - 1)] += at - left
    return matrix


def _bicubic(at: NDArray[np.float64], samples: int) -> NDArray[np.float64]:
    """Keys's cubic with a = -1/2 (Keys 1981, IEEE Trans. ASSP 29:1153), the ends mirrored with the edge repeated."""
    matrix = np.zeros((len(at), samples))
    first = np.floor(at).astype(int) - 1
    for step in range(4):
        x = np.abs(at - (first + step))
        near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
        weight = np.where(x <= 1, near, np.where(x < 2, far, 0.0))
        place = first + step
        place = np.where(place < 0, -place - 1, place)
        place = np.where(place >= samples, 2 * samples - 1 - place, place)
        np.add.at(matrix, (np.arange(len(at)), np.clip(place, 0, samples - 1)), weight)
    return matrix


def luma_at_chroma(y: NDArray[np.uint8]) -> Matrix:
    """Luma area-averaged by 2 to the chroma planes' resolution; the last row or column stands for a missing one.

    Parameters
    ----------
    y : uint8[height, width]

    Returns
    -------
    float32[ceil(height / 2), ceil(width / 2)]
    """
    xp = array_module(y)
    height, width = y.shape
    if height % 2 or width % 2:
        y = xp.pad(y, ((0, height % 2), (0, width % 2)), mode="edge")
    # two neighbours in one word: contiguous reads are several times faster than every other byte
    pairs = xp.ascontiguousarray(y).view(np.uint16)
    across = (pairs & np.uint16(255)) + (pairs >> np.uint16(8))
    found: Matrix = (across[0::2] + across[1::2]).astype(np.float32)
    found *= np.float32(0.25)
    return found
