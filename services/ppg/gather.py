"""The gather: traces of all chunks become one set of waves and measurements for each person."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from media.color import chroma_shape
from media.people import People, PersonSkin
from media.pulse_blob import PersonWaves, Pulse
from mesh.contracts import Measurement, Person, Plan, Signal
from mesh.parameters import Parameters
from ppg.collect import SkinSums, collect, rgb_of, signals_from
from ppg.filters import zero_padded_moving_averages
from ppg.measure import UNIT, Analysis, measure
from ppg.patches import group_length
from ppg.phase import heart_phase
from ppg.resample import fill_gaps, grid_times, resample
from ppg.trace_blob import Trace
from ppg.traces import means, patch_grid

_LEAST_GAIN = 0.25  # of the filter at the heart rate: the calibration divides by no less


def white_normalised(bgr: NDArray[np.float64], n_bg: int, n_smooth: int) -> NDArray[np.float64]:
    """faceHR's signal (ajsteele, 2022), `delta` 1: its zero-padded averages, each channel over its largest value.

    Parameters
    ----------
    bgr : float64[3, n]
        Traces at the frames.
    n_bg, n_smooth : int
        Windows in frames.

    Returns
    -------
    float64[n]
        In -1..1; mostly far below, since the largest value is a transient at an end.
    """
    found = np.zeros(bgr.shape[1])
    for channel in bgr:
        wave = np.nan_to_num(zero_padded_moving_averages(channel, n_bg, n_smooth))
        largest = np.abs(wave).max(initial=0.0)
        found += wave / largest if largest > 0 else wave
    return found / len(bgr)


def gather_pulse(plan: Plan, parameters: Parameters, people: People, traces: Iterable[Trace],
                 reason: str | None) -> Pulse:  # fmt: skip
    """The pulse of all people.

    Parameters
    ----------
    plan : Plan
    parameters : Parameters
    people : People
    traces : iterable of Trace
        Of all chunks, read one by one.
    reason : str or None
        Why the segmenter found no skin.
    """
    collected = collect(len(plan.pts), group_length(plan.grid.rate_hz), people.people, traces)
    warnings = [*plan.warnings, *people.warnings]
    if collected.concealed:
        warnings.append(
            f"{collected.concealed} of {len(plan.pts)} frames could not be decoded and repeat the one before"
        )
    band = (parameters.band_low_hz, parameters.band_high_hz)
    side = 2 * patch_grid(chroma_shape(plan.recording), parameters.patch_size).side
    if parameters.patch_size is not None and side > parameters.patch_size + 1:
        warnings.append(f"patch_size {parameters.patch_size} gives too many patches: {side} px was used")
    times = grid_times(plan.grid.origin_s, plan.grid.rate_hz, plan.grid.samples)
    if not collected.people:
        warnings.append("no skin was found: nothing was measured and nothing is magnified")
        return Pulse(False, times, [], [_nobody(reason)], warnings, band)
    waves, measured = [], []
    for person in people.people:
        signals = signals_from(plan, collected, person.id)
        found = measure(signals, parameters, plan.grid)
        waves.append(_waves(plan, parameters, person, collected.people[person.id], found, signals.time_s))
        measured.append(found.person.model_copy(update={"id": person.id}))
        warnings += [f"person {person.id}: {text}" for text in found.warnings]
        if found.rate_hz is None:
            warnings.append(f"person {person.id}: the heart rate was refused, waves are those of the fixed band")
    return Pulse(True, times, waves, measured, warnings, band)


def _nobody(reason: str | None) -> Person:
    cause = reason or "nothing has the colour of the reference"
    refused = Measurement.refused(UNIT, f"no skin found: {cause}; name a point on it with skin_point")
    signal = Signal(snr_db=None, skin_fraction=0.0)
    return Person(id="1", measurements={"heart_rate": refused}, heart_rate_over_time=[], signal=signal)


def _waves(plan: Plan, parameters: Parameters, person: PersonSkin, sums: SkinSums, found: Analysis,
           times: NDArray[np.float64]) -> PersonWaves:  # fmt: skip
    """What the magnifier and the report draw."""
    at_frames = fill_gaps(means(sums.skin.T[None])[0])
    grid = grid_times(plan.grid.origin_s, plan.grid.rate_hz, plan.grid.samples)
    yuv = resample(at_frames, times, grid)
    deltas = np.zeros_like(at_frames)
    if found.band_pass is not None:
        centre = found.band_pass.centre_hz
        gain = float(found.band_pass.gain_at(centre if found.rate_hz is None else found.rate_hz))
        deltas = resample(found.band_pass(yuv) / max(gain, _LEAST_GAIN), grid, times)
    red, green, blue = found.rgb
    y, u, v = yuv
    red_f, green_f, blue_f = found.filtered
    delta_y, delta_u, delta_v = deltas
    bgr = rgb_of(plan, at_frames)[::-1]
    # nearly a straight line; and where the rate is refused it is NaN, which no spline takes
    phase = np.interp(times, grid, heart_phase(found.waves["pulse"], plan.grid.rate_hz, found.heart_hz))
    return PersonWaves(
        id=person.id, spans=person.spans, rate_hz=found.rate_hz,
        R=red, G=green, B=blue, Y=y, U=u, V=v,
        R_f=red_f, G_f=green_f, B_f=blue_f, white=found.filtered.mean(axis=0), pulse=found.waves["pulse"],
        delta_Y=delta_y, delta_U=delta_u, delta_V=delta_v,
        phase=phase, white_normalised=white_normalised(bgr, parameters.n_bg_ma, parameters.n_smooth_ma),
    )  # fmt: skip
