"""The gate of the heart rate: how likely a candidate is right, and the cause and the fix where it is not likely enough.

The probability is a logistic regression on few signs of `ppg.candidates` and their products (a strong GREEN means
much where colours agree with blood and little where they are a lamp's), fitted to synthetic recordings whose answer
is known; `ppg.calibration` holds its constants and says how they were made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ppg.calibration import CENTRE, INTERCEPT, INTERVAL, LEAST_PROBABILITY, LIMITS, SCALE, SIGNS, WEIGHTS

Floats = NDArray[np.float64]

LEAST_SECONDS = 5.0
LEAST_FPS = 8.0
LEAST_SKIN_FRAMES = 0.8
HALF_RATE_DB = -2.5
FEW_BITS = 0.05  # coded bits per pixel and frame
_DARK = 40.0  # mean R, G, B, 0-255
_BRIGHT = 250.0
_CLIPPED = 0.05
_FLICKER_DB = -9.0  # chroma over brightness at the rate: blood has -7 and more
_ALIKE = 0.5
_MOVED = 0.3  # log10 of pixels: 2 px
_SHORT_S = 20.0


@dataclass(frozen=True)
class Evidence:
    """What speaks for a pulse and what may spoil it.

    Attributes
    ----------
    seconds, fps : float
        Length of the signals and frames a second.
    skin_frames : float
        Part of the frames in which skin was seen.
    rgb : float64[3]
        Mean colour of the skin, 0-255.
    signs : mapping of str to float
        Of the best candidate (`ppg.candidates.FEATURES`); empty where there is none.
    bits_per_pixel, clipped : float or None
        As in `Signals`.
    """

    seconds: float
    fps: float
    skin_frames: float
    rgb: Floats
    signs: Mapping[str, float] = field(default_factory=dict)
    bits_per_pixel: float | None = None
    clipped: float | None = None

    @property
    def probability(self) -> float:
        """That the best candidate is right; 0 where there is none."""
        return probability(self.signs) if self.signs else 0.0


def terms(signs: Floats) -> Floats:
    """Standardised signs and all their products, squares among them.

    Parameters
    ----------
    signs : float64[..., k]
        Standardised.

    Returns
    -------
    float64[..., k + k (k + 1) / 2]
    """
    first, second = np.triu_indices(signs.shape[-1])
    return np.concatenate([signs, signs[..., first] * signs[..., second]], axis=-1)


def probability(signs: Mapping[str, float]) -> float:
    """That a candidate is right to 3 bpm, 0-1.

    Parameters
    ----------
    signs : mapping of str to float
        At least those in `ppg.calibration.SIGNS`. Each counts within the limits that were seen when the model was
        fitted: it is not extrapolated.

    Raises
    ------
    KeyError
        If one is missing.
    """
    values = np.array([signs[name] for name in SIGNS])
    if not np.isfinite(values).all():
        return 0.0
    limits = np.asarray(LIMITS)
    standard = (np.clip(values, limits[0], limits[1]) - np.asarray(CENTRE)) / np.asarray(SCALE)
    score = INTERCEPT + float((np.asarray(WEIGHTS) * terms(standard)).sum())
    found = 1 / (1 + math.exp(-min(max(score, -50.0), 50.0)))
    # a pulse whose second harmonic is as strong as itself is rare: more likely the rate is twice as high
    return min(found, 0.5) if signs.get("double_db", -20.0) > HALF_RATE_DB else found


def half_width(deviation_hz: float, trust: float, rate_hz: float) -> float:
    """Half of the 90 % interval, Hz.

    A line in what the fit of the phase says of itself, and in the doubt that is left in the candidate; a quantile
    regression on synthetic recordings (Koenker and Bassett 1978).

    Parameters
    ----------
    deviation_hz : float
        `ppg.interval.MeanRate.deviation_hz`.
    trust : float
        `probability`.
    rate_hz : float
        The rate itself.
    """
    constant, own, doubt, relative = INTERVAL
    deviation = min(deviation_hz, 0.5 * rate_hz)
    return max(constant + own * deviation + doubt * (1 - trust) + relative * rate_hz, 0.002)


def recording_at_fault(seconds: float, fps: float, skin_frames: float) -> str | None:
    """Why no heart rate can be measured in such a clip, whatever it shows; None if it can."""
    if seconds < LEAST_SECONDS:
        return f"clip too short: {seconds:.1f} s of {LEAST_SECONDS:g} s; record longer"
    if fps < LEAST_FPS:
        return f"too few frames per second: {fps:.1f} of {LEAST_FPS:g}; record at 24 or more"
    if skin_frames < LEAST_SKIN_FRAMES:
        return f"skin was seen in {100 * skin_frames:.0f} % of the frames only; keep it in the picture throughout"
    return None


def refusal(evidence: Evidence) -> str | None:
    """Why the heart rate is refused: one cause, and what would mend it; None if it is given."""
    fault = recording_at_fault(evidence.seconds, evidence.fps, evidence.skin_frames)
    if fault is not None:
        return fault
    trust = evidence.probability
    if trust >= LEAST_PROBABILITY:
        return None
    return f"{_cause(evidence)} (no clear pulse: {100 * trust:.0f} % sure of {100 * LEAST_PROBABILITY:.0f} %)"


def _cause(evidence: Evidence) -> str:
    """The likeliest cause; those that are certain from the picture alone go first."""
    signs = evidence.signs
    if evidence.rgb.mean() < _DARK:
        return f"too dark: brightness {evidence.rgb.mean():.0f} of 255; use more light"
    if evidence.rgb.max() > _BRIGHT or (evidence.clipped or 0.0) > _CLIPPED:
        return "overexposed: use less light, or a shorter exposure"
    if evidence.bits_per_pixel is not None and evidence.bits_per_pixel < FEW_BITS:
        return f"compressed too hard: {evidence.bits_per_pixel:.3f} bits a pixel; record at {FEW_BITS:g} or more"
    if signs.get("log_motion", -2.0) > _MOVED:
        return f"the skin moved by {10 ** signs['log_motion']:.0f} pixels; hold still"
    if signs.get("colour_db", 0.0) < _FLICKER_DB and signs.get("patches_green", 0.0) > _ALIKE:
        return "the light flickers: all colours change alike, which blood does not do; use daylight or another lamp"
    if signs.get("double_db", -20.0) > HALF_RATE_DB:
        return "the rate may be this or twice as high; record longer, with less compression"
    if evidence.seconds < _SHORT_S:
        return f"the pulse is too weak for {evidence.seconds:.0f} s; record {_SHORT_S:g} s or more under even light"
    return "the pulse is too weak; show more skin under even light"
