"""The form of faceHR (ajsteele 2022, `stattohr.py`), kept for comparison.

There every frame becomes `frame_yuv + skin_key * w * multiplier`, on U and V alike, in OpenCV's units, with w the
mean of the three normalised traces. w is normalised by its largest value, which with zero-padded moving averages is
the transient at the ends of the clip: the gain does not depend on the pulse but on the brightness of the skin.
More blood darkens skin, so w falls, while the real U and V of skin rise (green falls most): the colour that is added
is in antiphase to the pulse. Here the sum saturates; there it wraps.
"""

from __future__ import annotations

WARNING = (
    "facehr magnifies in the form of its model: its gain follows from the transient at the ends of the clip, not from "
    "the pulse, the first and last seconds saturate, and U and V move in antiphase to the real pulse. "
    "Use magnify=uniform for a calibrated gain."
)


def facehr_wave(
    white_normalised: float, delta: float, multiplier: float, scale: tuple[float, float]
) -> tuple[float, float]:
    """Stored levels that are added to U and V of every skin sample of a frame.

    Parameters
    ----------
    white_normalised : float
        Mean of the normalised traces at this frame, at most 1.
    delta : float
        Largest value of the normalised signal.
    multiplier : float
        OpenCV's levels per unit of the signal.
    scale : tuple of float
        OpenCV's levels per stored level of U and of V.

    Returns
    -------
    tuple of float
        For U and V.
    """
    levels = white_normalised * delta * multiplier
    return levels / scale[0], levels / scale[1]
