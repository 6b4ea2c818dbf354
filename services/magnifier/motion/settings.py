"""What can be set of each method of motion magnification, with what each number means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class EulerianMotionSettings:
    """Wu et al. 2012, Eulerian Video Magnification, ACM TOG 31(4):65.

    Attributes
    ----------
    alpha : float
        A movement of d px becomes (1 + alpha) d where the spatial wavelength is lambda_c or longer; -1 to 1000.
    band_hz : (float, float)
        Edges of the band in Hz. Not used by `filter="iir"`.
    lambda_c : float
        Spatial wavelength in px below which alpha is lessened, by (1 + alpha_l) d < lambda_l / 8 (equation 14).
    filter : str
        `fir`: zero phase, +-2.5 s. `butterworth`: the difference of two causal low-passes of first order, as released.
        `iir`: the difference of two exponential averages with r1 > r2, as released.
    r1, r2 : float
        Weight of a new frame in the faster and the slower average (`iir`), 0-1.
    chrom_attenuation : float
        Part of alpha for the chroma planes, 0-1.
    compat : bool
        As the code of 2012 was released: the cut-offs of `butterworth` are half of what is asked for, alpha of a level
        may turn negative and is doubled by an 'exaggeration' of 2, wavelengths come from the size of the picture, and
        the finest level is never amplified. `fir` does not exist there.
    """

    alpha: float = 10.0
    band_hz: tuple[float, float] = (0.4, 3.0)
    lambda_c: float = 16.0
    filter: Literal["fir", "butterworth", "iir"] = "fir"
    r1: float = 0.4
    r2: float = 0.05
    chrom_attenuation: float = 0.1
    compat: bool = False


@dataclass(frozen=True)
class PyramidSettings:
    """The complex steerable pyramid, which phase and acceleration share.

    Attributes
    ----------
    orientations : int
        Directions of each scale, 2-16.
    bands_per_octave : int
        1 (octave bandwidth: a movement may be magnified to a quarter of a band's wavelength) or 2 (half an octave: to
        half of it, at about twice the work).
    levels : int, optional
        Octaves; as many as the picture holds if not given.
    smoothing : float
        Standard deviation, in samples of a band, of the amplitude-weighted smoothing of phase; 0 is none.
    chroma : bool
        Move colour with the brightness it belongs to; luma alone if not.
    """

    orientations: int = 6
    bands_per_octave: int = 1
    levels: int | None = None
    smoothing: float = 2.0
    chroma: bool = True


@dataclass(frozen=True)
class PhaseSettings(PyramidSettings):
    """Wadhwa et al. 2013, Phase-Based Video Motion Processing, ACM TOG 32(4):80.

    Attributes
    ----------
    alpha : float
        A movement of d px within the band becomes (1 + alpha) d; -1 takes it away.
    band_hz : (float, float)
        Edges of the band in Hz.
    attenuate_others : bool
        Hold still what moves outside the band, within the filter's +-2.5 s.
    """

    alpha: float = 10.0
    band_hz: tuple[float, float] = (0.4, 3.0)
    attenuate_others: bool = False


@dataclass(frozen=True)
class AccelerationSettings(PyramidSettings):
    """Zhang et al. 2017, Video Acceleration Magnification, CVPR.

    Attributes
    ----------
    alpha : float
        A movement of d px at `frequency_hz` becomes (1 + alpha) d; steady movement stays as it is.
    frequency_hz : float
        Where the filter's response is largest, and 1.
    """

    alpha: float = 8.0
    frequency_hz: float = 1.0


Settings = EulerianMotionSettings | PhaseSettings | AccelerationSettings
