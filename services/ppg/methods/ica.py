"""ICA: the three colours as a mixture of independent sources, one of them the pulse."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.arrays import array_module, to_host
from ppg.methods.windows import BandPass, overlap_add, relative

WINDOW_S = 30.0
_BAND_HZ = (0.7, 4.0)  # in which the component's peak is looked for
_RANK = 1e-10  # of the largest eigenvalue: below it a direction of colour holds nothing
_PADDING = 4


def ica(rgb: Any, rate_hz: float, band_pass: BandPass) -> Any:
    """Independent components (Poh, McDuff and Picard 2010 and 2011), by scikit-learn's FastICA.

    In windows of 30 s: the channels are detrended, centred and whitened; the component whose normalised power
    spectrum has the highest peak in 0.7-4 Hz is the pulse (Poh 2011). The papers use JADE; FastICA (Hyvarinen 1999,
    log cosh, one component after the other, which converges where all at once may circle) starts from the principal
    axes here, so that nothing is drawn at random. The band-pass takes the place of the detrending: being linear it
    leaves the mixture what it is. Sign and scale, which ICA leaves open, are those of the component's share of the
    green channel. Windows overlap by half and are added with a Hann taper. A nuisance more periodic than the pulse
    is taken for it. It runs on the CPU; scikit-learn is imported at the first call.

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
    normal = np.asarray(to_host(band_pass(relative(rgb))), np.float64)
    samples = normal.shape[-1]
    length = min(max(round(WINDOW_S * rate_hz), 1), samples)
    return xp.asarray(overlap_add(np, samples, length, lambda part: _green_share(normal[:, part], rate_hz)))


def _green_share(colour: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """What the most periodic component adds to green, turned round; zeros where there is no signal."""
    centred = colour - colour.mean(axis=1, keepdims=True)
    samples = centred.shape[1]
    levels = centred.std(axis=1, keepdims=True)
    if samples < 8 or levels.max() <= 1e-12:
        return np.zeros(samples)
    scaled = np.divide(centred, levels, out=np.zeros_like(centred), where=levels > 1e-12)
    power, axes = np.linalg.eigh(scaled @ scaled.T / samples)
    axes = axes * np.where(axes.sum(axis=0) < 0, -1.0, 1.0)  # the sign is LAPACK's whim; the start must not hang on it
    kept = power > _RANK * power[-1]
    white = (axes[:, kept] / np.sqrt(power[kept])).T @ scaled
    sources = _rotated(white)
    frequency = np.fft.rfftfreq(_PADDING * samples, 1 / rate_hz)
    inside = (frequency >= _BAND_HZ[0]) & (frequency <= _BAND_HZ[1])
    spectra = np.abs(np.fft.rfft(sources * np.hanning(samples + 2)[1:-1], _PADDING * samples)) ** 2
    if not inside.any():
        inside[:] = True
    peaks = spectra[:, inside].max(axis=1) / np.maximum(spectra.sum(axis=1), np.finfo(float).tiny)
    pulse = sources[int(peaks.argmax())]
    return np.asarray(-pulse * float((pulse * centred[1]).mean() / (pulse**2).mean()))


def _rotated(white: NDArray[np.float64]) -> NDArray[np.float64]:
    """Independent components of whitened rows, at unit variance."""
    if len(white) == 1:
        return white
    from sklearn.decomposition import fastica
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # Gaussian noise has no independent components
        _, _, sources = fastica(
            white.T,
            algorithm="deflation",
            whiten=False,
            fun="logcosh",
            w_init=np.eye(len(white)),
            max_iter=1000,
            tol=1e-10,
        )
    return np.asarray(sources.T, np.float64)
