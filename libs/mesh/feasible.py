"""What parameters a recording can carry: found as soon as its size and rate are known, before anything runs."""

from __future__ import annotations

import math
from typing import NoReturn

from mesh.errors import BadParameters
from mesh.parameters import COLOUR_FIELDS, MOTION, Parameters
from mesh.support import segment_support

IDEAL_SECONDS = 120.0  # of the longest clip for a filter of the whole clip
_HIGHEST = 0.45  # of the frame rate: the highest frequency that a band may begin below
FINEST_WAVELENGTH = 5.3  # px: level k of a Laplacian pyramid passes waves of 2^k times this most
SLOWEST_ACCELERATION_HZ = 0.37  # for which the filter of acceleration fits into +- 2.5 s
_SLOWEST_RATE_HZ = 4.0  # frames a second, for a filter of movement
_LEAST_PX = 5  # on the shorter side of the coarsest level
_WINDOW_BYTES = 512 << 20  # of the fields around one frame


def check_feasible(
    parameters: Parameters, width: int, height: int, fps: float | None = None, seconds: float | None = None
) -> None:
    """Refuse parameters that cannot work on a recording.

    Parameters
    ----------
    parameters : Parameters
    width, height : int
        Of the stored picture, px.
    fps, seconds : float, optional
        Mean frame rate in real time and length, where they are known.

    Raises
    ------
    BadParameters
        Naming the parameter at fault and what to set it to.
    """
    if parameters.magnify in MOTION:
        _check_motion(parameters, width, height, fps)
        return
    if parameters.magnify not in COLOUR_FIELDS:
        return
    chroma = (min(width, height) + 1) // 2
    if parameters.magnify != "patch" and chroma < 2**parameters.pyramid_level:
        most = max(int(math.log2(max(chroma, 1))), 1)
        advice = f"choose at most {most}" if most >= 2 else "use magnify=patch"
        _refuse(
            "pyramid_level",
            f"level {parameters.pyramid_level} of the pyramid is too deep for a picture of {width}x{height}: {advice}",
        )
    whole = segment_support(parameters)[0] == math.inf
    if whole and seconds is not None and seconds > IDEAL_SECONDS:
        _refuse(
            "temporal_filter",
            f"an ideal filter is one of the whole clip, which may last {IDEAL_SECONDS:g} s; this one lasts "
            f"{seconds:.0f} s: use temporal_filter=fir or butterworth, or a shorter clip",
        )
    low, high = parameters.magnify_band_hz
    if whole and seconds is not None and math.floor(high * seconds) < math.ceil(low * seconds):
        _refuse(
            "magnify_low_hz",
            f"no bin of the spectrum of a clip of {seconds:.1f} s lies between {low:g} and {high:g} Hz: bins are "
            f"{1 / seconds:.3g} Hz apart; widen the band, or use temporal_filter=fir",
        )
    if fps is None:
        return
    if parameters.band == "fixed":
        _check_band(parameters, fps)
    if parameters.magnify == "patch":
        _check_patch(parameters, width, height, fps)


def _check_band(parameters: Parameters, fps: float) -> None:
    low, high = parameters.magnify_band_hz
    if low >= _HIGHEST * fps:
        _refuse(
            "magnify_low_hz",
            f"{fps:.4g} frames a second carry nothing between {low:g} and {high:g} Hz: lower magnify_low_hz below "
            f"{_HIGHEST * fps:.3g}",
        )


def _check_motion(parameters: Parameters, width: int, height: int, fps: float | None) -> None:
    """What `magnifier.motion.check_motion` would refuse when the job runs."""
    shorter = min(width, height)
    if shorter < _LEAST_PX:
        _refuse(
            "magnify", f"a picture of {width}x{height} is too small to magnify movement in: {_LEAST_PX} px is the least"
        )
    if parameters.magnify == "eulerian-motion" and parameters.compat == "none" and parameters.gain > 0:
        coarsest = FINEST_WAVELENGTH * 2 ** math.floor(math.log2(shorter / _LEAST_PX))
        if parameters.lambda_c > coarsest * (1 - 1e-9):
            _refuse(
                "lambda_c",
                f"a gain of {parameters.gain:g} is reached at wavelengths from lambda_c = {parameters.lambda_c:g} px "
                f"on; the longest that a picture of {width}x{height} has is {coarsest:.0f} px: lower lambda_c to that",
            )
    if fps is None or parameters.temporal_filter == "iir":
        return
    if fps < _SLOWEST_RATE_HZ:
        _refuse(
            "magnify", f"{fps:.3g} frames a second are too few to magnify movement: {_SLOWEST_RATE_HZ:g} is the least"
        )
    _check_band(parameters, fps)
    middle = math.sqrt(math.prod(parameters.magnify_band_hz))
    if parameters.magnify == "acceleration" and not SLOWEST_ACCELERATION_HZ <= middle <= fps / 4:
        _refuse(
            "magnify_low_hz",
            f"acceleration is magnified at the geometric mean of magnify_low_hz and magnify_high_hz, {middle:.2f} Hz; "
            f"at {fps:.4g} frames a second it must lie between {SLOWEST_ACCELERATION_HZ:g} and {fps / 4:g}",
        )


def _check_patch(parameters: Parameters, width: int, height: int, fps: float) -> None:
    before, after = (min(part, IDEAL_SECONDS) for part in segment_support(parameters))
    frames = 1.25 * (before + after) * fps
    size = parameters.magnify_patch
    needed = 6 * frames * width * height / size**2
    if needed > _WINDOW_BYTES:
        least = 2 * math.ceil(size / 2 * math.sqrt(needed / _WINDOW_BYTES))
        _refuse(
            "magnify_patch",
            f"patches of {size} px on a picture of {width}x{height} at {fps:.0f} frames a second need "
            f"{needed / 2**20:.0f} MiB: use magnify_patch={least} or more",
        )


def _refuse(name: str, text: str) -> NoReturn:
    raise BadParameters(text, hint=f"Change {name}.", errors=[{"pointer": f"/{name}", "detail": text}])
