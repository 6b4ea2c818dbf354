"""Side by side: the clip as it was at the left, what became of it at the right, as the picture is shown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from media.planes import Planes
from mesh.contracts import Plan


def side_by_side_plan(plan: Plan) -> Plan:
    """The plan of a clip with two pictures in one; each is padded to even sides, so that no chroma sample is shared."""
    recording = plan.recording
    width, height = recording.width + recording.width % 2, recording.height + recording.height % 2
    size = {"width": width, "height": 2 * height} if _upright(recording.rotation) else {"width": 2 * width}
    return plan.model_copy(update={"recording": recording.model_copy(update={"height": height} | size)})


def side_by_side(before: Planes, after: Planes, rotation: int) -> Planes:
    """Two pictures in one.

    Parameters
    ----------
    before, after : tuple of uint8[h, w]
        Y, U, V as stored.
    rotation : int
        Clockwise turn for display, degrees: where the file is shown turned, left is elsewhere in the stored picture.

    Returns
    -------
    tuple of uint8[h, w]
        Of the size that `side_by_side_plan` names.
    """
    first, second = (before, after) if rotation in (0, 270) else (after, before)
    axis = 0 if _upright(rotation) else 1
    pairs = enumerate(zip(first, second, strict=True))
    y, u, v = (np.concatenate([_even(one, number), _even(two, number)], axis) for number, (one, two) in pairs)
    return y, u, v


def _upright(rotation: int) -> bool:
    return rotation in (90, 270)


def _even(plane: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    if number:  # chroma planes are rounded up already
        return plane
    return np.pad(plane, ((0, plane.shape[0] % 2), (0, plane.shape[1] % 2)), mode="edge")
