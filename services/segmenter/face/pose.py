"""How a head is held and how fast it moves: signs of how well its pulse can be measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# right and left of the person, at the same height and depth: corners of the eyes, temples, ears, cheeks
_ACROSS = ((33, 263), (127, 356), (234, 454), (162, 389), (93, 323))
_DOWN = ((10, 152), (109, 148), (338, 377))  # hair line and chin, at the same depth in a face looking straight ahead
# all right ones, all left ones, the upper ones, the lower ones
_ENDS = np.array([point for ends in (_ACROSS, _DOWN) for side in (0, 1) for point in (pair[side] for pair in ends)])
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
    ends = points[_ENDS]
    sides, heights = ends[: 2 * len(_ACROSS)], ends[2 * len(_ACROSS) :]
    across = sides[len(_ACROSS) :].sum(axis=0) - sides[: len(_ACROSS)].sum(axis=0)
    down = heights[len(_DOWN) :].sum(axis=0) - heights[: len(_DOWN)].sum(axis=0)
    a, b, c = (across / _length(across)).tolist()
    d, e, f = down.tolist()
    along = a * d + b * e + c * f
    d, e, f = d - along * a, e - along * b, f - along * c
    size = max(math.sqrt(d * d + e * e + f * f), 1e-12)
    d, e, f = d / size, e / size, f / size
    return np.array([[a, b, c], [d, e, f], [b * f - c * e, c * d - a * f, a * e - b * d]])


def _length(vector: NDArray[np.float64]) -> float:
    return max(math.hypot(*vector.tolist()), 1e-12)


def pose_of(head: NDArray[np.float64]) -> Pose:
    """The pose of a head from its axes, float64[3, 3], as `axes` has them."""
    (across_x, across_y, _), _, (x, y, z) = head.tolist()
    # the face looks against the axis that leads inwards; angles as of a head that rolls, then nods, then turns
    pitch = math.asin(min(max(-y, -1.0), 1.0))
    return Pose(math.degrees(math.atan2(-x, z)), math.degrees(pitch), math.degrees(math.atan2(across_y, across_x)))


def motion_of(points: NDArray[np.float64], velocity: NDArray[np.float64], head: NDArray[np.float64]) -> Motion:
    """The motion of a head.

    Parameters
    ----------
    points, velocity : float64[468, 3]
        px and px a second.
    head : float64[3, 3]
        Its axes.

    Returns
    -------
    Motion
    """
    cosine = (float((axes(points + _STEP_S * velocity) * head).sum()) - 1) / 2  # from the trace of the rotation
    angle = math.acos(min(max(cosine, -1.0), 1.0))
    speed = math.sqrt(float((velocity[:, :2] ** 2).sum()) / len(velocity))
    return Motion(math.degrees(angle) / _STEP_S, speed / width_of(points))


def width_of(points: NDArray[np.float64]) -> float:
    """From ear to ear in px, as if the face were seen from the front."""
    return max(_length(points[454] - points[234]), 1e-6)
