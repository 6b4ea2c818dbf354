"""Phase-based motion magnification (Wadhwa et al. 2013, ACM TOG 32(4):80) and acceleration (Zhang et al. 2017, CVPR).

A movement of d px shifts the local phase of a wave of wavelength w by 2 pi d / w, in every band of a complex steerable
pyramid. Phases are filtered in time, and each coefficient of a frame is turned by alpha times the result: the movement
grows, noise is moved but not amplified.

Three things are done otherwise than in the paper:

- Phase is not taken against a first frame but from cell to cell of a grid of 10 a second and more (`time_grid`,
  `history.Increments`): nothing wraps where something moves far slowly, every segment of a clip gives the same result,
  and the pyramid is built once a cell, not once a frame, of every frame that is only looked at.
- A change of phase is the angle of the product of a cell's coefficients with the conjugate of those before, averaged
  over neighbours: the average is weighted with the squared amplitude, as a fit to equal noise would be, and comes
  before the angle is taken, so that a single coefficient that vanishes adds no turn of its own.
- Colour moves with the brightness that it belongs to: the chroma planes have the same bands from the second octave on,
  which are turned by the same phases.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.fft import next_fast_len

from magnifier.arrays import array_module
from magnifier.motion.composite import Reflected, added
from magnifier.motion.history import Increments, Ready, Waiting
from magnifier.motion.protocol import Frame, Magnified
from magnifier.motion.settings import AccelerationSettings, PhaseSettings, PyramidSettings
from magnifier.motion.smoothing import doubled, smoothing_kernel, thinned
from magnifier.motion.steerable import (
    Band,
    SteerablePyramid,
    add,
    coefficients,
    filtered,
    most_octaves,
    picture,
    spectrum,
)
from magnifier.motion.time_grid import TimeFilter

_MARGIN = 16  # chroma samples that the picture is mirrored by at least, for the transform takes it for a torus
_FURTHEST = {1: math.pi / 2, 2: math.pi}  # a quarter and a half of a wavelength: Wadhwa et al. 2013, section 4.2


def check_pyramid(settings: PhaseSettings | AccelerationSettings, size: tuple[int, int]) -> None:
    """Refuse settings that cannot work on a picture of this size.

    Parameters
    ----------
    settings : PhaseSettings or AccelerationSettings
    size : (int, int)
        Height and width in px.

    Raises
    ------
    ValueError
    """
    if settings.alpha < -1:
        raise ValueError(f"alpha {settings.alpha:g} turns movement round: choose -1 (no movement) or more")
    if not 2 <= settings.orientations <= 16:
        raise ValueError(f"a pyramid has 2 to 16 orientations, not {settings.orientations}")
    if settings.bands_per_octave not in _FURTHEST:
        raise ValueError(f"a pyramid has 1 or 2 bands an octave, not {settings.bands_per_octave}")
    if settings.smoothing and not 1 <= settings.smoothing <= 5:
        raise ValueError(f"smoothing is 0 (none) or 1 to 5 samples of a band, not {settings.smoothing:g}")
    most = most_octaves(*size)
    if most < 1:
        raise ValueError(f"a picture of {size[1]}x{size[0]} is too small for a pyramid: its shorter side must be 16 px")
    if settings.levels is not None and not 1 <= settings.levels <= most:
        raise ValueError(
            f"levels {settings.levels} is too deep for {size[1]}x{size[0]}: choose 1 to {most}, or leave it out"
            if settings.levels > most
            else f"a pyramid has at least one level, not {settings.levels}"
        )


@dataclass
class Reach:
    """How far waves were moved, against what a band of their width can follow (Wadhwa et al. 2013, section 4.2).

    Attributes
    ----------
    energy, beyond : float
        Sum over bands and frames of the squared amplitude, and the part of it that was asked to move further.
    """

    energy: float = 0.0
    beyond: float = 0.0


class PhaseMotion:
    """Turns local phases by a filter of their past and future; see `motion.Method` for how it is used.

    Parameters
    ----------
    settings : PyramidSettings
    time_filter : TimeFilter
        Filters phases; how far they are turned is `alpha` times the result.
    alpha : float
    size : (int, int)
        Height and width of the luma plane.
    span : (float, float), optional
    threads : int

    Attributes
    ----------
    reach : Reach
    """

    def __init__(
        self,
        settings: PyramidSettings,
        time_filter: TimeFilter,
        alpha: float,
        size: tuple[int, int],
        span: tuple[float, float] | None = None,
        threads: int = 1,
    ) -> None:
        self.reach = Reach()
        self._alpha = alpha
        small = ((size[0] + 1) // 2, (size[1] + 1) // 2)
        grown = tuple(next_fast_len(n + 2 * _MARGIN, real=True) for n in small)
        margin = ((grown[0] - small[0]) // 2, (grown[1] - small[1]) // 2)
        shape = (2 * grown[0], 2 * grown[1])  # the chroma planes cover the same ground, so bands have the same bins
        self._luma = Reflected(size, shape, (2 * margin[0], 2 * margin[1]))
        self._color = Reflected(small, (grown[0], grown[1]), margin)
        octaves = most_octaves(*size) if settings.levels is None else settings.levels
        pyramid = SteerablePyramid(shape, settings.orientations, settings.bands_per_octave, octaves)
        self._first_color = settings.bands_per_octave if settings.chroma else octaves * settings.bands_per_octave
        self._kernel = smoothing_kernel(settings.smoothing)
        self._furthest = _FURTHEST[settings.bands_per_octave]
        self._waiting = Waiting(time_filter, span)
        self._step_s = time_filter.step_s
        self._bands = [_BandHistory(band) for band in pyramid.bands]
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def push(self, frame: Frame, weights: Any = None) -> list[Magnified]:
        """Show the next frame; see `motion.Method`."""
        return self._seen(self._waiting.push(frame, weights, frame.y))

    def finish(self) -> list[Magnified]:
        """The frames that still wait; see `motion.Method`."""
        found = self._seen(self._waiting.finish())
        if self._pool is not None:
            self._pool.shutdown()
        return found

    def _seen(self, cells: list[tuple[int, Any]]) -> list[Magnified]:
        for cell, mean in cells:
            self._each(
                partial(
                    _BandHistory.measure, cell=cell, transform=spectrum(self._luma.grown(mean)), kernel=self._kernel
                )
            )
        found = [self._rendered(ready) for ready in self._waiting.ready()]
        oldest = self._waiting.oldest()
        for band in self._bands:
            band.forget_before(oldest)
        return found

    def _rendered(self, ready: Ready) -> Magnified:
        frame = ready.frame
        planes = [frame.y, frame.u, frame.v]
        if self._alpha == 0:
            return Magnified(frame.index, *planes)
        reflected = [self._luma, self._color, self._color]
        transforms = [spectrum(r.grown(p)) for r, p in zip(reflected, planes, strict=True)]
        xp = array_module(transforms[0])
        changes = [xp.zeros_like(transform) for transform in transforms]
        nearest = round(frame.time / self._step_s)
        parts = self._each(lambda band: self._turned(band, ready, transforms, nearest))
        for band, (boxes, energy, beyond) in zip(
            self._bands, parts, strict=True
        ):  # in order: no bit depends on threads
            self.reach.energy += energy
            self.reach.beyond += beyond
            for change, box in zip(changes, boxes, strict=False):
                add(change, band.band, box)
        for number, change in enumerate(changes):
            if not change.any():
                continue
            grown = picture(change, reflected[number].total)
            planes[number] = added(planes[number], reflected[number].cut(grown), ready.weights)
        return Magnified(frame.index, *planes)

    def _turned(
        self, history: _BandHistory, ready: Ready, transforms: Sequence[Any], nearest: int
    ) -> tuple[list[Any], float, float]:
        """The change of a band in each plane that has it, its energy, and how much of it went beyond the bound."""
        shift = history.phases.filtered(ready.first, ready.filter)
        if shift is None:
            return [], 0.0, 0.0
        xp = array_module(shift)
        band = history.band
        shift *= np.float32(self._alpha)
        amplitudes = history.energy.get(nearest)
        energy = beyond = 0.0
        if amplitudes is not None:
            energy = float(amplitudes.sum())
            beyond = float(amplitudes[xp.abs(shift) > self._furthest].sum())
        angle = doubled(shift, band.shape)
        turn = xp.empty(band.shape, xp.complex64)
        xp.cos(angle, out=turn.real)
        turn.real -= np.float32(1)
        xp.sin(angle, out=turn.imag)
        boxes = []
        for transform in transforms if band.number >= self._first_color else transforms[:1]:
            values = coefficients(transform, band, history.window)
            values *= turn
            boxes.append(filtered(values, band, history.window))
        return boxes, energy, beyond

    def _each(self, work: Callable[[_BandHistory], Any]) -> list[Any]:
        return list(map(work, self._bands) if self._pool is None else self._pool.map(work, self._bands))


class _BandHistory:
    """What is held of one band."""

    def __init__(self, band: Band) -> None:
        self.band = band
        self.window: Any = band.window
        self.phases = Increments()
        self.energy: dict[int, Any] = {}
        self._before: Any = None

    def measure(self, cell: int, transform: Any, kernel: Any) -> None:
        """Add the change of phase since the cell before."""
        xp = array_module(transform)
        now = coefficients(transform, self.band, self.window)
        if self._before is None:
            self.phases.start(cell)
        else:
            self._before = self._before.conj()
            self._before *= now
            product = thinned(self._before, kernel)
            self.phases.add(cell, xp.angle(product))
            self.energy[cell] = xp.abs(product)
        self._before = now

    def forget_before(self, cell: int) -> None:
        self.phases.forget_before(cell)
        for number in [n for n in self.energy if n < cell]:
            del self.energy[number]
