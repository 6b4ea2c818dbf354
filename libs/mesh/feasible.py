"""What parameters a recording can carry: found as soon as its size and rate are known, before anything runs."""

from __future__ import annotations

import math
from typing import NoReturn

from mesh.errors import BadParameters
from mesh.graph import segment_support
from mesh.parameters import COLOUR_FIELDS, Parameters

IDEAL_SECONDS = 120.0  # of the longest clip for a filter of the whole clip
_HIGHEST = 0.45  # of the frame rate: the highest frequency that a band may begin below
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
    if parameters.band == "fixed" and low >= _HIGHEST * fps:
        _refuse(
            "magnify_low_hz",
            f"{fps:.4g} frames a second carry nothing between {low:g} and {high:g} Hz: lower magnify_low_hz below "
            f"{_HIGHEST * fps:.3g}",
        )
    if parameters.magnify == "patch":
        _check_patch(parameters, width, height, fps)


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
