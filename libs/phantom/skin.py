"""Colour of skin and strength of its pulse, per channel, as melanin makes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phantom.settings import PhantomSettings

# Relative pulse of R, G, B: the blood volume pulse signature of de Haan and van Leest 2014 (Physiological
# Measurement 35:1913), a white-lit RGB camera.
SIGNATURE = (0.33, 0.77, 0.53)

# Part of the epidermis that melanosomes fill, one a Fitzpatrick type: Jacques 1998 ("Skin optics", Oregon Medical
# Laser Center) gives 1.3-6.3 % for light, 11-16 % for moderately and 18-43 % for darkly pigmented adults.
_MELANOSOMES = (0.02, 0.04, 0.07, 0.13, 0.22, 0.38)
_BANDS_NM = np.array([600.0, 540.0, 460.0])  # centres of a camera's R, G, B
_PATH_CM = 0.010  # twice through an epidermis of 50 um
# What light skin shows under white light; the part that the surface reflects (Fresnel, n = 1.4; McDuff's and other
# dichromatic models of skin call it specular) never meets blood
_DERMIS = np.array([0.62, 0.40, 0.31])
_SURFACE = 0.028
_GAMMA = 2.2
_EXPOSURE = 1.0
_SIGNATURE_TONE = 2  # the signature was measured on light skin


def tone_transmission(tone: int) -> NDArray[np.float64]:
    """Light of R, G, B that passes the epidermis twice.

    Absorption of a melanosome: 1.70e12 nm^-3.48 /cm (Jacques 1998).

    Parameters
    ----------
    tone : int
        Fitzpatrick type, 1-6.

    Returns
    -------
    float64[3]
        0-1.
    """
    absorption = 1.70e12 * _BANDS_NM**-3.48
    passed: NDArray[np.float64] = np.exp(-_MELANOSOMES[tone - 1] * absorption * _PATH_CM)
    return passed


def tone_rgb(tone: int) -> NDArray[np.float64]:
    """R, G, B of the skin, 0-255, through a gamma of 2.2."""
    reflected = _SURFACE + _DERMIS * tone_transmission(tone)
    levels: NDArray[np.float64] = 255 * np.minimum(_EXPOSURE * reflected, 1) ** (1 / _GAMMA)
    return levels


def tone_strength(tone: int) -> NDArray[np.float64]:
    """Relative strength of the pulse in R, G, B against light skin: the part of the light that has met blood."""

    def met(one: int) -> NDArray[np.float64]:
        below = _DERMIS * tone_transmission(one)
        part: NDArray[np.float64] = below / (_SURFACE + below)
        return part

    ratio: NDArray[np.float64] = met(tone) / met(_SIGNATURE_TONE)
    return ratio


def skin_rgb(settings: PhantomSettings) -> NDArray[np.float64]:
    """Mean R, G, B of the person's skin at light 1, 0-255."""
    return np.array(settings.skin_rgb) if settings.skin_tone is None else tone_rgb(settings.skin_tone)


def amplitude_rgb(settings: PhantomSettings) -> NDArray[np.float64]:
    """Amplitude of the pulse's fundamental in R, G, B, in parts of the skin's mean; 0 where there is no pulse."""
    if not settings.pulsing:
        return np.zeros(3)
    relative: NDArray[np.float64] = settings.amplitude * np.array(SIGNATURE) / SIGNATURE[1]
    return relative if settings.skin_tone is None else relative * tone_strength(settings.skin_tone)
