"""Eulerian motion magnification (Wu et al. 2012, ACM TOG 31(4):65, section 3): brightness in place of movement.

A small movement changes the brightness of a pixel in proportion to the slope there; band-passed in time and amplified,
it moves edges further. How far that holds is a matter of wavelength: (1 + alpha) d < lambda / 8 (equation 14), so each
level of a Laplacian pyramid has an alpha of its own. Filters in time and pyramids in space are both linear, so pixels
are filtered first, and one pyramid a frame is enough.

Where this differs from the code released in 2012 (and `compat` does not):

- The filter has zero phase, a gain of 1 in the band and its edges where they are asked for; there, `butter` was given a
  part of the sampling rate for a part of half of it, so that 0.4-3 Hz became 0.2-1.5 Hz, and both filters lag.
- A level's alpha follows the wavelength that the level passes, and is not below 0. There, wavelengths come from the
  picture's diagonal (about half of what the levels pass), the bound is doubled, and beyond it alpha turns negative:
  long waves would move backwards.
- The finest level is bounded by its wavelength like any other, not left out.

In neither form are frames dropped (the released code leaves the last ten out), and both work on the planes Y, U, V, not
on Y, I, Q: chroma has one attenuation, so the axes of its plane do not matter, and saturation is that of Y, U, V.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from magnifier.motion.composite import added
from magnifier.motion.history import Differences, Waiting
from magnifier.motion.laplacian import FINEST_WAVELENGTH, amplified, levels_of
from magnifier.motion.protocol import Frame, Magnified
from magnifier.motion.settings import EulerianMotionSettings
from magnifier.motion.time_grid import Cell, band_pass, check_band
from media.arrays import array_module

WARM_UP_S = 5.0  # what a recursive filter sees of its past: 0.3 % is forgotten of a time constant of 0.86 s
_EXAGGERATION = 2.0  # of the released code
_HALF_RATE = 0.5  # released: `butter` took a part of the sampling rate for a part of half of it


def level_gains(settings: EulerianMotionSettings, size: tuple[int, int]) -> list[float]:
    """Alpha of each level of the luma plane, the finest first.

    With d = lambda_c / 8 / (1 + alpha) the largest movement that still fits at lambda_c, a level of wavelength lambda
    takes alpha_l = min(alpha, lambda / (8 d) - 1), not below 0. `compat` is as released: lambda is a third of the
    picture's diagonal at the coarse rest and half of that at each finer level, the formula is doubled, may turn
    negative, and the finest level has 0.

    Parameters
    ----------
    settings : EulerianMotionSettings
    size : (int, int)
        Height and width in px.
    """
    count = levels_of(*size)
    alpha = settings.alpha
    if not settings.compat:
        if alpha <= 0:
            return [alpha] * count  # what grows smaller needs no bound
        lambdas = [FINEST_WAVELENGTH * 2**level for level in range(count)]
        return [min(alpha, max((1 + alpha) * each / settings.lambda_c - 1, 0.0)) for each in lambdas]
    diagonal = math.hypot(*size) / 3
    lambdas = [diagonal / 2 ** (count - level) for level in range(count)]
    gains = [min(alpha, _EXAGGERATION * ((1 + alpha) * each / settings.lambda_c - 1)) for each in lambdas]
    return [0.0, *gains[1:]] if gains else []


def averaging_weight(frequency_hz: float, rate_hz: float) -> tuple[float, float]:
    """A Butterworth low-pass of first order by the bilinear transform, y = c y' + b (x + x').

    Parameters
    ----------
    frequency_hz, rate_hz : float

    Returns
    -------
    b, c : float
    """
    warped = math.tan(math.pi * frequency_hz / rate_hz)
    return warped / (1 + warped), (1 - warped) / (1 + warped)


def check_eulerian(settings: EulerianMotionSettings, rate_hz: float, size: tuple[int, int]) -> None:
    """Refuse settings that cannot work on a recording.

    Raises
    ------
    ValueError
    """
    if settings.alpha < -1:
        raise ValueError(f"alpha {settings.alpha:g} turns movement round: choose -1 (no movement) or more")
    if not 0 <= settings.chrom_attenuation <= 1:
        raise ValueError(f"chrom_attenuation is a part of alpha, 0 to 1, not {settings.chrom_attenuation:g}")
    if not settings.lambda_c > 0:
        raise ValueError(f"lambda_c is a wavelength in px above 0, not {settings.lambda_c:g}")
    if settings.filter == "iir":
        if not 0 < settings.r2 < settings.r1 <= 1:
            raise ValueError(
                f"r1 {settings.r1:g} and r2 {settings.r2:g} leave no band: choose 0 < r2 < r1 <= 1, r1 of the faster "
                "average"
            )
    else:
        check_band(settings.band_hz, rate_hz)
    if settings.compat and settings.filter == "fir":
        raise ValueError("the released code of 2012 has no filter 'fir': choose 'iir' or 'butterworth', or no compat")
    gains = level_gains(settings, size)
    if not gains:
        raise ValueError(f"a picture of {size[1]}x{size[0]} is too small for a pyramid: 5 px is the least")
    if settings.alpha > 0 and max(gains) < settings.alpha * (1 - 1e-9):
        coarsest = math.hypot(*size) / 6 if settings.compat else FINEST_WAVELENGTH * 2 ** (len(gains) - 1)
        if max(gains) <= 0 or not settings.compat:
            raise ValueError(
                f"alpha {settings.alpha:g} is reached at wavelengths from lambda_c = {settings.lambda_c:g} px on, but "
                f"the coarsest level of {size[1]}x{size[0]} has {coarsest:.0f} px: choose a lambda_c up to that"
            )


class EulerianMotion:
    """Amplifies brightness by scale; see `motion.Method` for how it is used.

    Parameters
    ----------
    settings : EulerianMotionSettings
    rate_hz : float
    size : (int, int)
        Height and width of the luma plane.
    span : (float, float), optional
    """

    def __init__(
        self,
        settings: EulerianMotionSettings,
        rate_hz: float,
        size: tuple[int, int],
        span: tuple[float, float] | None = None,
    ) -> None:
        self._filter: _Symmetric | _Recursive
        if settings.filter == "fir":
            self._filter = _Symmetric(settings, rate_hz, span)
        else:
            self._filter = _Recursive(settings, rate_hz, span)
        gains = level_gains(settings, size)
        # a level of a chroma plane has twice the wavelength of the same level of luma
        chroma = gains[1:] + gains[-1:] if len(gains) > 1 else gains
        self._gains = [gains] + 2 * [[settings.chrom_attenuation * g for g in chroma]]
        self._magnifies = bool(settings.alpha)

    def push(self, frame: Frame, weights: Any = None) -> list[Magnified]:
        """Show the next frame; see `motion.Method`."""
        return [self._rendered(*each) for each in self._filter.push(frame, weights)]

    def finish(self) -> list[Magnified]:
        """The frames that still wait; see `motion.Method`."""
        return [self._rendered(*each) for each in self._filter.finish()]

    def _rendered(self, frame: Frame, weights: Any, bands: list[Any]) -> Magnified:
        planes = [frame.y, frame.u, frame.v]
        if self._magnifies:
            for number, band in enumerate(bands):
                if band is not None:
                    gains = self._gains[number]
                    used = gains[: levels_of(*band.shape)]
                    planes[number] = added(planes[number], amplified(band, used), weights)
        return Magnified(frame.index, *planes)


def _planes(settings: EulerianMotionSettings, frame: Frame) -> list[Any]:
    return [frame.y, frame.u, frame.v] if settings.chrom_attenuation else [frame.y]


class _Symmetric:
    """A finite filter of zero phase."""

    def __init__(self, settings: EulerianMotionSettings, rate_hz: float, span: tuple[float, float] | None) -> None:
        self._settings = settings
        self._waiting = Waiting(band_pass(settings.band_hz, rate_hz), span)
        self._changes = Differences()
        self._before: Any = None
        self._shapes: list[Any] = []

    def push(self, frame: Frame, weights: Any) -> list[tuple[Frame, Any, list[Any]]]:
        planes = _planes(self._settings, frame)
        self._shapes = [plane.shape for plane in planes]
        xp = array_module(frame.y)
        flat = planes[0].ravel() if len(planes) == 1 else xp.concatenate([plane.ravel() for plane in planes])
        return self._seen(self._waiting.push(frame, weights, flat))

    def finish(self) -> list[tuple[Frame, Any, list[Any]]]:
        return self._seen(self._waiting.finish())

    def _seen(self, cells: list[Cell]) -> list[tuple[Frame, Any, list[Any]]]:
        for cell in cells:
            if self._before is not None:
                self._changes.add(cell.mean - self._before)
            self._before = cell.mean
        found = []
        for ready in self._waiting.ready():
            band = self._changes.filtered(ready.first, ready.steps)
            found.append((ready.frame, ready.weights, self._split(band)))
        self._changes.forget_before(self._waiting.oldest())
        return found

    def _split(self, flat: Any) -> list[Any]:
        if flat is None:
            return []
        ends = np.cumsum([math.prod(shape) for shape in self._shapes])
        return [
            flat[end - math.prod(shape) : end].reshape(shape) for shape, end in zip(self._shapes, ends, strict=True)
        ]


class _Recursive:
    """The difference of two causal low-passes, which start settled on the first frame."""

    def __init__(self, settings: EulerianMotionSettings, rate_hz: float, span: tuple[float, float] | None) -> None:
        self._settings = settings
        self._span = span
        if settings.filter == "iir":
            self._taps = [(0.0, settings.r1, 1 - settings.r1), (0.0, settings.r2, 1 - settings.r2)]
        else:
            part = _HALF_RATE if settings.compat else 1.0
            low, high = (averaging_weight(edge * part, rate_hz) for edge in settings.band_hz)
            self._taps = [(high[0], high[0], high[1]), (low[0], low[0], low[1])]
        self._before: list[Any] = []
        self._averages: list[list[Any]] = []

    def push(self, frame: Frame, weights: Any) -> list[tuple[Frame, Any, list[Any]]]:
        xp = array_module(frame.y)
        now = [plane.astype(xp.float32) for plane in _planes(self._settings, frame)]
        if not self._before:
            self._averages = [[plane.copy() for plane in now] for _ in self._taps]
        else:
            for (old, new, kept), averages in zip(self._taps, self._averages, strict=True):
                for average, plane, before in zip(averages, now, self._before, strict=True):
                    average *= np.float32(kept)
                    average += plane * np.float32(new)
                    if old:
                        average += before * np.float32(old)
        self._before = now
        if self._span is not None and not self._span[0] <= frame.time < self._span[1]:
            return []
        fast, slow = self._averages
        return [(frame, weights, [a - b for a, b in zip(fast, slow, strict=True)])]

    def finish(self) -> list[tuple[Frame, Any, list[Any]]]:
        return []
