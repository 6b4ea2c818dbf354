"""Candidates for the heart rate, two a method, and what speaks for each: the evidence of the gate.

The strongest peak need not be the heart: a codec repeats a fast pulse at its difference to the codec's own rhythm of
frames, and a body sways. So each method is asked for the best in the other half of the band as well: what speaks for
that speaks against the first.

Each sign alone is fooled by something: spectral SNR by slow drifts in a short clip, agreement of patches by a lamp or
a camera that changes its colours, agreement of methods by a strong change of brightness. GREEN keeps most of a pulse
that a codec has left (it carries the luma), POS most of one that moves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ppg.interval import MeanRate, best_mean_rates, mean_rates
from ppg.patches import Coherence, coherence, project
from ppg.rate import Spectra, peaks, power_at, sliding_spectra, snr, top_near, track
from ppg.resample import fill_gaps, resample
from ppg.signals import Signals

Floats = NDArray[np.float64]

METHODS_ASKED = ("green", "pos", "chrom", "pbv")
AGREE_HZ = 0.1
SLID_HZ = 0.2  # a rate that wanders within a window differs from the top of its spectrum by less
_LOBE = 1.5  # of a Hann taper's main lobe, half its width in 1 / window
UNKNOWN_SNR_DB = -7.0  # about that of noise
UNKNOWN_LIGHT_DB = -10.0  # where there is nothing but skin in the picture


@dataclass(frozen=True)
class Candidate:
    """One possible answer.

    Attributes
    ----------
    method : str
    spectra : Spectra
        Of the method's wave.
    track_hz : float64[windows]
        Its rate in each window.
    mean : MeanRate
        Over all of the signals.
    whole_hz : float
        Top of the spectrum of the whole wave within 0.15 Hz of the track's mean, Hz.
    evidence : dict of str to float
        What speaks for it, by the names in `FEATURES`; finite.
    first : bool
        Whether it is the best of its method, not the best in the other half of the band.
    """

    method: str
    spectra: Spectra
    track_hz: Floats
    mean: MeanRate
    whole_hz: float
    evidence: dict[str, float]
    first: bool = True


FEATURES = (
    "snr_db", "dominance_db", "consistency", "others_db", "agreeing", "patches_green", "patches_colour",
    "colour_db", "colour_phase", "fit", "log_rate", "log_seconds", "log_bits", "motion", "log_motion", "half_db",
    "double_db", "light_db", "light_snr_db", "motion_snr_db", "contrast_green_db", "contrast_colour_db",
)  # fmt: skip


def candidates(
    signals: Signals, waves: Mapping[str, Floats], rgb: Floats, rate_hz: float, window_s: float, hop_s: float,
    band_hz: tuple[float, float], origin_s: float, band_pass: Callable[[Floats], Floats],
    background: Floats | None = None,
) -> list[Candidate]:  # fmt: skip
    """The best of each method that was asked and has a spectrum, and the best in the other half of the band.

    Parameters
    ----------
    signals : Signals
    waves : mapping of str to float64[n]
        Of the methods, among them all of `METHODS_ASKED`, on the grid.
    rgb : float64[3, n]
        Filtered channels over their means, on the grid.
    rate_hz : float
        Samples a second of the grid.
    window_s, hop_s : float
        Of the sliding spectra.
    band_hz : tuple of float
    origin_s : float
        Time of the grid's first sample.
    band_pass : callable
        The filter that the waves went through.
    background : float64[3, n], optional
        As `rgb`, of what is nobody's skin.
    """

    def spectra_of(wave: Floats) -> Spectra:
        return sliding_spectra(wave, rate_hz, window_s, band_hz, hop_s)

    spectra = {name: spectra_of(waves[name]) for name in METHODS_ASKED}
    best = [(name, track(spectra[name])) for name in METHODS_ASKED]
    paths = [(name, path) for name, path in best if np.isfinite(path).all()]
    firsts = len(paths)
    paths += [(name, other) for name, path in paths if np.isfinite(other := track(spectra[name], path)).all()]
    patches = _patch_waves(signals)
    moved = _moved(signals, rate_hz, len(rgb[0]), origin_s)
    samples = np.arange(rgb.shape[-1]) / rate_hz
    around = None if background is None else spectra_of(background.mean(axis=0))
    shifts = [] if moved is None else [spectra_of(axis) for axis in moved]
    whole = {name: sliding_spectra(waves[name], rate_hz, len(waves[name]) / rate_hz, band_hz) for name in METHODS_ASKED}
    starts = [np.interp(samples, spectra[name].centre_s, rates) for name, rates in paths]
    means: list[MeanRate] = []
    # what the other half shows is mostly nothing: one first guess has to do
    for fitted, part in ((best_mean_rates, slice(firsts)), (mean_rates, slice(firsts, None))):
        if paths[part]:
            asked = np.stack([waves[name] for name, _ in paths[part]])
            means += fitted(asked, rate_hz, np.stack(starts[part]), band_pass)
    found = []
    for number, ((name, rates), start, mean) in enumerate(zip(paths, starts, means, strict=True)):
        if abs(mean.hz - float(rates.mean())) > SLID_HZ:  # it fits something else, stronger than what was asked for
            mean = MeanRate(float(rates.mean()), SLID_HZ, 0.0, start)
        evidence = _evidence(
            name, rates, spectra, paths[:firsts], waves, rgb, background, rate_hz, patches, moved, start
        )
        evidence |= {
            "light_snr_db": _loudest([] if around is None else [around], rates),
            "motion_snr_db": _loudest(shifts, rates),
        }
        evidence |= {
            "fit": mean.fit,
            "log_rate": math.log(max(mean.hz, 0.1)),
            "log_seconds": math.log(max(signals.duration_s, 1.0)),
            "log_bits": math.log10(min(max(signals.bits_per_pixel or 0.2, 1e-3), 0.2)),
        }
        kept = {key: float(evidence[key]) for key in FEATURES}
        top = top_near(whole[name].frequency_hz, whole[name].power, rates.mean(keepdims=True), 0.15)
        found.append(Candidate(name, spectra[name], rates, mean, float(top[0]), kept, number < firsts))
    return found


def decibel(ratio: float, low: float = -20.0, high: float = 20.0) -> float:
    """10 log10 of a ratio of powers, within limits; the lower one where it is not a number."""
    return float(min(max(10 * math.log10(ratio), low), high)) if ratio > 0 else low


def _evidence(name: str, rates: Floats, spectra: Mapping[str, Spectra], paths: Sequence[tuple[str, Floats]],
              waves: Mapping[str, Floats], rgb: Floats, background: Floats | None, rate_hz: float,
              patches: tuple[Floats, Floats, float] | None, moved: Floats | None,
              start: Floats) -> dict[str, float]:  # fmt: skip
    own = spectra[name]
    others = [other for other in METHODS_ASKED if other != name]
    clear = _clear([own, *(spectra[other] for other in others)], rates)
    turning = np.exp(-2j * np.pi * np.cumsum(start) / rate_hz) * np.hanning(len(start) + 2)[1:-1]
    at_rate = {key: _slow(wave * turning, rate_hz) for key, wave in waves.items() if key in ("pos", "green")}
    light = _slow(rgb.mean(axis=0) * turning, rate_hz)
    rest = None if background is None else _slow(background.mean(axis=0) * turning, rate_hz)
    colour, green = at_rate["pos"], at_rate["green"]
    cross = float((colour * green.conj()).mean().real)
    levels = math.sqrt(float((np.abs(colour) ** 2).mean() * (np.abs(green) ** 2).mean()))
    green_patches = colour_patches = Coherence(0.0, 1.0)  # where there are too few to ask
    if patches is not None:
        sampling = patches[2]
        green_patches = coherence(patches[0], sampling, own, rates) or green_patches
        colour_patches = coherence(patches[1], sampling, own, rates) or colour_patches
    motion = 0.0
    if moved is not None:
        wave = _slow(waves[name] * turning, rate_hz)
        for axis in moved:
            shift = _slow(axis * turning, rate_hz)
            size = math.sqrt(float((np.abs(wave) ** 2).mean() * (np.abs(shift) ** 2).mean()))
            if size > 0:
                motion = max(motion, float(np.abs((wave * shift.conj()).mean())) / size)
    return {
        "snr_db": clear[0],
        "dominance_db": decibel(_dominance(own, rates)),
        "consistency": float((np.abs(peaks(own) - rates) <= AGREE_HZ).mean()),
        "others_db": float(np.mean(clear[1:])),
        "agreeing": len({other for other, path in paths if other != name and _along(path, rates)}) / len(others),
        "patches_green": green_patches.shared,
        "patches_colour": colour_patches.shared,
        "contrast_green_db": decibel(green_patches.contrast),
        "contrast_colour_db": decibel(colour_patches.contrast),
        "colour_db": decibel(float((np.abs(colour) ** 2).mean()) / max(float((np.abs(light) ** 2).mean()), 1e-30)),
        "colour_phase": cross / levels if levels > 0 else 0.0,
        "motion": motion,
        "log_motion": math.log10(max(float(np.std(moved, axis=1).max()), 0.01)) if moved is not None else -2.0,
        "half_db": decibel(_at(own, rates / 2) / max(_at(own, rates), 1e-30)),
        "double_db": decibel(_at(own, rates * 2) / max(_at(own, rates), 1e-30)),
        "light_db": _shared(light, rest),
    }


def _along(path: Floats, rates_hz: Floats) -> bool:
    return bool(np.median(np.abs(path - rates_hz)) <= AGREE_HZ)


def _loudest(found: Sequence[Spectra], rates_hz: Floats) -> float:
    """SNR at the rate of what is no skin, dB: a codec's keyframes, a lamp or a nod show there, blood does not."""
    if not found:
        return UNKNOWN_SNR_DB
    return max(_clear(found, rates_hz))


def _clear(found: Sequence[Spectra], rates_hz: Floats) -> list[float]:
    """SNR at the rate of each, dB: the median of the windows."""
    return [decibel(float(ratio)) for ratio in np.median([snr(one, rates_hz) for one in found], axis=1)]


def _shared(skin: NDArray[np.complex128], rest: NDArray[np.complex128] | None) -> float:
    """How much of the skin's change of brightness at the rate the rest of the picture shares, dB.

    20 log10 of |<B S*>| / <|S|^2>: about 0 where a lamp flickers or the camera's exposure hunts, far below for blood.
    """
    power = float((np.abs(skin) ** 2).mean())
    if rest is None or not power > 0:
        return UNKNOWN_LIGHT_DB
    shared = float(np.abs((rest * skin.conj()).mean()))
    return decibel((shared / power) ** 2)


def _slow(wave: NDArray[np.complex128], rate_hz: float) -> NDArray[np.complex128]:
    """A demodulated wave averaged over pieces of about 2.5 s."""
    pieces = max(round(len(wave) / rate_hz / 2.5), 1)
    edges = np.linspace(0, len(wave), pieces + 1).astype(np.int64)[:-1]
    return np.asarray(np.add.reduceat(wave, edges) / (len(wave) / pieces))


def _dominance(spectra: Spectra, rates_hz: Floats) -> float:
    """The peak along the track over the next that is neither it nor its double, both averaged over the windows."""
    frequency = spectra.frequency_hz
    reach = max(_LOBE / spectra.window_s, 0.15)
    shifted = power_at(spectra, frequency - frequency[0] + rates_hz[:, None] - 1.0)
    # every window's own rate is moved to the same place, so that a ramp stays one peak
    mean = shifted.mean(axis=0)
    place = frequency - frequency[0] - 1.0
    double = float(np.mean(rates_hz))
    rest = mean[(np.abs(place) > reach) & (np.abs(place - double) > reach)]
    top = mean[np.abs(place) <= 0.05]
    if not top.size or not rest.size or not rest.max() > 0:
        return 100.0
    return float(top.max() / rest.max())


def _at(spectra: Spectra, rates_hz: Floats) -> float:
    return float(power_at(spectra, rates_hz[:, None]).mean())


def _patch_waves(signals: Signals) -> tuple[Floats, Floats, float] | None:
    """GREEN and POS of each patch and their samples a second."""
    if not len(signals.patches) or len(signals.patch_time_s) < 2 or not signals.duration_s:
        return None
    rate = len(signals.patch_time_s) / signals.duration_s
    filled = fill_gaps(signals.patches)
    green = filled[:, 1]
    mean = np.maximum(green.mean(axis=-1, keepdims=True), 1.0)
    return 1 - green / mean, project(filled, rate), rate


def _moved(signals: Signals, rate_hz: float, samples: int, origin_s: float) -> Floats | None:
    if signals.displacement is None or np.isfinite(signals.displacement).mean() < 0.5:
        return None
    known = np.isfinite(signals.displacement).any(axis=1)
    if not known.all():
        return None
    return resample(fill_gaps(signals.displacement), signals.time_s, origin_s + np.arange(samples) / rate_hz)
