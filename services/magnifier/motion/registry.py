"""The one place that knows which methods of motion magnification there are."""

from __future__ import annotations

from magnifier.motion.eulerian_motion import WARM_UP_S, EulerianMotion, check_eulerian
from magnifier.motion.phase import PhaseMotion, check_pyramid
from magnifier.motion.protocol import Method
from magnifier.motion.settings import AccelerationSettings, EulerianMotionSettings, PhaseSettings, Settings
from magnifier.motion.time_grid import SUPPORT_S, TimeFilter, acceleration, band_pass, holding_still


def support_s(settings: Settings) -> tuple[float, float]:
    """Seconds before and after a frame of which the method has to see the frames."""
    if isinstance(settings, EulerianMotionSettings) and (settings.compat or settings.filter != "fir"):
        return WARM_UP_S, 0.0
    return SUPPORT_S, SUPPORT_S


def check_motion(settings: Settings, rate_hz: float, size: tuple[int, int]) -> None:
    """Refuse settings that cannot work on a recording, in words that say what to change.

    Parameters
    ----------
    settings : Settings
    rate_hz : float
        Mean frame rate of the recording, `plan.grid.rate_hz`.
    size : (int, int)
        Height and width in px.

    Raises
    ------
    ValueError
    """
    if isinstance(settings, EulerianMotionSettings):
        check_eulerian(settings, rate_hz, size)
    else:
        _filter_of(settings, rate_hz)
        check_pyramid(settings, size)


def make_method(
    settings: Settings, rate_hz: float, size: tuple[int, int], span: tuple[float, float] | None = None, threads: int = 1
) -> Method:
    """A method for one segment: frames with span[0] <= time < span[1] come out, all of them without a span.

    Parameters
    ----------
    settings : Settings
    rate_hz, size
        As in `check_motion`.
    span : (float, float), optional
        Seconds.
    threads : int
        How many may be used at once; changes no bit.

    Raises
    ------
    ValueError
        As `check_motion`.
    """
    check_motion(settings, rate_hz, size)
    if isinstance(settings, EulerianMotionSettings):
        return EulerianMotion(settings, rate_hz, size, span)
    alpha = settings.alpha
    time_filter = _filter_of(settings, rate_hz)
    if isinstance(settings, PhaseSettings) and settings.attenuate_others:
        time_filter, alpha = holding_still(time_filter, alpha), 1.0
    return PhaseMotion(settings, time_filter, alpha, size, span, threads)


def _filter_of(settings: PhaseSettings | AccelerationSettings, rate_hz: float) -> TimeFilter:
    if isinstance(settings, AccelerationSettings):
        return acceleration(settings.frequency_hz, rate_hz)
    return band_pass(settings.band_hz, rate_hz, step_s=1 / rate_hz if settings.attenuate_others else None)
