"""What the normal equations say: the complex amplitude of the pulse in every cell, and how sure it is.

Equations are averaged and solved where they are, on a GPU or not. The beats that they give are one plane for some tens
of theirs, and NumPy's: what is made of them is too little to be worth a device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from magnifier.maps.elimination import solved, triangle
from magnifier.maps.lockin import CHANNELS, HARMONICS, PAIRS, WAVES, Equations
from media.arrays import array_module, ndimage_module, to_host

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

GROUPS = 10  # of segments that are left out in turn; fewer where there are fewer segments
_SHRINK = 0.1  # of the covariance of noise towards its diagonal


@dataclass(frozen=True)
class Smooth:
    """Normal equations of relative levels, averaged over space, by group of segments.

    `matrix` and `moments` lie where the equations were, on a GPU or not.

    Attributes
    ----------
    matrix : float64[PAIRS, groups, rows, columns]
        Upper triangles by rows.
    moments : float64[WAVES, CHANNELS, groups, rows, columns]
        Of Y, U and V in parts of the level of green.
    seen : bool[rows, columns]
        Cells that are skin themselves.
    """

    matrix: Floats
    moments: Floats
    seen: NDArray[np.bool_]


def seen_cells(equations: Equations) -> NDArray[np.bool_]:
    """Cells that were skin for at least about a quarter of the time that most were: bool[cells]."""
    total = equations.weight.sum(axis=0)
    if not (total > 0).any():
        return np.zeros(len(total), bool)
    known: NDArray[np.bool_] = np.isfinite(equations.level[0]) & (total >= 0.25 * np.median(total[total > 0]))
    return known


def smoothed(equations: Equations, green: Floats, sigma: float, margin: int = 0) -> Smooth:
    """Average relative levels over neighbouring cells, each with the weight of its news.

    Parameters
    ----------
    equations : Equations
    green : float64[cells]
        Level of green, black at 0; cells where it is below 1 do not count.
    sigma : float
        Of the Gaussian, in cells; 0 leaves every cell alone.
    margin : int
        Cells from the edge of the skin that are left out.
    """
    shape = equations.box.shape
    skin = (seen_cells(equations) & (green >= 1)).reshape(shape)
    # a codec's block that straddles the edge of the skin moves with what lies outside
    skin = binary_erosion(skin, np.ones((3, 3), bool), iterations=margin, border_value=1) if margin else skin
    seen = skin.ravel()
    count = len(equations.matrix)
    group = np.arange(count) * min(GROUPS, count) // max(count, 1)
    groups = int(group[-1]) + 1 if count else 0
    xp, gaussian_filter = array_module(equations.matrix), ndimage_module(equations.matrix).gaussian_filter
    matrix: Floats = xp.zeros((PAIRS, groups, *shape))
    moments: Floats = xp.zeros((WAVES, CHANNELS, groups, *shape))
    scale = xp.asarray(np.where(seen, 1 / np.where(seen, green, 1), 0.0))
    seen = xp.asarray(seen)
    for number in range(groups):
        mine = slice(*np.searchsorted(group, (number, number + 1)))
        matrix[:, number] = (equations.matrix[mine].sum(axis=0) * seen).reshape(PAIRS, *shape)
        summed = equations.moments[mine].sum(axis=0).swapaxes(0, 1) * scale
        moments[:, :, number] = summed.reshape(WAVES, CHANNELS, *shape)
    if sigma > 0:
        for plane in (*matrix.reshape(-1, *shape), *moments.reshape(-1, *shape)):
            gaussian_filter(plane, sigma, output=plane, mode="constant", truncate=3)
    return Smooth(matrix, moments, skin)


def coefficients(matrix: Floats, moments: Floats) -> Floats:
    """Solve for the harmonics.

    Parameters
    ----------
    matrix : float64[PAIRS, ...]
    moments : float64[WAVES, ..., ...]
        Axes beyond those of the matrix come after the first.

    Returns
    -------
    float64[WAVES, ..., ...]
        0 where a cell holds no news.
    """
    xp = array_module(matrix)
    diagonal = triangle(WAVES).diagonal()
    matrix = xp.array(matrix)
    trace = matrix[diagonal].sum(axis=0)
    matrix[diagonal] += xp.where(trace > 0, 1e-9 * trace, 1.0)
    return solved(matrix, moments)


def complex_amplitudes(found: Floats) -> Complex:
    """Complex amplitude of each harmonic, blood up: complex128[HARMONICS, ...] from float64[WAVES, ...].

    C cos(h phi) + S sin(h phi) is the real part of (C - iS) exp(i h phi); more blood is darker.
    """
    result: Complex = -(found[0::2] - 1j * found[1::2])
    return result


def pulse_colour(smooth: Smooth, rgb: Floats) -> Floats:
    """Weights of Y, U and V whose sum shows the pulse best, in units of green.

    The matched filter of a known signature in noise of known covariance (Kay 1998, Fundamentals of Statistical Signal
    Processing II, ch. 4): the signature is the pulse of the whole skin, the noise what the fit leaves.

    Parameters
    ----------
    smooth : Smooth
    rgb : float64[3, 3]
        R, G, B from Y, U, V.

    Returns
    -------
    float64[3]
        Of the whole skin the weighted pulse is as large as that of green.
    """
    xp = array_module(smooth.matrix)
    seen = xp.asarray(smooth.seen)
    total, moments = smooth.matrix.sum(axis=1), smooth.moments.sum(axis=2)
    mean = coefficients(total[:, seen].sum(axis=1), moments[:, :, seen].sum(axis=2))
    amplitude = to_host(complex_amplitudes(mean)[0])
    turn = np.conj(amplitude[0]) / max(abs(amplitude[0]), 1e-300)
    signature = (amplitude * turn).real
    own = coefficients(total, moments) * seen
    place = triangle(WAVES)
    summed, part = xp.zeros((CHANNELS, CHANNELS)), xp.empty(own.shape[1:])
    for number in range(smooth.matrix.shape[1]):
        for row in range(WAVES):
            left = smooth.moments[row, :, number] * seen
            for column in range(WAVES):
                left -= xp.multiply(smooth.matrix[place[row, column], number], own[column], out=part)
            flat = left.reshape(CHANNELS, -1)
            summed += flat @ flat.T
    covariance = to_host(summed)
    covariance = (1 - _SHRINK) * covariance + _SHRINK * np.diag(np.diag(covariance))
    covariance += 1e-9 * max(np.trace(covariance), 1e-30) * np.eye(3)
    weights = np.linalg.solve(covariance, signature)
    strength, green = float(weights @ signature), float(rgb[1] @ signature)
    if strength <= 0 or green == 0:
        return np.array(rgb[1], np.float64)
    result: Floats = np.asarray(weights * (green / strength), np.float64)
    return result


@dataclass(frozen=True)
class Beats:
    """The beat in every cell, with what leaving out each group of segments makes of it.

    Attributes
    ----------
    amplitude : complex128[HARMONICS, rows, columns]
        In parts of the level.
    left_out : complex128[HARMONICS, groups, rows, columns]
    error : float64[HARMONICS, rows, columns]
        Standard error: root of the summed variances of real and imaginary part.
    """

    amplitude: Complex
    left_out: Complex
    error: Floats

    def scaled(self, factor: Floats) -> Beats:
        """All of it times a factor for each cell."""
        return Beats(self.amplitude * factor, self.left_out * factor, self.error * factor)


def jackknife_error(left_out: NDArray[Any], axis: int = 0) -> Floats:
    """Standard error from estimates that each left out one group of n (Tukey 1958; Efron and Stein 1981).

    Parameters
    ----------
    left_out : float or complex[..., groups, ...]
    axis : int
        Of the groups.

    Returns
    -------
    float64[...]
        NaN for fewer than two groups.
    """
    xp, count = array_module(left_out), left_out.shape[axis]
    off = left_out - left_out.mean(axis=axis, keepdims=True)
    if count < 2:
        nothing: Floats = xp.full(off.sum(axis=axis).shape, np.nan)
        return nothing
    spread = off.real**2 + off.imag**2
    error: Floats = xp.sqrt((count - 1) / count * spread.sum(axis=axis))
    return error


def beats(smooth: Smooth, colour: Floats) -> Beats:
    """The beat of every cell in one colour.

    Parameters
    ----------
    smooth : Smooth
    colour : float64[3]
        Weights of Y, U, V.
    """
    xp = array_module(smooth.moments)
    moments = xp.tensordot(xp.asarray(colour), smooth.moments, (0, 1))
    matrix_all, moments_all = smooth.matrix.sum(axis=1), moments.sum(axis=1)
    whole = complex_amplitudes(coefficients(matrix_all, moments_all))
    left = xp.empty((HARMONICS, *moments.shape[1:]), np.complex128)
    for group in range(moments.shape[1]):  # one by one: all at once outgrow the cache
        without = coefficients(matrix_all - smooth.matrix[:, group], moments_all - moments[:, group])
        left[:, group] = complex_amplitudes(without)
    return Beats(*(to_host(part) for part in (whole, left, jackknife_error(left, axis=1))))


def delays(
    amplitude: Complex, reference: Complex, weights: Floats, rate_hz: float, near_s: Floats | None = None
) -> Floats:
    """How late each beat is against a reference, from its harmonics together.

    Maximises sum over h of w_h Re(z_h conj(r_h) exp(i h omega tau)): maximum likelihood where the waves have the same
    shape and the noise of harmonic h has the variance 1 / w_h (Knapp and Carter 1976, IEEE Trans. ASSP 24:320).

    Parameters
    ----------
    amplitude : complex128[HARMONICS, ...]
    reference : complex128[HARMONICS, ...]
        Broadcastable to `amplitude`.
    weights : float64[HARMONICS]
    rate_hz : float
    near_s : float64[...], optional
        Delays that are nearly right already, broadcastable to the result: one step from them is enough.

    Returns
    -------
    float64[...]
        Seconds, positive is later; within half a beat.
    """
    first, second = (w * a * np.conj(r) for w, a, r in zip(weights, amplitude, reference, strict=True))
    omega = 2 * np.pi * rate_hz
    angle = np.angle(first) if near_s is None else -omega * near_s
    for _ in range(4 if near_s is None else 1):  # Newton's method from the fundamental's phase
        turn = np.cos(angle) - 1j * np.sin(angle)
        here, there = first * turn, second * (turn * turn)
        slope = here.imag + 2 * there.imag
        bend = here.real + 4 * there.real
        step = np.divide(slope, bend, out=np.zeros_like(slope), where=bend > 0)
        angle = angle + np.clip(step, -0.3, 0.3)
    found: Floats = -angle / omega
    return found
