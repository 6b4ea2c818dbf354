"""An indication of stress from the heart's variability: low SDNN or high LF/HF. It is no diagnosis."""

from __future__ import annotations

import math

from ppg.variability import Estimate

# The defaults of the thresholds, 34 ms and 5.4, lie one standard deviation from the mean of healthy adults at rest,
# SDNN 50 (16) ms and LF/HF 2.8 (2.6): Nunan, Sandercock and Brodie 2010 (PACE 33:1407).


def stress_index(sdnn: Estimate, lf_hf: Estimate, sdnn_ms: float, ratio: float) -> Estimate:
    """How far SDNN lies below, or LF/HF above, its threshold.

    Each gives 0.5 at its threshold, 1 at half of it (SDNN) or twice it (LF/HF), 0 at the reverse, on a logarithmic
    scale; the larger of the two is the index. 0.5 and more is an indication of stress.

    Parameters
    ----------
    sdnn : Estimate
        ms.
    lf_hf : Estimate
    sdnn_ms, ratio : float
        Thresholds, above 0.

    Returns
    -------
    Estimate
        0-1; refused with the cause of the input that is.

    Raises
    ------
    ValueError
        If a threshold is not above 0.
    """
    if not (sdnn_ms > 0 and ratio > 0):
        raise ValueError("the thresholds of stress must be above 0")
    for name, one in (("SDNN", sdnn), ("LF/HF", lf_hf)):
        if one.refused is not None:
            return Estimate(refused=f"{name} is refused: {one.refused}")
    low = max(_level(sdnn_ms, sdnn.high), _level(lf_hf.low, ratio))
    value = max(_level(sdnn_ms, sdnn.value), _level(lf_hf.value, ratio))
    high = max(_level(sdnn_ms, sdnn.low), _level(lf_hf.high, ratio))
    return Estimate(value, low, high, min(sdnn.confidence, lf_hf.confidence))


def _level(large: float, small: float) -> float:
    if small <= 0:
        return 1.0
    if large <= 0:
        return 0.0
    return min(max(0.5 + 0.5 * math.log2(large / small), 0.0), 1.0)
