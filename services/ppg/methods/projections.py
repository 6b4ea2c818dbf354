"""LGI and OMIT: what is left of the colour when the skin's own direction is projected away."""

from __future__ import annotations

from typing import Any

from media.arrays import array_module
from ppg.methods.windows import BandPass


def _green_without(rgb: Any, direction: Any, band_pass: BandPass) -> Any:
    """Green of (I - s s^T) C over green's mean, band-passed, blood up; sums in a fixed order, not by BLAS."""
    xp = array_module(rgb)
    mean = float(rgb[1].mean())
    along = direction[0] * rgb[0] + direction[1] * rgb[1] + direction[2] * rgb[2]
    wave = -band_pass(rgb[1] - direction[1] * along)
    return wave / mean if mean > 0 else xp.zeros_like(wave)


def lgi(rgb: Any, rate_hz: float, band_pass: BandPass) -> Any:
    """Local group invariance (Pilz, Zaunseder, Krajewski and Blazek 2018, section 3).

    C = U S V^T of the colours as they are (not centred); s = U[:, 0] is the direction in which brightness changes,
    by motion or light; the pulse is the green channel of (I - s s^T) C. Here band-passed and divided by green's
    mean. Of a pulse along the signature p, green keeps p_g - sum(s^2 p), about a third of it.

    Parameters
    ----------
    rgb : float64[3, n]
    rate_hz : float
    band_pass : callable
        Filters along the last axis.

    Returns
    -------
    float64[n]
    """
    xp = array_module(rgb)
    scatter = xp.stack([xp.stack([(first * second).sum() for second in rgb]) for first in rgb])
    # U of C is the matrix of eigenvectors of C C^T; eigh sorts upwards
    return _green_without(rgb, xp.linalg.eigh(scatter)[1][:, -1], band_pass)


def omit(rgb: Any, rate_hz: float, band_pass: BandPass) -> Any:
    """Orthogonal matrix image transformation (Alvarez Casado and Bordallo Lopez 2023, Face2PPG, section on OMIT).

    C = Q R; s = Q[:, 0]; the pulse is the green channel of (I - s s^T) C. By Gram-Schmidt the first column of Q is
    the first column of C at unit length, the colour of the first frame (here: the first that is not black), so that
    no factorisation is needed. Band-passed and divided by green's mean as `lgi`.

    Parameters
    ----------
    rgb : float64[3, n]
    rate_hz : float
    band_pass : callable
        Filters along the last axis.

    Returns
    -------
    float64[n]
    """
    xp = array_module(rgb)
    lengths = xp.sqrt((rgb**2).sum(axis=0))
    first = int((lengths > 0).argmax())
    length = float(lengths[first])
    direction = rgb[:, first] / length if length > 0 else xp.zeros(3)
    return _green_without(rgb, direction, band_pass)
