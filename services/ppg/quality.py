"""The gate of the heart rate: a number is given only when several independent signs agree that there is a pulse.

Each sign alone is fooled by something: spectral SNR by slow drifts in a short clip, agreement of patches by a lamp
or a camera that changes its colour balance, agreement of methods by a strong brightness change. Limits were chosen
on simulated traces without a pulse (white, common, pink and patch-wise pink noise, a flickering lamp), not on clips.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ppg.rate import Spectra, peaks

LEAST_SECONDS = 5.0
LEAST_FPS = 8.0
LEAST_SKIN_FRAMES = 0.8
LEAST_CONSISTENCY = 0.6
LEAST_COHERENCE = 0.15
STRICT_BELOW_S = 12.0  # in a shorter clip every method must agree, in a longer one half of them
AGREE_HZ = 0.1
_SLOW_HZ = 1.1
_DARK = 40.0  # mean R, G, B, 0-255
_BRIGHT = 250.0
_FEW_BITS = 0.02  # coded bits per pixel and frame


@dataclass(frozen=True)
class Evidence:
    """What speaks for a pulse.

    Attributes
    ----------
    seconds, fps : float
        Length of the clip and samples a second.
    skin_frames : float
        Part of the frames in which skin was seen.
    snr : float
        Mean over windows of the power at the rate and its harmonic over the rest; a ratio.
    consistency : float
        Part of the windows whose strongest frequency alone lies on the track.
    coherence : float or None
        Of the patches (`ppg.patches.coherence`).
    agreement : float
        Part of the other methods whose rate is the same.
    rgb : float64[3]
        Mean colour of the skin, 0-255.
    rate_hz : float
        What would be given.
    bits_per_pixel : float or None
    """

    seconds: float
    fps: float
    skin_frames: float
    snr: float
    consistency: float
    coherence: float | None
    agreement: float
    rgb: NDArray[np.float64]
    rate_hz: float = math.inf
    bits_per_pixel: float | None = None

    @property
    def snr_db(self) -> float:
        """SNR in dB."""
        return 10 * math.log10(max(self.snr, 1e-6))


def least_snr_db(seconds: float, rate_hz: float = math.inf) -> float:
    """SNR that a clip of this length needs: the shorter, the more often noise has a high peak.

    5 s need 6.8 dB, 10 s 4.4 dB, 30 s 2.8 dB, long ones 2 dB. A slow rate in a short clip needs 3 dB more: there a
    drift of the light or of the camera's colours looks like a pulse.
    """
    slow = seconds < STRICT_BELOW_S and rate_hz < _SLOW_HZ
    return 2.0 + 24.0 / max(seconds, 1.0) + (3.0 if slow else 0.0)


def consistency(spectra: Spectra, rates_hz: NDArray[np.float64]) -> float:
    """Part of the windows whose strongest frequency lies within 0.1 Hz of the track."""
    return float((np.abs(peaks(spectra) - rates_hz) <= AGREE_HZ).mean())


def agrees(rates_hz: NDArray[np.float64], others_hz: NDArray[np.float64]) -> bool:
    """Whether two tracks are the same: their median distance is at most 0.1 Hz."""
    return bool(np.median(np.abs(rates_hz - others_hz)) <= AGREE_HZ)


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
    """Why the heart rate is refused, with what would mend it; None if it is given."""
    fault = recording_at_fault(evidence.seconds, evidence.fps, evidence.skin_frames)
    if fault is not None:
        return fault
    wanted = least_snr_db(evidence.seconds, evidence.rate_hz)
    if not evidence.snr_db >= wanted:  # also where it is not a number
        return f"no clear pulse: signal to noise {evidence.snr_db:.1f} dB of {wanted:.1f} dB; {_advice(evidence)}"
    if evidence.coherence is None:
        # too few patches to ask: then the spectrum must speak all the clearer
        if evidence.snr_db < wanted + 3:
            return (
                f"too little skin to be sure: signal to noise {evidence.snr_db:.1f} dB of {wanted + 3:.1f} dB; "
                "show more skin, or set chroma_similarity higher"
            )
    elif evidence.coherence < LEAST_COHERENCE:
        return (
            f"parts of the skin do not share one pulse: coherence {evidence.coherence:.2f} of {LEAST_COHERENCE:g}; "
            f"{_advice(evidence)}"
        )
    if evidence.consistency < LEAST_CONSISTENCY:
        return (
            f"the rate jumps: {100 * evidence.consistency:.0f} % of the windows agree, "
            f"{100 * LEAST_CONSISTENCY:.0f} % are needed; {_advice(evidence)}"
        )
    if evidence.agreement < (1.0 if evidence.seconds < STRICT_BELOW_S else 0.5):
        return f"methods disagree about the rate; {_advice(evidence)}"
    return None


def _advice(evidence: Evidence) -> str:
    if evidence.rgb.mean() < _DARK:
        return "too dark: use more light"
    if evidence.rgb.max() > _BRIGHT:
        return "overexposed: use less light, or a shorter exposure"
    if evidence.bits_per_pixel is not None and evidence.bits_per_pixel < _FEW_BITS:
        return "compressed too hard: record at a higher bit rate"
    if evidence.seconds < 20:
        return "hold still under steady light, and record 20 s or more"
    return "hold still under steady light"


def confidence(evidence: Evidence) -> float:
    """0-1: the geometric mean of the signal's share of the power, of the consistency and of the coherence.

    Where patches could not be asked, the square of the signal's share stands for their coherence.
    """
    share = evidence.snr / (1 + evidence.snr)
    coherence = share**2 if evidence.coherence is None else evidence.coherence
    return float(min(max(share * evidence.consistency * coherence, 0.0), 1.0) ** (1 / 3))
