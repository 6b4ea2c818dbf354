"""What is told of the named regions of the skin: measured with an interval, or refused with the reason."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from magnifier.maps.fields import LEAST_QUALITY_DB, MOST_DELAY_ERROR_S, Fields
from magnifier.maps.lockin import Equations
from magnifier.maps.regions import RegionBeat, region_beats, region_cells
from media.masks import Regions
from mesh.contracts import Measurement, RegionPulse

Floats = NDArray[np.float64]

LEAST_SEEN = 0.5  # of a region must be skin, or its mean is that of another region
_SURE = 0.90  # of the intervals


def region_pulses(
    equations: Equations, found: Fields, rgb: Floats, green: Floats, regions: Regions, rate_hz: float
) -> dict[str, RegionPulse]:
    """What is told of every named region: measured, or refused with the reason.

    Intervals are those of Student's t with as many degrees of freedom as there are groups of segments, less one. They
    hold what differs from one stretch of the clip to the next; what is wrong in all of them alike, such as what a codec
    takes from the pulse everywhere, no error shows.

    Parameters
    ----------
    equations : Equations
    found : Fields
        Of these equations.
    rgb : float64[3, 3]
        R, G, B from Y, U, V.
    green : float64[cells]
        Level of green, black at 0.
    regions : dict of str to polygon
        In the coordinates of the cells.
    rate_hz : float

    Returns
    -------
    dict of str to RegionPulse
        In the order of `regions`.
    """
    if not regions:
        return {}
    parts = np.stack([region_cells(polygon, found.box) for polygon in regions.values()])
    beats = region_beats(equations, found, rgb, green, parts, rate_hz)
    return {name: told(name, beat) for name, beat in zip(regions, beats, strict=True)}


def told(name: str, beat: RegionBeat) -> RegionPulse:
    """A region's beat as measurements: %, a ratio, ms; each with its 90 % interval."""
    words = f"the {name.replace('_', ' ')}"
    why = None
    if beat.seen < LEAST_SEEN:
        why = (
            f"Only {100 * beat.seen:.0f} % of {words} is seen as skin, and {100 * LEAST_SEEN:.0f} % are needed: turn "
            "it to the camera, and keep hair, hands and glasses off it."
        )
    elif not beat.quality_db >= LEAST_QUALITY_DB:
        why = (
            f"The pulse of {words} does not stand out from the noise there: more light, a longer clip and less "
            "compression help."
        )
    seen = round(min(beat.seen, 1.0), 4)
    if why is not None:
        return RegionPulse(
            seen=seen,
            amplitude=Measurement.refused("%", why),
            amplitude_ratio=Measurement.refused("", why),
            delay=Measurement.refused("ms", why),
        )
    reach = float(stdtrit(beat.groups - 1, 0.5 + _SURE / 2))
    delay = _measured(1000 * beat.delay_s, 1000 * reach * beat.delay_error_s, "ms", 2)
    if not beat.delay_error_s <= MOST_DELAY_ERROR_S:
        delay = Measurement.refused(
            "ms",
            f"The delay of {words} is not sure enough: its standard error is {1000 * beat.delay_error_s:.0f} ms, and "
            f"at most {1000 * MOST_DELAY_ERROR_S:.0f} are accepted. A longer clip and more light help.",
        )
    amplitude = _measured(100 * beat.amplitude, 100 * reach * beat.amplitude_error, "%", 4, least=0.0)
    if not beat.amplitude > 10 ** (LEAST_QUALITY_DB / 20) * beat.amplitude_error:
        amplitude = Measurement.refused(
            "%",
            "How strong the pulse is in green is not sure enough, since light or movement change it as well: hold "
            "still in even light. Against the whole skin it may be known all the same.",
        )
    return RegionPulse(
        seen=seen,
        amplitude=amplitude,
        amplitude_ratio=_measured(beat.ratio, reach * beat.ratio_error, "", 4, least=0.0),
        delay=delay,
    )


def _measured(value: float, reach: float, unit: str, digits: int, least: float = -np.inf) -> Measurement:
    low, high = max(value - reach, least), value + reach
    return Measurement(
        value=round(value, digits), unit=unit, low=round(low, digits), high=round(high, digits), status="ok"
    )
