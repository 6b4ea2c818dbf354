"""The maps of one person: amplitude, delay and quality of every cell of the skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magnifier.maps.cells import CellBox
from magnifier.maps.harmonics import (
    Beats,
    beats,
    coefficients,
    complex_amplitudes,
    delays,
    jackknife_error,
    pulse_colour,
    smoothed,
)
from magnifier.maps.local_wiener import LOSS_POWER, LocalWiener, news_share
from magnifier.maps.lockin import Equations
from magnifier.maps.movement import log_slope, movement, without_movement
from media.arrays import to_host

Floats = NDArray[np.float64]

MARGIN_PX = 4  # cells so near to the edge of the skin are left out
SMOOTH_PX = 3.0  # standard deviation of the Gaussian that all cells are averaged with, luma pixels
AROUND_PX = 14.0  # of that for what is around a cell, which even skin is averaged with
MOVED_PX = 32.0  # of that for what moves as one
NEWS_PX = 8.0  # of that for the share of samples that a codec did not copy
LEAST_QUALITY_DB = 10.0  # below it there is no amplitude: in noise alone one cell in some hundred is above
MOST_DELAY_ERROR_S = 0.020
LEAST_GROUPS = 4  # of segments: fewer say nothing of the error


@dataclass(frozen=True)
class CellEvidence:
    """What every cell says by itself, not averaged with those around it, and what movement adds taken out.

    Attributes
    ----------
    amplitude, amplitude_error : float64[rows, columns]
        In parts of 1; NaN where there is no skin.
    delay_s, delay_error_s : float64[rows, columns]
        Against the whole skin.
    """

    amplitude: Floats
    amplitude_error: Floats
    delay_s: Floats
    delay_error_s: Floats


@dataclass(frozen=True)
class Fields:
    """Maps over the cells of a box; NaN where there is no skin or the evidence is too weak.

    Attributes
    ----------
    box : CellBox
    skin : bool[rows, columns]
        Cells that are skin.
    amplitude : float64[rows, columns]
        Relative pulsatile amplitude: amplitude of the fundamental of the pulse over the mean level of the skin, in
        parts of 1, as green shows it; measured in the mixture of channels that shows the pulse best.
    amplitude_rgb : float64[3, rows, columns]
        The same of R, G and B alone.
    amplitude_error : float64[rows, columns]
        Standard error of `amplitude`.
    delay_s : float64[rows, columns]
        When the pulse arrives after that of the whole skin, s.
    delay_error_s : float64[rows, columns]
        Its standard error.
    quality_db : float64[rows, columns]
        20 log10 of amplitude over its standard error; wherever there is skin.
    by_cell : CellEvidence
        What lines are looked for in.
    colour : float64[3]
        Weights of Y, U and V in the mixture that shows the pulse best.
    news : float64[rows, columns]
        Share of the samples around each cell that a codec did not copy, 0.05-1.
    beats : Beats
    whole : complex128[2]
        Both harmonics of the whole skin.
    """

    box: CellBox
    skin: NDArray[np.bool_]
    amplitude: Floats
    amplitude_rgb: Floats
    amplitude_error: Floats
    delay_s: Floats
    delay_error_s: Floats
    quality_db: Floats
    by_cell: CellEvidence
    colour: Floats
    news: Floats
    beats: Beats
    whole: NDArray[np.complex128]


def fields(
    equations: Equations, rgb: Floats, offset: Floats, rate_hz: float, smooth_px: float = SMOOTH_PX
) -> Fields | None:
    """Maps from the normal equations of a person.

    Parameters
    ----------
    equations : Equations
    rgb : float64[3, 3]
    offset : float64[3]
        R, G, B of the picture are `rgb @ yuv + offset`.
    rate_hz : float
        Mean heart rate, 1/s.
    smooth_px : float
        Standard deviation of the spatial average, luma pixels; 0 for none.

    Returns
    -------
    Fields or None
        None where there are fewer than `LEAST_GROUPS` segments, or no skin.
    """
    shape = equations.box.shape
    colours = np.nan_to_num(rgb @ equations.level + offset[:, None]).reshape(3, *shape)
    side = equations.box.side
    margin = -(-MARGIN_PX // side)
    smooth = smoothed(equations, colours[1].ravel(), smooth_px / side, margin)
    if smooth.matrix.shape[1] < LEAST_GROUPS or not smooth.seen.any():
        return None
    skin = smooth.seen
    news = news_share(equations, skin, NEWS_PX / side)
    colour = pulse_colour(smooth, rgb)
    restored = beats(smooth, colour).scaled(np.where(skin, news**-LOSS_POWER, 0.0))
    around = LocalWiener(np.where(skin, news, 0.0), AROUND_PX / side)
    kept = around.kept(restored.amplitude, restored.error)
    found = around.beats(restored, kept)
    size, error = np.abs(found.amplitude[0]), found.error[0]
    quality = np.where(skin, 20 * np.log10(np.maximum(size, 1e-12) / np.maximum(error, 1e-12)), np.nan)
    delay, late_error = _delays(found, skin, rate_hz)
    sure = skin & (quality >= LEAST_QUALITY_DB)
    timed = sure & (late_error <= MOST_DELAY_ERROR_S)
    amplitude = _unbiased(size, error)
    phase = found.amplitude[0] / np.maximum(size, 1e-300)
    every = to_host(coefficients(smooth.matrix.sum(axis=1), smooth.moments.sum(axis=2)))
    relative = around.filtered(complex_amplitudes(every)[0] * news**-LOSS_POWER, kept[0])
    channels = np.tensordot(rgb, (relative * np.conj(phase)).real, 1) * colours[1] / np.maximum(colours, 1.0)
    slope = log_slope(colours[1], skin, side, smooth_px / side)
    moved = movement(restored, slope, np.where(skin, news, 0.0), MOVED_PX / side, smooth_px / side)
    nothing = np.nan
    return Fields(
        box=equations.box,
        skin=skin,
        amplitude=np.where(sure, amplitude, nothing),
        amplitude_rgb=np.where(sure, channels, nothing),
        amplitude_error=np.where(skin, error / np.sqrt(2), nothing),
        delay_s=np.where(timed, delay, nothing),
        delay_error_s=np.where(skin, late_error, nothing),
        quality_db=quality,
        by_cell=_by_cell(without_movement(restored, slope, moved), skin, rate_hz),
        colour=colour,
        news=news,
        beats=found,
        whole=found.amplitude[:, skin].mean(axis=1),
    )


def _delays(found: Beats, skin: NDArray[np.bool_], rate_hz: float) -> tuple[Floats, Floats]:
    """Delay of every cell against the whole skin, and its standard error, s."""
    whole = found.amplitude[:, skin].mean(axis=1)[:, None, None]
    weights = 1 / np.maximum(np.median(found.error[:, skin] ** 2, axis=1), 1e-24)
    delay = delays(found.amplitude, whole, weights, rate_hz)
    references = found.left_out[:, :, skin].mean(axis=2)[:, :, None, None]
    scatter = jackknife_error(delays(found.left_out, references, weights, rate_hz, delay))
    # the jackknife knows nothing of what the filter takes from a difference
    jackknife = np.maximum(jackknife_error(found.left_out[0]), 1e-24)
    return delay, np.asarray(scatter * found.error[0] / jackknife)


def _unbiased(size: Floats, error: Floats) -> Floats:
    """Noise makes a modulus too large: E|z|^2 = |a|^2 + error^2."""
    return np.asarray(np.sqrt(np.maximum(size**2 - error**2, 0)))


def _by_cell(steady: Beats, skin: NDArray[np.bool_], rate_hz: float) -> CellEvidence:
    error = steady.error[0]
    delay, late_error = _delays(steady, skin, rate_hz)
    values = (_unbiased(np.abs(steady.amplitude[0]), error), error / np.sqrt(2), delay, late_error)
    return CellEvidence(*(np.where(skin, value, np.nan) for value in values))
