"""The pulse of named regions of the skin: amplitude and delay of each as a whole, and how sure they are.

The normal equations of a region are the sums of those of its cells, so its beat is what the mean over its skin shows, a
cell counting as long as it is seen; nothing from outside enters. Cells do not err independently, since light, movement
and a codec's keyframes move many of them at once. So errors are not summed up from those of the cells: the jackknife
leaves each group of segments out of the whole region, and of what it is compared with, and what cells share counts as
often as it occurs (Tukey 1958; Efron and Stein 1981; over blocks of time: Künsch 1989, Annals of Statistics 17:1217).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magnifier.maps.cells import CellBox
from magnifier.maps.fields import Fields
from magnifier.maps.harmonics import GROUPS, coefficients, complex_amplitudes, delays, jackknife_error
from magnifier.maps.local_wiener import LOSS_POWER
from magnifier.maps.lockin import COPIED, Equations
from media.arrays import array_module, to_host
from media.polygons import fill

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

_FINE = 4  # parts of a cell along its side that a polygon is cut into


@dataclass(frozen=True)
class RegionBeat:
    """What the cells of a region say together.

    Attributes
    ----------
    seen : float
        Part of the region that is skin, 0-1.
    groups : int
        Of segments, which the errors come from.
    amplitude, amplitude_error : float
        Relative pulsatile amplitude in parts of 1, and its standard error.
    quality_db : float
        20 log10 of the complex amplitude over its standard error: whether there is a pulse at all.
    ratio, ratio_error : float
        Amplitude over that of the whole skin.
    delay_s, delay_error_s : float
        After the whole skin.
    """

    seen: float
    groups: int
    amplitude: float
    amplitude_error: float
    quality_db: float
    ratio: float
    ratio_error: float
    delay_s: float
    delay_error_s: float


def region_cells(polygon: tuple[tuple[float, float], ...], box: CellBox) -> Floats:
    """Which part of every cell lies in a polygon.

    Parameters
    ----------
    polygon : tuple of (x, y)
        Corners in the luma pixels that the cells lie in; integers are middles of pixels.
    box : CellBox

    Returns
    -------
    float64[rows, columns]
        0-1, to a sixteenth.
    """
    corners = (np.array(polygon, np.float64) + 0.5) / box.side - [box.column, box.row]
    rows, columns = box.shape
    fine = fill(_FINE * corners, (len(corners),), (_FINE * rows, _FINE * columns))
    part: Floats = fine.reshape(rows, _FINE, columns, _FINE).mean(axis=(1, 3))
    return part


def region_beats(
    equations: Equations, found: Fields, rgb: Floats, green: Floats, parts: Floats, rate_hz: float
) -> list[RegionBeat]:
    """The beat of every region as a whole, against that of all skin.

    What a codec took is given back as in the maps, and a cell whose samples it copied counts no less for it.

    Parameters
    ----------
    equations : Equations
    found : Fields
        Of these equations: which cells are skin, their share of news, and the colour of the pulse.
    rgb : float64[3, 3]
        R, G, B from Y, U, V.
    green : float64[cells]
        Level of green, black at 0.
    parts : float64[regions, rows, columns]
        Which part of each cell belongs to each region, 0-1.
    rate_hz : float
        Mean heart rate, 1/s.

    Returns
    -------
    list of RegionBeat
        Not finite where no skin lies in the region.
    """
    skin = found.skin.ravel()
    flat = parts.reshape(len(parts), -1)
    share = found.news.ravel()[skin]
    even = 1 / (COPIED + (1 - COPIED) * share)  # weight of a frame of such a cell is 1 again
    weights = np.concatenate([np.ones((1, int(skin.sum()))), flat[:, skin]]) * even
    xp = array_module(equations.matrix)
    here, turned = xp.asarray(skin), xp.asarray(weights.T)
    matrix = to_host(xp.stack([m[:, here] @ turned for m in equations.matrix]))
    weights = weights * share**-LOSS_POWER / np.maximum(green[skin], 1.0)
    turned = xp.asarray(weights.T)
    moments = to_host(xp.stack([(m[..., here] @ turned).swapaxes(0, 1) for m in equations.moments]))
    count = len(matrix)
    starts = np.unique(np.arange(count) * min(GROUPS, count) // count, return_index=True)[1]  # as in `smoothed`
    matrix, moments = (np.add.reduceat(sums, starts).swapaxes(0, 1) for sums in (matrix, moments))
    total, right = matrix.sum(axis=1), moments.sum(axis=1)
    every, scale = _in_green(complex_amplitudes(coefficients(total, right)), found.colour, rgb)
    left, scale_left = _in_green(
        complex_amplitudes(coefficients(total[:, None] - matrix, right[:, :, None] - moments.swapaxes(1, 2))),
        found.colour,
        rgb,
    )
    noise = jackknife_error(left, axis=1)  # [HARMONICS, 1 + regions], as `every`
    trust = 1 / np.maximum(noise[:, 0] ** 2, 1e-24)  # of each harmonic, the same for all regions
    late = delays(every[:, 1:], every[:, :1], trust, rate_hz)
    late_left = delays(left[..., 1:], left[..., :1], trust, rate_hz, np.broadcast_to(late, left[0, :, 1:].shape))
    size, size_left = np.abs(every[0]), np.abs(left[0])
    ratio_left = size_left[:, 1:] / np.maximum(size_left[:, :1], 1e-300)
    error, ratio_error, late_error = (
        jackknife_error(values) for values in (scale_left[:, None] * size_left, ratio_left, late_left)
    )
    return [
        RegionBeat(
            seen=float(flat[k][skin].sum() / max(flat[k].sum(), 1e-300)),
            groups=len(starts),
            # noise makes a modulus too large
            amplitude=float(scale * np.sqrt(max(size[k + 1] ** 2 - noise[0, k + 1] ** 2, 0.0))),
            amplitude_error=float(error[k + 1]),
            quality_db=float(20 * np.log10(max(size[k + 1], 1e-12) / max(noise[0, k + 1], 1e-12))),
            ratio=float(size[k + 1] / max(size[0], 1e-300)),
            ratio_error=float(ratio_error[k]),
            delay_s=float(late[k]),
            delay_error_s=float(late_error[k]),
        )
        for k in range(len(parts))
    ]


def _in_green(channels: Complex, colour: Floats, rgb: Floats) -> tuple[Complex, Floats]:
    """The beat in the colour that shows it best, and what makes its size that of green.

    Of the whole skin both are the same size; how large that is in green is uncertain as well, where light or movement
    reach green and not the mixture.

    Parameters
    ----------
    channels : complex128[HARMONICS, CHANNELS, ..., 1 + regions]
        Of the whole skin first.
    colour : float64[CHANNELS]
    rgb : float64[3, CHANNELS]

    Returns
    -------
    mixed : complex128[HARMONICS, ..., 1 + regions]
    scale : float64[...]
    """
    mixed = np.tensordot(colour, channels, (0, 1))
    whole = mixed[0, ..., 0]
    green = np.tensordot(rgb[1], channels[0, ..., 0], 1) * np.conj(whole)
    return mixed, np.asarray(green.real / np.maximum(np.abs(whole) ** 2, 1e-300))
