"""The canonical face: the same piece of skin always lies at the same place of it, however the head is held.

Where the points lie is the mesh of the phantom's head seen from the front (mean over its six skin tones, made
symmetric); any face of usual proportions would do, for it only gives places a name. Its width from ear to ear is 168
of 256, so that there is room for what lies around it when it turns; y grows downwards.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SIZE = (256, 256)  # width and height
_MIDDLE = 128.0

# Points that neither the jaw nor lids and brows move, none near the limb, which a plane cannot follow when the head
# turns. Of pairs, right and left of the person: half their distance.
_PAIRS = {
    (33, 263): (54.0, 99.0),  # outer corners of the eyes
    (133, 362): (20.9, 100.9),  # inner corners
    (50, 280): (57.6, 136.6),
    (205, 425): (47.2, 145.9),
    (98, 327): (18.7, 149.6),  # wings of the nose
    (103, 332): (59.9, 50.7),
    (67, 297): (42.0, 44.1),
    (117, 346): (62.6, 118.8),
}
_MIDLINE = {10: 40.4, 151: 58.5, 9: 78.0, 8: 87.5, 168: 95.2, 6: 103.5, 197: 111.7, 195: 119.5, 2: 152.5}


def _table() -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    places = {point: (_MIDDLE, y) for point, y in _MIDLINE.items()}
    for (right, left), (half, y) in _PAIRS.items():
        places[right], places[left] = (_MIDDLE - half, y), (_MIDDLE + half, y)
    return np.array(list(places)), np.array(list(places.values()))


POINTS, PLACES = _table()
_HALF_WIDTH = 87.0  # of the head as a cylinder around its height, canonical px
_LONGITUDES = np.arcsin(np.clip((PLACES[:, 0] - _MIDDLE) / _HALF_WIDTH, -1, 1))
_LEAST = 0.05  # weight of a point that is turned away


def fit(points: NDArray[np.float64], yaw: float = 0.0) -> NDArray[np.float64]:
    """The affine map from the picture to the canonical face, by least squares.

    Points that the head's turn hides count little: each has the cosine of the angle between its skin and the
    line of sight for a weight, the head taken as an upright cylinder.

    Parameters
    ----------
    points : float64[468, 2 or 3]
        Of the mesh, luma px.
    yaw : float
        Turn of the head in degrees, as `pose.Pose` has it.

    Returns
    -------
    float64[2, 3]
        Takes (x, y, 1) in luma px to canonical px.

    Raises
    ------
    ValueError
        If the points lie on one line: there is no such map.
    """
    seen = points[POINTS, :2]
    weight = np.maximum(np.cos(_LONGITUDES + math.radians(yaw)), _LEAST)
    weight /= weight.sum()
    (x, y), (place_x, place_y) = (np.einsum("n,ni->i", weight, given).tolist() for given in (seen, PLACES))
    # the normal equations of two unknowns each, by hand: the same bits everywhere
    centred = seen - [x, y]
    target = PLACES - [place_x, place_y]
    weighed = weight[:, None] * centred
    (a, b), (_, d) = np.einsum("ni,nj->ij", weighed, centred).tolist()
    determinant = a * d - b * b
    if not determinant > 1e-9 * (a + d) ** 2:
        raise ValueError("the points of the face lie on one line")
    (e, f), (g, h) = np.einsum("ni,nj->ij", weighed, target).tolist()
    xx, xy = (d * e - b * g) / determinant, (a * g - b * e) / determinant
    yx, yy = (d * f - b * h) / determinant, (a * h - b * f) / determinant
    return np.array([[xx, xy, place_x - xx * x - xy * y], [yx, yy, place_y - yx * x - yy * y]])


def inverse(transform: NDArray[np.float64]) -> NDArray[np.float64]:
    """The map back.

    Parameters
    ----------
    transform : float64[2, 3]

    Returns
    -------
    float64[2, 3]

    Raises
    ------
    ValueError
        If there is none.
    """
    (a, b, c), (d, e, f) = transform.tolist()
    determinant = a * e - b * d
    if determinant == 0:
        raise ValueError("this map has no inverse")
    a, b, d, e = e / determinant, -b / determinant, -d / determinant, a / determinant
    return np.array([[a, b, -a * c - b * f], [d, e, -d * c - e * f]])


def apply(transform: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points float64[..., 2] under an affine map float64[2, 3]."""
    x, y = points[..., 0], points[..., 1]
    (a, b, c), (d, e, f) = transform.tolist()
    return np.stack([a * x + b * y + c, d * x + e * y + f], axis=-1)
