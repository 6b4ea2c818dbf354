"""Colour of stored planes: the affine maps between stored Y, U, V, the R, G, B of the picture, and OpenCV's U, V.

Everything is affine, so a mean of stored samples maps to the mean of the colours: no pixel is ever converted.
Stored samples are 8 bits (the decoder converts deeper ones once).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mesh.contracts import Recording

# Luma coefficients K_R, K_B by matrix_coefficients of ITU-T H.273 (ISO/IEC 23091-2), table 4.
_LUMA: dict[int, tuple[float, float]] = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC Title 47
    5: (0.299, 0.114),  # BT.470 B, G: the numbers of BT.601
    6: (0.299, 0.114),  # SMPTE 170M: BT.601
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020, non-constant luminance
    10: (0.2627, 0.0593),  # BT.2020, constant luminance: near enough for a mean
}
HD_LINES = 720  # an unspecified matrix means BT.709 from here on

# OpenCV's BGR2YUV: U = 0.492 (B - Y) + 128, V = 0.877 (R - Y) + 128 with the luma of BT.601, where
# B - Y = 1.772 Cb and R - Y = 1.402 Cr. Its video reader converts with the coefficients of BT.601 whatever the
# matrix of the clip, so these two factors hold for all clips that are seen through OpenCV.
_OPENCV_U = 0.492 * 1.772
_OPENCV_V = 0.877 * 1.402

CHROMA_ZERO = 128.0


def luma_coefficients(recording: Recording) -> tuple[float, float]:
    """K_R and K_B of the clip's matrix (ITU-T H.273, table 4).

    A matrix that is unspecified, or that is none of luma and colour differences, means BT.601 below 720 lines
    and BT.709 from there on.
    """
    found = _LUMA.get(recording.matrix)
    if found is not None:
        return found
    return _LUMA[1] if recording.height >= HD_LINES else _LUMA[6]


def rgb_from_yuv(recording: Recording) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The affine map from stored Y, U, V to R, G, B.

    Range and matrix of the clip are honoured: limited range stores black at 16, white at 235 and chroma on
    16-240 (ITU-R BT.601, BT.709, BT.2020).

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    matrix : float64[3, 3]
        R, G, B from Y, U, V: `rgb = matrix @ yuv + offset`, or `yuv @ matrix.T + offset` for rows of colours.
    offset : float64[3]
        R, G, B lie in 0-255 (beyond it where the stored colour has no counterpart).
    """
    kr, kb = luma_coefficients(recording)
    kg = 1.0 - kr - kb
    matrix = np.array(
        [
            [1.0, 0.0, 2 * (1 - kr)],
            [1.0, -2 * kb * (1 - kb) / kg, -2 * kr * (1 - kr) / kg],
            [1.0, 2 * (1 - kb), 0.0],
        ]
    )
    if recording.full_range:
        black, scale = 0.0, np.ones(3)
    else:
        black, scale = 16.0, np.array([255 / 219, 255 / 224, 255 / 224])
    matrix = matrix * scale
    return matrix, -matrix @ np.array([black, CHROMA_ZERO, CHROMA_ZERO])


def opencv_chroma_scale(recording: Recording) -> tuple[float, float]:
    """Levels of OpenCV's U and V per stored level of U and V.

    With it, `((u - u0) * scale_u)**2 + ((v - v0) * scale_v)**2` is the squared distance of two stored colours in
    OpenCV's units, the one that faceHR's `chroma_similarity` (ajsteele, 2022) is compared with.
    """
    stretch = 1.0 if recording.full_range else 255 / 224
    return _OPENCV_U * stretch, _OPENCV_V * stretch


def opencv_from_stored(recording: Recording, chroma: ArrayLike) -> NDArray[np.float64]:
    """OpenCV's U, V of stored u, v.

    Parameters
    ----------
    recording : Recording
    chroma : array_like[..., 2]
        Stored u, v in levels.

    Returns
    -------
    float64[..., 2]
        U, V as `cv2.COLOR_BGR2YUV` has them: 128 is neutral, not clipped to 0-255.
    """
    scale = np.array(opencv_chroma_scale(recording))
    converted: NDArray[np.float64] = (np.asarray(chroma, np.float64) - CHROMA_ZERO) * scale + CHROMA_ZERO
    return converted


def stored_from_opencv(recording: Recording, chroma: ArrayLike) -> NDArray[np.float64]:
    """Stored u, v of OpenCV's U, V; the inverse of `opencv_from_stored`.

    Parameters
    ----------
    recording : Recording
    chroma : array_like[..., 2]
        U, V as OpenCV has them, 0-255.

    Returns
    -------
    float64[..., 2]
        In stored levels, not rounded.
    """
    scale = np.array(opencv_chroma_scale(recording))
    converted: NDArray[np.float64] = (np.asarray(chroma, np.float64) - CHROMA_ZERO) / scale + CHROMA_ZERO
    return converted


def chroma_shape(recording: Recording) -> tuple[int, int]:
    """Height and width of the chroma planes of yuv420p: half the luma's, rounded up."""
    return (recording.height + 1) // 2, (recording.width + 1) // 2
