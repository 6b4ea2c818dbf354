"""The gate of the heart rate: how likely a candidate is right, and the cause and the fix where it is not likely enough.

The probability (`ppg.gate`) is a logistic regression on few signs of `ppg.candidates` and their products: a strong
GREEN means much where colours agree with blood and little where they are a lamp's. It is fitted to synthetic
recordings whose answer is known; `ppg.calibration` holds its constants and says how they were made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ppg.calibration import PICTURE, TRACE
from ppg.gate import Gate
from ppg.patches import FEWEST
from ppg.signals import Signals

Floats = NDArray[np.float64]

LEAST_SECONDS = 5.0
LEAST_FPS = 8.0
LEAST_SKIN_FRAMES = 0.8
HALF_RATE_DB = -2.5
RIVAL_HZ = 0.15  # candidates that differ by more are of another rate
FEW_BITS = 0.05  # coded bits per pixel and frame
_DARK = 40.0  # mean R, G, B, 0-255
_BRIGHT = 250.0
_CLIPPED = 0.05
_FLICKER_DB = -9.0  # chroma over brightness at the rate: blood has -7 and more
_ALIKE = 0.5
_PEAK_DB = 3.0  # SNR of something periodic
_SHARED_DB = -3.0  # of the skin's change, in the rest of the picture
_MOVED = 0.3  # log10 of pixels: 2 px
_SHORT_S = 20.0
# Skin that moves so far (log10 of pixels: 5 px) and so much in step with the rate may be all there is to it, as where a
# head is turned every second. Blood shows in the green of all patches, shading does not: where they share no more of it
# than this, half of the doubt is allowed.
_FAR_MOVED, _IN_STEP, _UNSHARED = 0.7, 0.4, 0.1


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
    gate : Gate
    others : sequence of mapping
        Signs of the other candidates: what they show may be the cause.
    against : float
        How likely the most likely candidate of another rate is right, taken alone.
    """

    seconds: float
    fps: float
    skin_frames: float
    rgb: Floats
    signs: Mapping[str, float] = field(default_factory=dict)
    bits_per_pixel: float | None = None
    clipped: float | None = None
    gate: Gate = PICTURE
    others: Sequence[Mapping[str, float]] = ()
    against: float = 0.0

    @property
    def probability(self) -> float:
        """That the best candidate is right; 0 where there is none."""
        return float(contested(probability(self.signs, self.gate), self.against)) if self.signs else 0.0

    @property
    def wanted(self) -> float:
        """The probability from which on an answer is given: the gate's, and more where it may be motion alone."""
        least, signs = self.gate.least_probability, self.signs
        moves = signs.get("log_motion", -2.0) > _FAR_MOVED and signs.get("motion", 0.0) > _IN_STEP
        # 0 of both: too few patches were seen throughout, and could not be asked
        unshared = signs.get("patches_colour", 0.0) > 0 and signs.get("patches_green", 1.0) < _UNSHARED
        return (1 + least) / 2 if moves and unshared else least


def gate_of(signals: Signals) -> Gate:
    """The gate for signals of a picture, or for bare traces: then whoever hands them in vouches that it is skin.

    Patches are a picture, however coarse: whether they share a pulse as skin does can be asked.
    """
    return PICTURE if signals.width is not None or len(signals.patches) >= FEWEST else TRACE


def probability(signs: Mapping[str, float], gate: Gate = PICTURE) -> float:
    """That a candidate is right to 3 bpm, 0-1, with what no logistic model may outvote.

    Parameters
    ----------
    signs : mapping of str to float
        `ppg.candidates.FEATURES`.
    gate : Gate, optional
    """
    return float(doubted(np.float64(gate.probability(signs)), signs.get("double_db", -20.0)))


def doubted(trust: Floats | np.float64, double_db: Floats | float) -> Floats:
    """A probability, at most 1/2 where the rate may be twice as high.

    A pulse whose second harmonic is as strong as itself is rare.
    """
    return np.where(np.asarray(double_db) > HALF_RATE_DB, np.minimum(trust, 0.5), trust)


def contested(trust: float, against: float) -> float:
    """A probability beside a rival's: that the one is right and the other wrong, given that not both are right.

    Parameters
    ----------
    trust, against : float
        That either is right, taken alone.
    """
    return trust * (1 - against) / max(1 - trust * against, 1e-9)


def rival(rate_hz: Floats, trust: Floats) -> float:
    """How likely the most likely candidate of another rate than the first is right; 0 where all agree.

    Parameters
    ----------
    rate_hz, trust : float64[k]
        Of each candidate, the most likely first.
    """
    return float(trust[np.abs(rate_hz - rate_hz[0]) > RIVAL_HZ].max(initial=0.0))


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
    trust, wanted = evidence.probability, evidence.wanted
    if trust >= wanted:
        return None
    return f"{_cause(evidence)} (no clear pulse: {100 * trust:.0f} % sure of {100 * wanted:.0f} %)"


def _cause(evidence: Evidence) -> str:
    """The likeliest cause; those that are certain from the picture alone go first."""
    signs = evidence.signs
    if evidence.rgb.mean() < _DARK:
        return f"too dark: brightness {evidence.rgb.mean():.0f} of 255; use more light"
    if evidence.rgb.max() > _BRIGHT or (evidence.clipped or 0.0) > _CLIPPED:
        return "overexposed: use less light, or a shorter exposure"
    if signs.get("log_motion", -2.0) > _MOVED:
        return f"the skin moved by {10 ** signs['log_motion']:.0f} pixels; hold still"
    if evidence.bits_per_pixel is not None and evidence.bits_per_pixel < FEW_BITS:
        return f"compressed too hard: {evidence.bits_per_pixel:.3f} bits a pixel; record at {FEW_BITS:g} or more"
    if flicker := next((words for one in (signs, *evidence.others) if (words := _flicker(one))), None):
        return f"the light flickers: {flicker}; use daylight or another lamp"
    if signs.get("double_db", -20.0) > HALF_RATE_DB:
        return "the rate may be this or twice as high; record longer, with less compression"
    if evidence.seconds < _SHORT_S:
        return f"the pulse is too weak for {evidence.seconds:.0f} s; record {_SHORT_S:g} s or more under even light"
    return "the pulse is too weak; show more skin under even light"


def _flicker(signs: Mapping[str, float]) -> str | None:
    """What shows that something periodic is the light, if anything does."""
    if signs.get("light_db", -20.0) > _SHARED_DB and signs.get("snr_db", -20.0) > _PEAK_DB:
        return "what is beside the skin changes alike"
    if signs.get("colour_db", 0.0) < _FLICKER_DB and signs.get("patches_green", 0.0) > _ALIKE:
        return "all colours change alike, which blood does not do"
    return None
