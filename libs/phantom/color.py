"""R, G, B as a camera stores them: Y, U, V."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phantom.settings import PhantomSettings
from phantom.texture import Plane, halved

_LUMA = {"bt601": (0.299, 0.587, 0.114), "bt709": (0.2126, 0.7152, 0.0722)}  # ITU-R BT.601, BT.709


def stored_color(settings: PhantomSettings, rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Y above black and U, V about neutral, in 8-bit stored levels, of R, G, B in 0-255; linear.

    Parameters
    ----------
    settings : PhantomSettings
        Matrix and range.
    rgb : float64[3, ...]

    Returns
    -------
    float64[3, ...]
    """
    red, green, blue = _LUMA[settings.matrix]
    y = red * rgb[0] + green * rgb[1] + blue * rgb[2]
    u, v = (rgb[2] - y) / (2 * (1 - blue)), (rgb[0] - y) / (2 * (1 - red))
    if settings.full_range:
        return np.stack([y, u, v])
    return np.stack([y * (219 / 255), u * (224 / 255), v * (224 / 255)])


def clipped(settings: PhantomSettings, y: Plane, u: Plane, v: Plane) -> None:
    """Y, U, V (above black, about neutral) as if R, G, B had been clipped at 255 before; in place.

    Parameters
    ----------
    settings : PhantomSettings
    y : float32[h, w]
    u, v : float32[h / 2, w / 2]
    """
    inverse = np.linalg.inv(stored_color(settings, np.eye(3)))
    wide = (np.repeat(np.repeat(plane, 2, axis=0), 2, axis=1) for plane in (u, v))
    over = np.maximum(np.tensordot(inverse, np.stack([y, *wide]), axes=1) - 255, 0)
    if over.any():
        lost = stored_color(settings, over).astype(np.float32)
        y -= lost[0]
        u -= halved(lost[1])
        v -= halved(lost[2])


def offsets(settings: PhantomSettings) -> tuple[float, float, float]:
    """Stored Y, U, V of black, 8-bit levels."""
    return 0.0 if settings.full_range else 16.0, 128.0, 128.0
