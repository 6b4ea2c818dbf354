"""The skin of a face as polygons: its oval without eyes, brows and mouth, and the regions that have a name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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

# Regions of the canonical face, in canonical px. Right and left are the person's.
_CHEEK = ((44, 112), (68, 108), (94, 110), (98, 124), (92, 142), (82, 154), (74, 170), (58, 172), (48, 156), (42, 132))
REGIONS: dict[str, tuple[tuple[int, int], ...]] = {
    "forehead": (
        (62, 48), (72, 38), (98, 30), (128, 27), (158, 30), (184, 38), (194, 48),
        (172, 51), (146, 58), (128, 60), (110, 58), (84, 51),
    ),
    "right_cheek": _CHEEK,
    "left_cheek": tuple((256 - x, y) for x, y in _CHEEK),
    "nose": ((118, 86), (138, 86), (141, 110), (152, 134), (149, 146), (107, 146), (104, 134), (115, 110)),
    "chin": (
        (94, 194), (112, 198), (128, 199), (144, 198), (162, 194),
        (166, 208), (150, 222), (128, 228), (106, 222), (90, 208),
    ),
}  # fmt: skip


def fill(polygons: list[NDArray[np.float64]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Where the samples of a plane lie inside one of some polygons.

    A sample counts by its centre, and lies inside where a polygon winds around it, so polygons may overlap, and one
    that crosses itself has no holes. The area is that of the polygons without bias.

    Parameters
    ----------
    polygons : list of float64[n, 2]
        Corners x, y in samples counted from the plane's left and upper edge.
    shape : tuple of int
        Height and width of the plane.

    Returns
    -------
    bool[height, width]
    """
    height, width = shape
    begin = np.concatenate(polygons)
    end = np.concatenate([np.roll(polygon, -1, axis=0) for polygon in polygons])
    way = np.concatenate([np.full(len(polygon), _way(polygon), np.int8) for polygon in polygons])
    # an edge crosses the middle line of row r where low <= r + 1/2 < high
    low = np.ceil(np.minimum(begin[:, 1], end[:, 1]) - 0.5).clip(0, height).astype(np.intp)
    high = np.ceil(np.maximum(begin[:, 1], end[:, 1]) - 0.5).clip(0, height).astype(np.intp)
    count = high - low
    edge = np.repeat(np.arange(len(begin)), count)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + low[edge]
    rise = (end - begin)[edge]
    x = begin[edge, 0] + (row + 0.5 - begin[edge, 1]) / rise[:, 1] * rise[:, 0]
    column = np.ceil(x - 0.5).clip(0, width).astype(np.intp)
    winding = np.zeros((height, width + 1), np.int8)
    np.add.at(winding, (row, column), np.where(rise[:, 1] > 0, way[edge], -way[edge]))
    return np.asarray(np.cumsum(winding[:, :-1], axis=1, dtype=np.int8) != 0)


def _way(polygon: NDArray[np.float64]) -> int:
    """1 or -1: so that all polygons wind the same way, and none takes another away."""
    x, y = polygon[:, 0], polygon[:, 1]
    return 1 if float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) >= 0 else -1


def window(points: NDArray[np.float64], shape: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of a plane that the oval of a face touches; empty slices where it lies outside."""
    oval = points[np.array(OVAL)]
    (left, top), (right, bottom) = oval.min(axis=0), oval.max(axis=0)
    rows = slice(*(int(np.clip(v, 0, shape[0])) for v in (np.floor(top), np.ceil(bottom))))
    columns = slice(*(int(np.clip(v, 0, shape[1])) for v in (np.floor(left), np.ceil(right))))
    return rows, columns


def skin(points: NDArray[np.float64], rows: slice, columns: slice) -> NDArray[np.bool_]:
    """The skin of a face in a part of a plane: inside its oval, outside of eyes, brows and mouth.

    Parameters
    ----------
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
    own = points - np.array([columns.start, rows.start])
    holes = fill([own[np.array(hole)] for hole in HOLES.values()], shape)
    return fill([own[np.array(OVAL)]], shape) & ~holes
