"""Phase-based motion magnification (Wadhwa et al. 2013, ACM TOG 32(4):80) and acceleration (Zhang et al. 2017, CVPR).

A movement of d px shifts the local phase of a wave of wavelength w by 2 pi d / w, in every band of a complex steerable
pyramid. Phases are filtered in time, and each coefficient of a frame is turned by alpha times the result: the movement
grows, noise is moved but not amplified.

Three things are done otherwise than in the paper:

- Phase is not taken against a first frame but from cell to cell of a grid of 10 a second and more (`time_grid`,
  `history.Differences`): nothing wraps where something moves far slowly, every segment of a clip gives the same result,
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

from magnifier.motion.composite import Closed, added
from magnifier.motion.history import Differences, Ready, Waiting
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
from magnifier.motion.time_grid import Cell, TimeFilter
from media.arrays import array_module

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
        raise ValueError(f"a picture of {size[1]}x{size[0]} is too small for a pyramid: its shorter side must be 4 px")
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
        self._luma = Closed(size, shape, (2 * margin[0], 2 * margin[1]))
        self._color = Closed(small, (grown[0], grown[1]), margin)
        octaves = most_octaves(*size) if settings.levels is None else settings.levels
        pyramid = SteerablePyramid(shape, settings.orientations, settings.bands_per_octave, octaves)
        self._with_color = settings.chroma and octaves > 1
        self._first_color = settings.bands_per_octave
        self._kernel = smoothing_kernel(settings.smoothing)
        self._furthest = _FURTHEST[settings.bands_per_octave]
        self._waiting = Waiting(time_filter, span)
        self._bands = [_Coefficients(band) for band in pyramid.bands]
        self._phases = Differences()  # of all bands, one after the other
        self._energy: dict[int, Any] = {}
        self._parts: list[tuple[slice, tuple[int, int]]] = []
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

    def _seen(self, cells: list[Cell]) -> list[Magnified]:
        for cell in cells:
            self._measure(cell)
        found = [self._rendered(ready) for ready in self._waiting.ready()]
        self._phases.forget_before(self._waiting.oldest())
        for number in [n for n in self._energy if n < self._waiting.first_cell]:
            del self._energy[number]
        return found

    def _measure(self, cell: Cell) -> None:
        """How phases changed since the cell before."""
        transform = spectrum(self._luma.grown(cell.mean))
        products = self._each(partial(_Coefficients.product, transform=transform, kernel=self._kernel))
        if products[0] is None:
            return
        if not self._parts:
            ends = np.cumsum([product.size for product in products])
            self._parts = [(slice(e - p.size, e), p.shape) for e, p in zip(ends.tolist(), products, strict=True)]
        xp = array_module(transform)
        flat = xp.concatenate([product.ravel() for product in products])
        self._phases.add(xp.angle(flat))
        self._energy[cell.number] = xp.abs(flat)

    def _rendered(self, ready: Ready) -> Magnified:
        frame = ready.frame
        planes = [frame.y, frame.u, frame.v]
        shift = self._phases.filtered(ready.first, ready.steps) if self._alpha else None
        if shift is None:
            return Magnified(frame.index, *planes)
        shift *= np.float32(self._alpha)
        self._count(shift, ready.nearest)
        shifts = [shift[part].reshape(shape) for part, shape in self._parts]
        reflected = [self._luma, self._color, self._color] if self._with_color else [self._luma]
        transforms = [spectrum(r.grown(p)) for r, p in zip(reflected, planes, strict=False)]
        changes = [array_module(shift).zeros_like(transform) for transform in transforms]
        parts = self._each(partial(self._turned, transforms), shifts)
        for band, boxes in zip(self._bands, parts, strict=True):  # in order: no bit depends on threads
            for change, box in zip(changes, boxes, strict=False):
                add(change, band.band, box)
        for number, (change, here) in enumerate(zip(changes, reflected, strict=True)):
            planes[number] = added(planes[number], here.cut(picture(change, here.total)), ready.weights)
        return Magnified(frame.index, *planes)

    def _turned(self, transforms: Sequence[Any], coefficients_: _Coefficients, shift: Any) -> list[Any]:
        """The change of a band in each plane that has it."""
        xp = array_module(shift)
        band = coefficients_.band
        angle = doubled(shift, band.shape)
        turn = xp.empty(band.shape, xp.complex64)
        xp.cos(angle, out=turn.real)
        turn.real -= np.float32(1)
        xp.sin(angle, out=turn.imag)
        boxes = []
        for transform in transforms if band.number >= self._first_color else transforms[:1]:
            values = coefficients(transform, band, coefficients_.window)
            values *= turn
            boxes.append(filtered(values, band, coefficients_.window))
        return boxes

    def _count(self, shift: Any, cell: int) -> None:
        energy = self._energy.get(cell)
        if energy is not None:
            self.reach.energy += float(energy.sum())
            self.reach.beyond += float(energy[array_module(shift).abs(shift) > self._furthest].sum())

    def _each(self, work: Callable[..., Any], *arguments: Sequence[Any]) -> list[Any]:
        return list((map if self._pool is None else self._pool.map)(work, self._bands, *arguments))


class _Coefficients:
    """A band, and its coefficients in the last cell."""

    def __init__(self, band: Band) -> None:
        self.band = band
        self.window: Any = band.window
        self._before: Any = None

    def product(self, transform: Any, kernel: Any) -> Any:
        """Product with the conjugate of those of the cell before, averaged over neighbours; None for the first."""
        self.window = array_module(transform).asarray(self.window)  # once, to where the pictures are
        before, self._before = self._before, coefficients(transform, self.band, self.window)
        return None if before is None else thinned(self._before * before.conj(), kernel)
