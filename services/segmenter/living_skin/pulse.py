"""Whether the pixels of one colour share a pulse: what tells living skin from a wall, a photograph or a lamp."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from media.color import rgb_from_yuv
from mesh.contracts import Recording
from segmenter.living_skin.cells import Cells

Floats = NDArray[np.float64]

BAND_HZ = (0.7, 4.0)
LEAST_SECONDS, LEAST_FRAMES, LEAST_TILES = 3.0, 24, 4
_TILES = 40  # a region is cut into about so many
_MOST_SIDE = 12  # cells
_TREND_S = 1.6  # of the moving average that is taken away
_JUMP = 2.0  # a change over the whole picture of so many times the usual one is the codec's or the camera's
_MOST_JUMPS = 0.15  # of the frames: more are motion
_SEGMENT_S = 0.8  # a shorter span between jumps has no trend of its own
_LAGS = (-2, -1, 0, 1, 2, 3)  # samples around a jump, alike at all jumps
_AWAY_HZ = 0.25
_TWO_HUMPS = 0.3  # power at the rate over that of its strongest harmonic, from which it is the rate
# What blood does to G - R, against what it does to G: 1 - 0.33/0.77 with the signature of de Haan and van Leest
# (2014); light changes both alike, which gives 0. Measured 0.78 on a face under warm light.
_BLOOD = (0.15, 1.25)
_PHASE = 1.0  # rad between G - R and G: both fall with every beat
# Amplitude of (G - R) in parts of the colour: 0.02-0.5 % on skin from afar, some per cent where a finger on the lens
# fills the picture; a print that is waved reaches 1-4 %
_AMPLITUDE, _ON_THE_LENS, _FILLS = (0.0002, 0.015), 0.1, 0.85
LIVING = 0.15  # of `shared`


@dataclass(frozen=True)
class SharedPulse:
    """What the parts of a region have in common in the band of the pulse.

    Attributes
    ----------
    shared : float
        0-1: coherence times dominance.
    living : bool
        Whether it is a pulse: shared, the colour of blood, neither too weak nor too strong.
    rate_hz : float
        Of the beat; a pulse may be stronger at twice that.
    coherence : float
        0-1: the part of the tiles' power at `rate_hz` that they share; what noise reaches is taken off.
    dominance : float
        0-1: 1 - (the strongest power away from `rate_hz` and its harmonics over the strongest); a comb of a codec's
        lines has little.
    blood : float
        Amplitude of G - R over that of G.
    amplitude : float
        Of G - R, in parts of the colour.
    """

    shared: float
    living: bool
    rate_hz: float
    coherence: float
    dominance: float
    blood: float
    amplitude: float


def _tiles(region: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The number of its tile for every cell of a region, -1 outside and in tiles that are hardly covered."""
    side = int(np.clip(round(math.sqrt(region.sum() / _TILES)), 1, _MOST_SIDE))
    rows, columns = (np.arange(length) // side for length in region.shape)
    number = rows[:, None] * (columns[-1] + 1) + columns
    counts = np.bincount(number[region], minlength=int(number.max()) + 1)
    covered = counts >= max(side * side // 2, 1)
    order = np.cumsum(covered) - 1
    tiles: NDArray[np.intp] = np.where(region & covered[number], order[number], -1)
    return tiles


def _tile_traces(cells: Cells, tiles: NDArray[np.intp]) -> Floats:
    """Mean stored y, u, v of every tile, float64[3, frames, tiles]."""
    inside = np.flatnonzero(tiles >= 0)
    numbers = tiles.ravel()[inside]
    order = np.argsort(numbers, kind="stable")
    counts = np.bincount(numbers)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    flat = [plane.reshape(len(plane), -1)[:, inside[order]].astype(np.float64) for plane in (cells.y, cells.u, cells.v)]
    return np.stack([np.add.reduceat(plane, starts, axis=1) for plane in flat]) / counts


def _jumps(cells: Cells) -> NDArray[np.intp]:
    """Frames at which the whole picture changed at once: keyframes, steps of exposure and white balance."""
    change = sum(np.square(np.diff(plane, axis=0)).mean(axis=(1, 2)) for plane in (cells.y, cells.u, cells.v))
    size = np.sqrt(np.asarray(change))
    found = np.flatnonzero(size > _JUMP * max(float(np.median(size)), 1e-6)) + 1
    return found if len(found) <= _MOST_JUMPS * len(size) else found[:0]


def _disturbances(times: Floats, jumps: NDArray[np.intp]) -> Floats:
    """An orthonormal basis of what jumps add to a trace, float64[frames, k].

    Between two jumps a level and a slope of its own; around them one transient that is the same at every jump, as a
    codec's keyframes have it. A pulse is hardly touched: it is neither straight nor in step with them.
    """
    n = len(times)
    span = np.searchsorted(jumps, np.arange(n), side="right")
    columns = [np.ones(n)]
    for number in range(len(jumps) + 1):
        here = span == number
        if here.any() and times[here][-1] - times[here][0] >= _SEGMENT_S:
            columns += [here.astype(np.float64), np.where(here, times - times[here].mean(), 0.0)]
    if len(jumps) >= 3:
        for lag in _LAGS:
            at = jumps + lag
            column = np.zeros(n)
            column[at[(at >= 0) & (at < n)]] = 1
            columns.append(column)
    left, weight, _ = np.linalg.svd(np.stack(columns, axis=1), full_matrices=False)
    basis: Floats = left[:, weight > 1e-6 * weight[0]]
    return basis


def _fundamental(frequency: Floats, power: Floats, peak: int) -> float:
    """The rate whose wave has its strongest part at `peak`: half of it where a pulse has two humps a beat."""
    half = frequency[peak] / 2
    near = np.flatnonzero(np.abs(frequency - half) <= _AWAY_HZ / 2)
    if not near.size or half < BAND_HZ[0]:
        return float(frequency[peak])
    found = near[power[near].argmax()]
    return float(frequency[found] if power[found] >= _TWO_HUMPS * power[peak] else frequency[peak])


def shared_pulse(recording: Recording, cells: Cells, region: NDArray[np.bool_]) -> SharedPulse | None:
    """How far the parts of a region share one pulse.

    The region is cut into tiles. Of each the relative change of G - R is taken, in which changes of the light cancel
    and blood stays (differences of normalised channels: de Haan and Jeanne 2013, IEEE Trans. Biomed. Eng. 60:2878);
    jumps of the whole picture are taken off. Of P tiles with spectra X_p, each over its own noise,
    |sum X_p|^2 / (P sum |X_p|^2) is the coherence, 1/P for noise.

    Parameters
    ----------
    recording : Recording
        For range and matrix.
    cells : Cells
    region : bool[rows, columns]

    Returns
    -------
    SharedPulse or None
        None where that cannot be told: below 3 s, 24 frames or four tiles.
    """
    times = cells.times
    n = len(times)
    duration = float(times[-1] - times[0]) if n > 1 else 0.0
    if duration < LEAST_SECONDS or n < LEAST_FRAMES or not region.any():
        return None
    traces = _tile_traces(cells, _tiles(region))
    count = traces.shape[2]
    if count < LEAST_TILES:
        return None
    rate = (n - 1) / duration
    grid = np.linspace(times[0], times[-1], n)
    matrix, offset = rgb_from_yuv(recording)
    rgb = np.tensordot(matrix, traces, 1) + offset[:, None, None]
    rgb = rgb / np.maximum(rgb.mean(axis=1, keepdims=True), 1.0) - 1.0
    rgb -= ndimage.uniform_filter1d(rgb, max(3, round(_TREND_S * rate)), axis=1)
    basis = _disturbances(times, _jumps(cells))
    rgb -= np.einsum("nk,mk,cmp->cnp", basis, basis, rgb)
    if np.abs(np.diff(times) * rate - 1).max() > 0.01:
        rgb = np.stack([[np.interp(grid, times, one) for one in channel.T] for channel in rgb]).swapaxes(1, 2)
    window = np.hanning(n)
    size = 1 << math.ceil(math.log2(4 * n))
    frequency = np.fft.rfftfreq(size, 1 / rate).astype(np.float64)
    band = (frequency >= BAND_HZ[0]) & (frequency <= min(BAND_HZ[1], 0.45 * rate))
    frequency = frequency[band]
    red, green = (np.fft.rfft(channel * window[:, None], size, axis=0)[band] for channel in rgb[:2])
    difference = green - red
    noise = np.sqrt(np.median(np.abs(difference) ** 2, axis=0))
    if not (noise > 0).all():  # nothing moves at all: a picture that is still to the last bit
        return SharedPulse(0.0, False, 0.0, 0.0, 0.0, 0.0, 0.0)
    waves = difference / noise
    mean = np.abs(waves.mean(axis=1)) ** 2
    peak = int(mean.argmax())
    top = _fundamental(frequency, mean, peak)
    coherence = max(0.0, (mean[peak] / (np.abs(waves[peak]) ** 2).mean() - 1 / count) / (1 - 1 / count))
    away = (np.abs(frequency[:, None] - top * np.arange(1, 4)) > _AWAY_HZ).all(axis=1)
    dominance = 1 - float(mean[away].max(initial=0.0) / mean[peak]) if mean[peak] > 0 else 0.0
    blood, bright = complex(difference[peak].mean()), complex(green[peak].mean())
    ratio = abs(blood) / max(abs(bright), 1e-12)
    amplitude = 2 * abs(blood) / float(window.sum())
    shared = coherence * max(dominance, 0.0)
    living = (
        shared >= LIVING
        and _BLOOD[0] <= ratio <= _BLOOD[1]
        and abs(np.angle(blood * bright.conjugate())) <= _PHASE
        and _AMPLITUDE[0] <= amplitude <= (_ON_THE_LENS if region.mean() > _FILLS else _AMPLITUDE[1])
    )
    return SharedPulse(shared, bool(living), top, coherence, dominance, ratio, amplitude)
