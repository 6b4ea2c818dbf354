"""The skin of a face as polygons: its oval without eyes, brows and mouth, and the regions that have a name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from media.polygons import fill, fill_convex

# Points of the mesh around each part, in order.
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
_RIGHT_EYE = (130, 247, 30, 29, 27, 28, 56, 190, 243, 112, 26, 22, 23, 24, 110, 25)  # with its lids
_LEFT_EYE = (359, 467, 260, 259, 257, 258, 286, 414, 463, 341, 256, 252, 253, 254, 339, 255)
_RIGHT_BROW = (46, 53, 52, 65, 55, 107, 66, 105, 63, 70)
_LEFT_BROW = (276, 283, 282, 295, 285, 336, 296, 334, 293, 300)
_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
HOLES = {
    "right eye": _RIGHT_EYE,
    "left eye": _LEFT_EYE,
    "right brow": _RIGHT_BROW,
    "left brow": _LEFT_BROW,
    "mouth": _LIPS,
}
_OVAL = np.array(OVAL)
_HOLES, _HOLE_SIZES = np.concatenate([np.array(hole) for hole in HOLES.values()]), tuple(map(len, HOLES.values()))
# How much wider, higher above and lower below its middle a face is than the oval of its mesh.
_WIDER, _HIGHER, _LOWER = 1.11, 1.20, 1.09
_SIDE = 0.45  # depth of a head's side that may be seen, in widths of the oval
_ROUND = 1.05  # a turned head's profile is so much wider than the points of the mesh
_ANGLES = 2 * np.pi * np.arange(48) / 48
_DIRECTIONS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)]).astype(np.float32)

# Regions of the canonical face, in canonical px: what every blob of its masks names. Right and left are the person's.
_CHEEK = ((54, 120), (75, 116), (98, 118), (101, 130), (96, 146), (87, 157), (80, 171), (66, 173), (57, 159), (52, 138))
REGIONS: dict[str, tuple[tuple[int, int], ...]] = {
    "forehead": (
        (70, 63), (78, 54), (101, 47), (128, 45), (155, 47), (178, 54), (186, 63),
        (167, 66), (144, 72), (128, 74), (112, 72), (89, 66),
    ),
    "right_cheek": _CHEEK,
    "left_cheek": tuple((256 - x, y) for x, y in _CHEEK),
    "nose": ((119, 97), (137, 97), (139, 118), (149, 139), (147, 150), (109, 150), (107, 139), (117, 118)),
    "chin": (
        (98, 192), (114, 196), (128, 197), (142, 196), (158, 192),
        (162, 205), (147, 217), (128, 222), (109, 217), (94, 205),
    ),
}  # fmt: skip


def outline(points: NDArray[np.float64], head: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where skin of the face may be: the mesh's oval, widened to hair line, ears and edge of the jaw.

    The oval runs a little inside of the face. Of a turned head the side that came into view is added, by shifting
    the oval towards the back of the head, less and less below its middle, since the jaw ends where the neck begins;
    and the profile, by the hull of all points. What of it is hair, cloth or wall is for `appearance` to say.

    Parameters
    ----------
    points : float64[468, 3]
        Of the mesh.
    head : float64[3, 3]
        Its axes, as `pose.axes` has them.

    Returns
    -------
    float64[48, 2]
        Corners of a convex polygon in order around it, x and y in the units of the points; the same one may stand
        there several times.
    """
    oval = points[_OVAL]
    middle = oval.mean(axis=0)
    along = (oval - middle) @ head.T
    wide = np.array([_WIDER, 1.0, 1.0]) * along
    wide[:, 1] *= np.where(along[:, 1] < 0, _HIGHER, _LOWER)
    grown = (middle + wide @ head)[:, :2]
    down, back = head[1, :2], head[2, :2] * (_SIDE * np.ptp(along[:, 0]))
    back = back - down * ((back * down).sum() / max((down * down).sum(), 1e-12))  # a nod shows no more of the face
    jaw = np.sqrt(np.clip(1 - along[:, 1] / max(float(along[:, 1].max()), 1e-12), 0.0, 1.0))[:, None]
    across = head[0, :2] / max(float(np.hypot(*head[0, :2])), 1e-12)
    flat = points[:, :2]
    flat = flat + (_ROUND - 1) * ((flat - middle[:2]) @ across)[:, None] * across
    known = np.concatenate([grown, grown + jaw * back, flat])
    # of a hull those corners that lie farthest in some directions, which are all that are worth having; no product of
    # matrices, whose last bits may depend on where they lie
    x, y = known.T.astype(np.float32)[..., None]
    far = x * _DIRECTIONS[0]
    far += y * _DIRECTIONS[1]
    corners: NDArray[np.float64] = known[far.argmax(axis=0)]
    return corners


def window(corners: NDArray[np.float64], shape: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of a plane that polygons touch; empty slices where they lie outside."""
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    rows = slice(*(int(np.clip(v, 0, shape[0])) for v in (np.floor(top), np.ceil(bottom))))
    columns = slice(*(int(np.clip(v, 0, shape[1])) for v in (np.floor(left), np.ceil(right))))
    return rows, columns


def skin(around: NDArray[np.float64], points: NDArray[np.float64], rows: slice, columns: slice) -> NDArray[np.bool_]:
    """The skin of a face in a part of a plane: inside its outline, outside of eyes, brows and mouth.

    Parameters
    ----------
    around : float64[n, 2]
        Its outline, in samples of the plane.
    points : float64[468, 2]
        Of the mesh, in samples of the plane.
    rows, columns : slice
        The part, as `window` has it.

    Returns
    -------
    bool[h, w]
        Of the part.
    """
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    corner = np.array([columns.start, rows.start])
    found = fill_convex(around - corner, shape)
    holes = points[_HOLES] - corner
    near = window(holes, shape)  # most of the face has none
    size = (near[0].stop - near[0].start, near[1].stop - near[1].start)
    if min(size) > 0:
        found[near] &= ~fill(holes - [near[1].start, near[0].start], _HOLE_SIZES, size)
    return found
