"""A complex steerable pyramid: pictures as oriented waves of every scale, each with an amplitude and a local phase.

After Simoncelli and Freeman (1995, ICIP) and Portilla and Simoncelli (2000, IJCV 40:49): polar-separable filters in the
frequency plane, whose squares add up to 1, so that a picture is exactly the sum of its bands and two residuals. Radial
windows are raised cosines over the logarithm of the frequency. Two things differ from the usual form, for speed:

- Angular windows end: direction k of K has cos(K/2 (angle - angle_k)) within pi/K of its own and nothing beyond, in
  place of cos(angle)^(K-1), which reaches over half of the plane. The squares of neighbours still add up to 1.
- Each band keeps only the box of the frequency plane that its filter covers, moved to the origin: no sample more than
  aliasing asks for. A band of 4 directions and an octave has about a third of the picture's samples, not
  all of them. The move multiplies coefficients with a wave that does not change in time, so phase differences stay.

Only one of each pair of opposite directions is held: a real picture's other half is its conjugate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from media.arrays import array_module, fft_module

SMALLEST = 4  # px: the coarsest level has at least so many on its shorter side


@dataclass(frozen=True)
class Band:
    """One direction of one scale.

    Attributes
    ----------
    number : int
        Of the scale, 0 the finest.
    angle : float
        Direction in which its waves go, rad, between -pi/2 and pi/2; 0 is to the right.
    wavelength : float
        In px, where the radial window is largest.
    rows, columns : (int, int)
        Half-open ranges of vertical and horizontal frequency, in bins of the picture's Fourier transform; they may
        begin below 0.
    window : float32[rows, columns]
        The filter.
    shape : (int, int)
        Samples of the band: the box, grown to sizes that are fast to transform.
    """

    number: int
    angle: float
    wavelength: float
    rows: tuple[int, int]
    columns: tuple[int, int]
    window: NDArray[np.float32]
    shape: tuple[int, int]


def most_octaves(height: int, width: int) -> int:
    """How many octaves a picture of this size has, the coarsest keeping 4 px on its shorter side."""
    return max(math.floor(math.log2(max(min(height, width), 1) / SMALLEST)) + 1, 0)


class SteerablePyramid:
    """The bands of pictures of one size.

    Parameters
    ----------
    shape : (int, int)
        Height and width in px.
    orientations : int
        Directions of each scale, 2 or more.
    bands_per_octave : int
        1 or 2.
    octaves : int

    Attributes
    ----------
    bands : list of Band
        The finest scale first.

    Raises
    ------
    ValueError
        If the picture is too small for so many octaves.
    """

    def __init__(self, shape: tuple[int, int], orientations: int, bands_per_octave: int, octaves: int) -> None:
        if octaves < 1 or octaves > most_octaves(*shape):
            raise ValueError(f"a picture of {shape[1]}x{shape[0]} has {most_octaves(*shape)} octaves, not {octaves}")
        self.shape = shape
        self.bands_per_octave = bands_per_octave
        self._scales = octaves * bands_per_octave
        angles = [math.pi * (2 * k - orientations) / (2 * orientations) for k in range(1, orientations + 1)]
        bands = (self._band(number, angle, orientations) for number in range(self._scales) for angle in angles)
        self.bands = [band for band in bands if band is not None]  # a coarse one can fall between all frequencies

    def _high(self, radius: NDArray[np.float64], number: int) -> NDArray[np.float64]:
        """High-pass whose edge rises below the upper edge of scale `number`, over the width of a scale."""
        octaves = np.log2(np.maximum(radius, 1e-12) / math.pi) + number / self.bands_per_octave
        window: NDArray[np.float64] = np.cos(math.pi / 2 * np.clip(-octaves * self.bands_per_octave, 0.0, 1.0))
        return np.where(octaves * self.bands_per_octave <= -1, 0.0, window)

    def _band(self, number: int, angle: float, orientations: int) -> Band | None:
        height, width = self.shape
        edge = 0.5 ** (number / self.bands_per_octave) / 2  # cycles/px
        reach_y, reach_x = math.ceil(edge * height), math.ceil(edge * width)
        ky = np.arange(-reach_y, reach_y + 1)
        kx = np.arange(-reach_x, reach_x + 1)
        wy, wx = 2 * math.pi * ky[:, None] / height, 2 * math.pi * kx[None, :] / width
        radius = np.hypot(wx, wy)
        radial = np.sqrt(np.maximum(1 - self._high(radius, number) ** 2, 0)) * self._high(radius, number + 1)
        away = np.abs((np.arctan2(wy, wx) - angle + math.pi) % (2 * math.pi) - math.pi)
        angular = np.where(away < math.pi / orientations, np.cos(orientations / 2 * away), 0.0)
        window = radial * angular
        window[window < 1e-6] = 0  # what rounding leaves at the edges would make the box larger
        rows, columns = np.flatnonzero(window.any(axis=1)), np.flatnonzero(window.any(axis=0))
        if not len(rows):
            return None
        box = window[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
        return Band(
            number,
            angle,
            2.0 * 2 ** ((number + 1) / self.bands_per_octave),
            (int(ky[rows[0]]), int(ky[rows[-1]]) + 1),
            (int(kx[columns[0]]), int(kx[columns[-1]]) + 1),
            box,
            (next_fast_len(box.shape[0]), next_fast_len(box.shape[1])),
        )

    def residual(self) -> NDArray[np.float64]:
        """The part of each frequency's energy that no band holds: the finest detail and the coarsest light.

        Returns
        -------
        float64[height, width // 2 + 1]
            Square of the two residual filters; with the squares of all bands and of their conjugates it adds up to 1.
        """
        height, width = self.shape
        wy = 2 * math.pi * np.fft.fftfreq(height)[:, None]
        wx = 2 * math.pi * np.fft.rfftfreq(width)[None, :]
        radius = np.hypot(wx, wy)
        return self._high(radius, 0) ** 2 + 1 - self._high(radius, self._scales) ** 2


def spectrum(picture: Any) -> Any:
    """Fourier transform of a real picture: complex64[height, width // 2 + 1]."""
    return fft_module(picture).rfft2(picture)


def picture(transform: Any, shape: tuple[int, int]) -> Any:
    """The real picture of a Fourier transform: float32[shape]."""
    return fft_module(transform).irfft2(transform, s=shape)


def coefficients(transform: Any, band: Band, window: Any) -> Any:
    """The band's coefficients: amplitude and local phase of its waves, on its own grid over the whole picture.

    Parameters
    ----------
    transform : complex64[height, width // 2 + 1]
        `spectrum` of a picture. It may be of another size than the pyramid was made for if the picture covers the same
        ground: the chroma plane of half the size, for bands of the second octave and coarser.
    band : Band
    window : float32
        `band.window`, on the device of `transform`.

    Returns
    -------
    complex64[band.shape]
    """
    xp = array_module(transform)
    (r0, r1), (c0, c1) = band.rows, band.columns
    box = xp.zeros(band.shape, xp.complex64)
    positive = max(c0, 0)
    for inside, outside in _runs(r0, r1, transform.shape[0]):
        box[inside, positive - c0 : c1 - c0] = transform[outside, positive:c1]
    if c0 < 0:
        # the half that a real picture's transform does not hold is the conjugate of the other, turned by 180 degrees
        rows = -xp.arange(r0, r1) % transform.shape[0]
        box[: r1 - r0, :-c0] = transform[rows, 1 : 1 - c0][:, ::-1].conj()
    box[: r1 - r0, : c1 - c0] *= window
    return fft_module(box).ifft2(box, overwrite_x=True)


def filtered(coefficients: Any, band: Band, window: Any) -> Any:
    """The band's part of a picture's transform: complex64, of the size of its box; see `add`."""
    (r0, r1), (c0, c1) = band.rows, band.columns
    box = fft_module(coefficients).fft2(coefficients, overwrite_x=True)
    return box[: r1 - r0, : c1 - c0] * window


def add(transform: Any, band: Band, box: Any) -> None:
    """Add a band and its conjugate to a picture's transform, complex64[height, width // 2 + 1]."""
    xp = array_module(transform)
    (r0, r1), (c0, c1) = band.rows, band.columns
    positive = max(c0, 0)
    for inside, outside in _runs(r0, r1, transform.shape[0]):
        transform[outside, positive:c1] += box[inside, positive - c0 : c1 - c0]
    if c0 <= 0:
        rows = -xp.arange(r0, r1) % transform.shape[0]
        stop = min(c1, 1)  # a transform of a real picture is its own conjugate in column 0: both halves go there
        transform[rows, 1 - stop : 1 - c0] += box[:, : stop - c0][:, ::-1].conj()


def _runs(start: int, stop: int, size: int) -> list[tuple[slice, slice]]:
    """Where the rows start..stop of a box lie in a transform whose negative frequencies come last."""
    if start >= 0:
        return [(slice(0, stop - start), slice(start, stop))]
    if stop <= 0:
        return [(slice(0, stop - start), slice(start + size, stop + size))]
    return [(slice(0, -start), slice(start + size, size)), (slice(-start, stop - start), slice(0, stop))]
