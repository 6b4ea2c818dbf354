"""The gather: traces of all chunks become one set of waves and one heart rate for each person."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.color import chroma_shape, rgb_from_yuv
from media.pulse_blob import PersonWaves, Pulse
from mesh.contracts import Measurement, Person, Plan, RatePoint, Recording, Signal
from mesh.parameters import Parameters
from ppg.arrays import to_device, to_host
from ppg.detrend import regularization_of, smoothness_priors
from ppg.filters import (
    Filter,
    butterworth,
    fir,
    moving_averages,
    moving_averages_s,
    usable_band,
    zero_padded_moving_averages,
)
from ppg.methods import METHODS
from ppg.patches import LEAST_SAMPLES, coherence, group_length, project
from ppg.quality import (
    Evidence,
    agrees,
    confidence,
    consistency,
    least_snr_db,
    recording_at_fault,
    refusal,
)
from ppg.rate import Spectra, estimate, peaks, sliding_spectra, snr, track
from ppg.resample import fill_gaps, grid_times, resample
from ppg.trace_blob import Trace
from ppg.traces import means, patch_grid

UNIT = "bpm"
_LEAST_GAIN = 0.25  # of the filter at the heart rate: the calibration divides by no less
_CHECKS = ("pos", "chrom", "green")  # methods that are asked whether they agree


@dataclass
class SkinSums:
    """Sums over one person's skin in the whole clip.

    Attributes
    ----------
    skin : int64[frames, 4]
        Count, Y, U, V of each frame.
    patches : int64[groups, 4, patches]
        The same of each patch, added up over groups of `group` frames.
    group : int
    """

    skin: NDArray[np.int64]
    patches: NDArray[np.int64]
    group: int


def collect(
    frames: int, group: int, people: Sequence[dict[str, Any]], traces: Iterable[Trace]
) -> tuple[dict[str, SkinSums], int]:
    """Sums of every person over the whole clip; holds one chunk's at a time beside them.

    Parameters
    ----------
    frames : int
        In the clip.
    group : int
        Frames that are added up in the patches' sums.
    people : sequence of dict
        `id` and `instances` (labels) of each person.
    traces : iterable of Trace
        Of all chunks.

    Returns
    -------
    sums : dict of str to SkinSums
    concealed : int
        Frames that could not be decoded.
    """
    found: dict[str, SkinSums] = {}
    concealed = 0
    groups = (frames + group - 1) // group
    for trace in traces:
        concealed += trace.concealed
        belongs = (trace.first + np.arange(trace.frames)) // group
        for person in people:
            labels = [label for label in person["instances"] if label in trace.sums]
            sums = found.get(person["id"])
            if sums is None:
                empty = np.zeros((groups, 4, trace.grid.count), np.int64)
                sums = found[person["id"]] = SkinSums(np.zeros((frames, 4), np.int64), empty, group)
            for label in labels:
                part = trace.sums[label]
                sums.skin[trace.first : trace.first + trace.frames] += part.sum(axis=-1, dtype=np.int64)
                edges = np.flatnonzero(np.diff(belongs, prepend=-1))
                sums.patches[belongs[edges]] += np.add.reduceat(part, edges, axis=0, dtype=np.int64)
    return found, concealed


def make_filter(parameters: Parameters, rate_hz: float) -> Filter:
    """The band-pass that the parameters ask for.

    Raises
    ------
    ValueError
        If its band does not fit the sampling rate.
    """
    if parameters.filter == "moving_average":
        if parameters.n_bg_s is None and parameters.n_smooth_s is None:
            return moving_averages(parameters.n_bg_ma, parameters.n_smooth_ma, rate_hz)
        background = parameters.n_bg_ma / rate_hz if parameters.n_bg_s is None else parameters.n_bg_s
        smooth = parameters.n_smooth_ma / rate_hz if parameters.n_smooth_s is None else parameters.n_smooth_s
        return moving_averages_s(background, smooth, rate_hz)
    make = fir if parameters.filter == "fir" else butterworth
    return make(parameters.band_low_hz, parameters.band_high_hz, rate_hz)


def detrended(parameters: Parameters, rgb: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """Colours float64[..., n] without their slow trend where the parameters ask for it; each keeps its mean."""
    if parameters.detrend == "none":
        return rgb
    cut_off = min(parameters.detrend_hz, 0.4 * rate_hz)
    return np.asarray(smoothness_priors(rgb, regularization_of(cut_off, rate_hz)) + rgb.mean(axis=-1, keepdims=True))


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


def gather_pulse(plan: Plan, parameters: Parameters, people: Sequence[dict[str, Any]], traces: Iterable[Trace],
                 reason: str | None, times: NDArray[np.float64]) -> Pulse:  # fmt: skip
    """The pulse of all people.

    Parameters
    ----------
    plan : Plan
    parameters : Parameters
    people : sequence of dict
        Of the `people` blob.
    traces : iterable of Trace
        Of all chunks, read one by one.
    reason : str or None
        Why the segmenter found no skin.
    times : float64[frames]
        Of the frames, in seconds.
    """
    rate = plan.grid.rate_hz
    grid = grid_times(plan.grid.origin_s, rate, plan.grid.samples)
    group = group_length(rate)
    sums, concealed = collect(len(times), group, people, traces)
    warnings = list(plan.warnings)
    if concealed:
        warnings.append(f"{concealed} of {len(times)} frames could not be decoded and repeat the one before")
    band = (parameters.band_low_hz, parameters.band_high_hz)
    side = 2 * patch_grid(chroma_shape(plan.recording), parameters.patch_size).side
    if parameters.patch_size is not None and side > parameters.patch_size + 1:
        warnings.append(f"patch_size {parameters.patch_size} gives too many patches: {side} px was used")
    if not sums:
        cause = reason or "nothing has the colour of the reference"
        refused = Measurement.refused(UNIT, f"no skin found: {cause}; name a point on it with skin_point")
        nobody = Person(
            id="1",
            measurements={"heart_rate": refused},
            heart_rate_over_time=[],
            signal=Signal(snr_db=None, skin_fraction=0.0),
        )
        warnings.append("no skin was found: nothing was measured and nothing is magnified")
        return Pulse(False, grid, [], [nobody], warnings, band)
    waves, measured = [], []
    for person in people:
        found, values = _person(plan, parameters, person, sums[person["id"]], times, grid)
        waves.append(found)
        measured.append(values)
        if found.rate_hz is None:
            warnings.append(f"person {found.id}: the heart rate was refused, waves are those of the fixed band")
    return Pulse(True, grid, waves, measured, warnings, band)


def _person(plan: Plan, parameters: Parameters, person: dict[str, Any], sums: SkinSums,
            times: NDArray[np.float64], grid: NDArray[np.float64]) -> tuple[PersonWaves, Person]:  # fmt: skip
    rate = plan.grid.rate_hz
    matrix, offset = rgb_from_yuv(plan.recording)
    at_frames = fill_gaps(means(sums.skin.T[None])[0])
    yuv = resample(at_frames, times, grid)
    rgb = _affine(matrix, offset, yuv)
    zeros = np.zeros_like(yuv[0])
    try:
        band_pass: Filter | None = make_filter(parameters, rate)
        band = usable_band(parameters.band_low_hz, parameters.band_high_hz, rate)
    except ValueError:
        band_pass, band = None, (parameters.band_low_hz, parameters.band_high_hz)
    skin_frames = float((sums.skin[:, 0] > 0).mean())
    skin_fraction = float(sums.skin[:, 0].mean() / math.prod(chroma_shape(plan.recording)))
    if band_pass is None:
        fault = recording_at_fault(plan.recording.duration_s, rate, skin_frames) or "the band does not fit the clip"
        refused = Measurement.refused(UNIT, fault)
        signal = Signal(snr_db=None, skin_fraction=skin_fraction)
        measured = Person(id=person["id"], measurements={"heart_rate": refused}, heart_rate_over_time=[], signal=signal)
        filtered, pulse, deltas, rate_hz = np.stack([zeros] * 3), zeros, np.zeros_like(at_frames), None
    else:
        device = to_device(detrended(parameters, rgb, rate))
        filtered = to_host(band_pass(device))
        waves = {
            name: to_host(METHODS[name](device, rate, band_pass)) for name in {*_CHECKS, parameters.method}
        }  # fmt: skip
        pulse = waves[parameters.method]
        measured, rate_hz = _measure(plan, parameters, person, sums, waves, band, rgb, skin_frames, skin_fraction)
        gain = float(band_pass.gain_at(rate_hz if rate_hz is not None else band_pass.centre_hz))
        deltas = resample(band_pass(yuv) / max(gain, _LEAST_GAIN), grid, times)
    bgr = _affine(matrix, offset, at_frames)[::-1]
    red, green, blue = rgb
    y, u, v = yuv
    red_f, green_f, blue_f = filtered
    delta_y, delta_u, delta_v = deltas
    found = PersonWaves(
        id=person["id"], instances=tuple(person["instances"]), rate_hz=rate_hz,
        R=red, G=green, B=blue, Y=y, U=u, V=v,
        R_f=red_f, G_f=green_f, B_f=blue_f, white=filtered.mean(axis=0), pulse=pulse,
        delta_Y=delta_y, delta_U=delta_u, delta_V=delta_v,
        white_normalised=white_normalised(bgr, parameters.n_bg_ma, parameters.n_smooth_ma),
    )  # fmt: skip
    return found, measured


def _affine(matrix: NDArray[np.float64], offset: NDArray[np.float64], yuv: NDArray[np.float64]) -> NDArray[np.float64]:
    """R, G, B of Y, U, V along the axis before the last; sums in a fixed order, not by BLAS."""
    y, u, v = yuv[..., 0, :], yuv[..., 1, :], yuv[..., 2, :]
    return np.stack([row[0] * y + row[1] * u + row[2] * v + b for row, b in zip(matrix, offset, strict=True)], axis=-2)


def _patch_waves(recording: Recording, sums: SkinSums, rate_hz: float) -> NDArray[np.float64]:
    """Waves of the patches that skin covers well enough; the last, incomplete group of frames is left out."""
    whole = sums.patches[: max(len(sums.skin) // sums.group, 1)]
    count = whole[:, 0]
    keep = (count.mean(axis=0) >= LEAST_SAMPLES * sums.group) & ((count > 0).mean(axis=0) > 0.9)
    if not keep.any():
        return np.zeros((0, len(whole)))
    yuv = fill_gaps(means(whole[:, :, keep]).transpose(2, 1, 0))
    return project(_affine(*rgb_from_yuv(recording), yuv), rate_hz)


def _measure(plan: Plan, parameters: Parameters, person: dict[str, Any], sums: SkinSums,
             waves: dict[str, NDArray[np.float64]], band: tuple[float, float], rgb: NDArray[np.float64],
             skin_frames: float, skin_fraction: float) -> tuple[Person, float | None]:  # fmt: skip
    rate = plan.grid.rate_hz
    spectra = {name: sliding_spectra(wave, rate, parameters.rate_window_s, band) for name, wave in waves.items()}
    tracks = {name: track(found) for name, found in spectra.items()}
    chosen, rates = spectra[parameters.method], tracks[parameters.method]
    valid = bool(np.isfinite(rates).all())
    ratios = snr(chosen, rates) if valid else np.zeros(len(rates))
    others = [name for name in _CHECKS if name != parameters.method]
    patches = _patch_waves(plan.recording, sums, rate / sums.group)
    evidence = Evidence(
        seconds=plan.recording.duration_s,
        fps=rate,
        skin_frames=skin_frames,
        snr=float(ratios.mean()),
        consistency=consistency(chosen, rates) if valid else 0.0,
        coherence=coherence(patches, rate / sums.group, chosen, rates) if valid else None,
        agreement=float(np.mean([agrees(rates, tracks[name]) for name in others])) if valid else 0.0,
        rgb=rgb.mean(axis=1),
        rate_hz=float(rates.mean()) if valid else math.inf,
        bits_per_pixel=plan.recording.bits_per_pixel,
    )
    why = refusal(evidence)
    details = {
        "consistency": evidence.consistency,
        "agreement": evidence.agreement,
        "patches": float(len(patches)),
        "skin_frames": skin_frames,
    }
    if evidence.coherence is not None:
        details["coherence"] = evidence.coherence
    if valid:
        details |= {f"{name}_{UNIT}": 60 * float(tracks[name].mean()) for name in sorted(tracks)}
    heart_rate = Measurement.refused(UNIT, why) if why else _heart_rate(chosen, rates, ratios, confidence(evidence))
    measured = Person(
        id=person["id"],
        measurements={"heart_rate": heart_rate},
        heart_rate_over_time=_over_time(chosen, rates, ratios, why, plan.grid.origin_s),
        signal=Signal(
            snr_db=round(evidence.snr_db, 3) if valid else None,
            skin_fraction=skin_fraction,
            details={key: round(value, 4) for key, value in details.items()},
        ),
    )
    return measured, None if why else float(rates.mean())


def _heart_rate(spectra: Spectra, rates: NDArray[np.float64], ratios: NDArray[np.float64], trust: float) -> Measurement:
    found = estimate(spectra, rates, ratios)
    return Measurement(
        value=round(60 * found.hz, 2),
        unit=UNIT,
        low=round(60 * found.low_hz, 2),
        high=round(60 * found.high_hz, 2),
        confidence=round(trust, 3),
        status="ok",
    )


def _over_time(spectra: Spectra, rates: NDArray[np.float64], ratios: NDArray[np.float64], why: str | None,
               origin_s: float) -> list[RatePoint]:  # fmt: skip
    """One measurement a window; refused where the clip's is, or where the window alone does not show it."""
    alone = np.abs(peaks(spectra) - rates)
    least = 10 ** (least_snr_db(np.inf) / 10)
    points = []
    for row, centre in enumerate(spectra.centre_s):
        if why is not None:
            value = Measurement.refused(UNIT, "the heart rate of the whole clip is refused")
        elif alone[row] > 0.1 or ratios[row] < least:
            value = Measurement.refused(UNIT, "no clear pulse in this window")
        else:
            one = Spectra(
                spectra.centre_s[row : row + 1], spectra.frequency_hz, spectra.power[row : row + 1], spectra.window_s
            )
            trust = float(ratios[row] / (1 + ratios[row]))
            value = _heart_rate(one, rates[row : row + 1], ratios[row : row + 1], trust)
        points.append(RatePoint(time_s=round(origin_s + float(centre), 4), heart_rate=value))
    return points
