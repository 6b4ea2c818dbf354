"""Clusters of a clip's colours, and how likely each is skin by its colour alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from media.color import CHROMA_ZERO

MANUAL_SIMILARITY = 100.0  # squared distance from a key that the user gave: faceHR's `chroma_similarity`
LEAST_REACH, MOST_REACH = 4.0, 14.0  # distance from the key up to which skin may lie, OpenCV's levels
PRIOR_FLOOR = 0.02  # odd light gives skin any colour: such a cluster is asked for its pulse as well

# Direction of skin in U, V: the I axis of NTSC lies at 123 degrees, and skin of all tones near it, since its colour
# is that of blood and melanin under nearly white light.
_LINE = (math.cos(math.radians(123.0)), math.sin(math.radians(123.0)))
_LEAST_CHROMA, _MOST_CHROMA = 4.0, 85.0  # along that line, in OpenCV's units
_MOST_CLUSTERS = 6
_BIN = 2.0  # OpenCV's levels
_SMOOTH = 1.5  # bins
_PEAK = 1e-3  # of all that is seen: less is no cluster
# Another cluster, which the key must not reach more than half-way to: so much of all that is lit, and so many times
# as much as lies between
_OTHER, _VALLEY = 0.015, 1.2


@dataclass(frozen=True)
class Cluster:
    """Colours that lie together.

    Attributes
    ----------
    chroma : float64[2]
        Centre, U and V in OpenCV's units.
    similarity : float
        Squared distance from the centre that still belongs to it.
    """

    chroma: NDArray[np.float64]
    similarity: float

    def holds(self, chroma: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of the colours [..., 2] belong to it."""
        inside: NDArray[np.bool_] = ((chroma - self.chroma) ** 2).sum(axis=-1) < self.similarity
        return inside


def skin_prior(chroma: NDArray[np.float64]) -> NDArray[np.float64]:
    """How well a colour fits skin of any tone under nearly white light, 0-1.

    1 on the line of skin tones, falling with the angle to it; 0 for grey, for very strong colours and for all
    that is green or blue.

    Parameters
    ----------
    chroma : float64[..., 2]
        U, V in OpenCV's units.
    """
    u, v = chroma[..., 0] - CHROMA_ZERO, chroma[..., 1] - CHROMA_ZERO
    along = u * _LINE[0] + v * _LINE[1]
    across = u * _LINE[1] - v * _LINE[0]
    tolerance = 4.0 + along / 6.0
    inside = (along >= _LEAST_CHROMA) & (along <= _MOST_CHROMA)
    return np.where(inside, np.exp(-0.5 * (across / np.maximum(tolerance, 1.0)) ** 2), 0.0)


def clusters(colours: NDArray[np.float64]) -> list[Cluster]:
    """Peaks of the histogram of colours, weighted with the prior, most skin-like first; at most six.

    Each peak is moved to the mean of the colours around it, and given the reach that its spread and its neighbours
    allow.

    Parameters
    ----------
    colours : float64[n, 2]
        U, V in OpenCV's units.
    """
    edges = np.arange(40.0, 217.0, _BIN)
    centres = edges[:-1] + _BIN / 2
    counts, _, _ = np.histogram2d(colours[:, 0], colours[:, 1], bins=[edges, edges])
    grid = np.stack(np.meshgrid(centres, centres, indexing="ij"), axis=-1)
    density = ndimage.gaussian_filter(counts, _SMOOTH)
    peaks = np.argwhere((density == ndimage.maximum_filter(density, 5)) & (density > _PEAK * counts.sum()))
    likely = density * np.maximum(skin_prior(grid), PRIOR_FLOOR)
    order = sorted(peaks.tolist(), key=lambda p: (-likely[p[0], p[1]], p))[:_MOST_CLUSTERS]
    found = []
    for i, j in order:
        centre = grid[i, j]
        for _ in range(3):
            near = ((colours - centre) ** 2).sum(axis=-1) < MANUAL_SIMILARITY / 2
            if not near.any():
                break
            centre = colours[near].mean(axis=0)
        found.append(Cluster(centre, reach(colours, centre) ** 2))
    return found


def reach(colours: NDArray[np.float64], centre: NDArray[np.float64]) -> float:
    """How far from a cluster's centre its colours lie: half-way to the next cluster, but all of its own spread.

    Half-way is where a sample on the edge of the skin is half covered by it.

    Parameters
    ----------
    colours : float64[n, 2]
        U, V in OpenCV's units, of everything that is lit well.
    centre : float64[2]

    Returns
    -------
    float
        A distance, 4-14 of OpenCV's levels.
    """
    distance = np.sqrt(((colours - centre) ** 2).sum(axis=-1))
    near = distance[distance < math.sqrt(MANUAL_SIMILARITY)]
    if not near.size:
        return math.sqrt(MANUAL_SIMILARITY)
    # of a normal distribution in two dimensions half lies within 1.18 standard deviations, 99 % within 3.03
    spread = float(np.median(near)) / 1.1774
    own = 3.03 * spread
    rings = np.histogram(distance, bins=np.arange(0.0, 62.0))[0]
    mass = np.convolve(rings, np.ones(5), mode="same")
    first = math.ceil(own) + 2
    for k in range(first, len(mass) - 1):
        top = mass[k] >= mass[k - 1] and mass[k] > mass[k + 1]
        if top and mass[k] >= max(_OTHER * len(colours), _VALLEY * mass[first - 2 : k].min()):
            return float(np.clip(max((k + 0.5) / 2, own), LEAST_REACH, MOST_REACH))
    return MOST_REACH
