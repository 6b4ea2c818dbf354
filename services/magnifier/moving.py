"""Movement in a segment: what of the parameters each method of `magnifier.motion` is told, and where it may change."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from magnifier.methods import Segment
from magnifier.motion import (
    AccelerationSettings,
    EulerianMotionSettings,
    Magnified,
    PhaseSettings,
    Settings,
    make_method,
)
from magnifier.motion.phase import PhaseMotion
from magnifier.soft_edge import edge_radius, soft_weights
from media.timeline import frame_times
from mesh.parameters import Parameters

_HIGHEST = 0.45  # of the frame rate: an upper edge beyond it is lowered to it
_BEYOND = 0.05  # part of the energy that was asked to move too far, from which on it is said
_TICK = 1e-6  # s


def settings_of(parameters: Parameters, rate_hz: float) -> Settings:
    """The settings of a method of motion magnification.

    Parameters
    ----------
    parameters : Parameters
        `magnify` is `eulerian-motion`, `phase` or `acceleration`.
    rate_hz : float
        Mean frame rate.

    Raises
    ------
    ValueError
        If `magnify` is another.
    """
    low, high = parameters.magnify_band_hz
    band = (low, min(high, _HIGHEST * rate_hz))
    alpha, color = parameters.gain, parameters.chrom_attenuation > 0
    bands = 2 if parameters.pyramid == "half_octave" else 1
    if parameters.magnify == "phase":
        return PhaseSettings(
            alpha=alpha,
            band_hz=band,
            bands_per_octave=bands,
            chroma=color,
            attenuate_others=parameters.attenuate_others,
        )
    if parameters.magnify == "acceleration":
        return AccelerationSettings(
            alpha=alpha, frequency_hz=math.sqrt(low * high), bands_per_octave=bands, chroma=color
        )
    if parameters.magnify != "eulerian-motion" or parameters.temporal_filter == "ideal":
        raise ValueError(f"{parameters.magnify} with {parameters.temporal_filter} is no magnification of movement")
    return EulerianMotionSettings(
        alpha=alpha,
        band_hz=band,
        lambda_c=parameters.lambda_c,
        filter=parameters.temporal_filter,
        r1=parameters.iir_r1,
        r2=parameters.iir_r2,
        chrom_attenuation=parameters.chrom_attenuation,
        compat=parameters.compat == "2012",
    )


def moving(segment: Segment) -> Iterator[Magnified]:
    """The segment's own frames, their movement magnified: everywhere, or on skin alone.

    Raises
    ------
    ValueError
        If the parameters do not fit the recording.
    """
    recording, rate_hz = segment.plan.recording, segment.plan.grid.rate_hz
    times = frame_times(segment.plan)
    span = (float(times[segment.own.start]), float(times[segment.own.stop - 1]) + _TICK)
    size = (recording.height, recording.width)
    method = make_method(settings_of(segment.parameters, rate_hz), rate_hz, size, span)
    for frame, mask in segment.frames(segment.span()):
        own = frame.index in segment.own and segment.parameters.region == "skin"
        yield from method.push(frame, _weights(mask.labels) if own else None)
    yield from method.finish()
    if isinstance(method, PhaseMotion) and method.reach.beyond > _BEYOND * method.reach.energy:
        segment.record.warn(
            "Some of the movement is larger than this gain can magnify without ghosts: lower the gain, or use "
            "pyramid=half_octave."
        )


def _weights(labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return soft_weights((labels > 0).astype(np.uint8), edge_radius((labels.shape[0], labels.shape[1])))
