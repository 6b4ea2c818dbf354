"""How a head is held and how fast it moves: signs of how well its pulse can be measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# right and left of the person, at the same height and depth: corners of the eyes, temples, ears, cheeks
_ACROSS = ((33, 263), (127, 356), (234, 454), (162, 389), (93, 323))
_DOWN = ((10, 152), (109, 148), (338, 377))  # hair line and chin, at the same depth in a face looking straight ahead
_RIGHT, _LEFT = (np.array(side) for side in zip(*_ACROSS, strict=True))
_HIGH, _LOW = (np.array(end) for end in zip(*_DOWN, strict=True))
_STEP_S = 0.05  # over which a turn is measured


@dataclass(frozen=True)
class Pose:
    """Of a head, in degrees; 0, 0, 0 looks into the camera.

    Attributes
    ----------
    yaw : float
        Positive when the person's face turns to the right of the picture.
    pitch : float
        Positive when it looks down.
    roll : float
        Positive when it leans clockwise, as it is seen in the stored picture.
    """

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True)
class Motion:
    """Of a head.

    Attributes
    ----------
    turn : float
        Degrees a second about any axis.
    speed : float
        Root mean square speed of its points in the picture, in widths of the face a second.
    """

    turn: float
    speed: float


def axes(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The head's axes in the picture's: rows are across (to the person's left), down and into the head.

    Parameters
    ----------
    points : float64[468, 3]
        Of the mesh: x to the right, y down, z away from the camera, one unit for all.

    Returns
    -------
    float64[3, 3]
        A rotation.
    """
    across = (points[_LEFT] - points[_RIGHT]).sum(axis=0)
    down = (points[_LOW] - points[_HIGH]).sum(axis=0)
    across = across / _length(across)
    down = down - across * (across * down).sum()
    down = down / _length(down)
    (a, b, c), (d, e, f) = across.tolist(), down.tolist()
    return np.array([[a, b, c], [d, e, f], [b * f - c * e, c * d - a * f, a * e - b * d]])


def _length(vector: NDArray[np.float64]) -> float:
    return max(float(np.sqrt((vector * vector).sum())), 1e-12)


def pose_of(points: NDArray[np.float64]) -> Pose:
    """The pose of a head from the points of its mesh, float64[468, 3]."""
    across, _, inwards = axes(points)
    # the face looks against `inwards`; angles as of a head that rolls, then nods, then turns
    yaw = np.arctan2(-inwards[0], inwards[2])
    pitch = np.arcsin(np.clip(-inwards[1], -1, 1))
    roll = np.arctan2(across[1], across[0])
    return Pose(float(np.rad2deg(yaw)), float(np.rad2deg(pitch)), float(np.rad2deg(roll)))


def motion_of(points: NDArray[np.float64], velocity: NDArray[np.float64]) -> Motion:
    """The motion of a head.

    Parameters
    ----------
    points, velocity : float64[468, 3]
        px and px a second.

    Returns
    -------
    Motion
    """
    cosine = ((axes(points + _STEP_S * velocity) * axes(points)).sum() - 1) / 2  # from the trace of the rotation
    angle = np.arccos(np.clip(cosine, -1, 1))
    speed = np.sqrt(np.mean(np.sum(velocity[:, :2] ** 2, axis=1)))
    return Motion(float(np.rad2deg(angle)) / _STEP_S, float(speed) / width_of(points))


def width_of(points: NDArray[np.float64]) -> float:
    """From ear to ear in px, as if the face were seen from the front."""
    return max(_length(points[454] - points[234]), 1e-6)
