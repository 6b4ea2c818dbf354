"""Where the skin of one picture lies in another: Lucas and Kanade's least squares, inverse compositional.

Baker and Matthews 2004 (IJCV 56:221): the gradients and the Hessian are those of the template, so they are computed
once. Only the samples of the template that say most are looked at (Dellaert and Collins 1999, ICCV workshop on
frame-rate vision, "Fast image-based tracking by selective pixel integration"). Brightness may be scaled and shifted as
a whole, and samples that do not fit count little (Geman and McClure 1987). A search over whole samples of the coarsest
level comes first, so that no frame needs another one's result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmenter.anchored.pictures import Levels, Small

Floats = NDArray[np.float64]

POINTS = 1024  # of the finest level; half of it on each coarser one
_TILE = 8  # samples; points are spread over tiles of this side
_REACH = 0.15  # of the longer side: how far the search looks
_SEARCHED = 128  # points of the coarsest level that a search looks at
_STEPS = (4, 3, 3)  # at most, on each level, finest first
_ENOUGH = (0.05, 0.1, 0.15)  # samples: a step that moves the skin no farther is the last one of its level
_OUTLIER = 3.0  # mean absolute differences at which a sample counts a quarter
_LEAST_SEEN = 0.35  # part of the points that must lie inside the picture
_LEAST_POINTS = 24
_MOST_SCALE = 1.5
_LEAST_GAIN = 0.1  # of the picture's contrast against the template's
PARAMETERS = 4  # of a similarity


@dataclass(frozen=True)
class _Level:
    """The points of the template on one level.

    Attributes
    ----------
    off_x, off_y : float32[n]
        Places in samples, from the middle of the skin.
    values : float32[n]
    rows : float32[6, n]
        What the difference is fitted with: how the template changes with each parameter, the template, 1.
    products : float32[21, n]
        Of each two of `rows`.
    """

    off_x: Levels
    off_y: Levels
    values: Levels
    rows: Levels
    products: Levels


@dataclass(frozen=True)
class _Search:
    """All shifts that are tried, prepared.

    Attributes
    ----------
    shape : tuple of int
        Of the picture with zeros around it.
    reach : int
        Most samples of a shift along x and y.
    at : intp[shifts, n]
        Places of the points.
    values : float32[n]
    allowed : float32[shifts]
        1 where enough of the points lie inside the picture, else 0.
    """

    shape: tuple[int, int]
    reach: int
    at: NDArray[np.intp]
    values: Levels
    allowed: Levels


@dataclass(frozen=True)
class Template:
    """A piece of skin, ready to be found in other pictures.

    Attributes
    ----------
    levels : list of _Level
        Finest first; coarse ones on which too little is left of the skin are absent.
    search : _Search
        On the coarsest of them.
    middle : tuple of float
        Of the skin, x and y in samples of the finest level.
    reach : float
        Root mean square distance of the skin from it.
    """

    levels: list[_Level]
    search: _Search
    middle: tuple[float, float]
    reach: float


@dataclass(frozen=True)
class Registration:
    """Where the skin of a template lies in a picture.

    Attributes
    ----------
    matrix : float64[2, 3]
        Takes x, y, 1 in the template to the picture, samples of the finest level.
    likeness : float
        Normalised correlation of the two over the points that are seen, -1 to 1.
    """

    matrix: Floats
    likeness: float


_PAIRS = np.triu_indices(PARAMETERS + 2)


def template_of(picture: Small, skin: NDArray[np.bool_]) -> Template | None:
    """Make a piece of skin ready to be found.

    Parameters
    ----------
    picture : Small
    skin : bool[h, w]
        Of the finest level: samples that are skin, their surroundings with them.

    Returns
    -------
    Template or None
        None where there is too little skin.
    """
    rows, columns = np.nonzero(skin)
    if len(rows) < _LEAST_POINTS:
        return None
    middle = (float(columns.mean()), float(rows.mean()))
    reach = float(np.sqrt(columns.var() + rows.var()))
    levels: list[_Level] = []
    inside: NDArray[np.bool_] = skin
    search: _Search | None = None
    for number, values in enumerate(picture.levels):
        if number:
            inside = _halved(inside, values.shape)
        level = _level(values, inside, POINTS >> number, middle, reach, 2.0**number)
        if level is None:
            break
        levels.append(level)
        search = _search_of(values, inside)
    return Template(levels, search, middle, reach) if search is not None else None


def _halved(skin: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Skin on the next level: where all of a block is."""
    padded = np.zeros((2 * shape[0], 2 * shape[1]), np.bool_)
    padded[: skin.shape[0], : skin.shape[1]] = skin
    blocks = padded.reshape(shape[0], 2, shape[1], 2)
    whole: NDArray[np.bool_] = np.logical_and.reduce(blocks, axis=(1, 3))
    return whole


def _search_of(values: Levels, inside: NDArray[np.bool_]) -> _Search:
    """Prepare the search for the strongest samples of the skin."""
    height, width = values.shape
    reach = max(math.ceil(_REACH * max(width, height)), 1)
    rows, columns = np.nonzero(inside)
    chosen = _spread(rows, columns, np.abs(values[rows, columns]), _SEARCHED)
    rows, columns = rows[chosen], columns[chosen]
    steps = np.arange(2 * reach + 1)
    shape = (height + 2 * reach, width + 2 * reach)
    at = (steps[:, None] * shape[1] + steps).reshape(-1, 1) + rows * shape[1] + columns
    seen = np.pad(np.ones(values.shape, np.bool_), reach).ravel()[at].mean(axis=1)
    return _Search(shape, reach, at, values[rows, columns], (seen >= _LEAST_SEEN).astype(np.float32))


def _level(
    values: Levels, skin: NDArray[np.bool_], most: int, middle: tuple[float, float], reach: float, scale: float
) -> _Level | None:
    gradient_y, gradient_x = (np.asarray(part, np.float32) for part in np.gradient(values))
    skin = skin.copy()  # a gradient needs both neighbours
    skin[[0, -1]] = False
    skin[:, [0, -1]] = False
    rows, columns = np.nonzero(skin)
    if len(rows) < _LEAST_POINTS:
        return None
    strength = (gradient_x**2 + gradient_y**2)[rows, columns]
    chosen = _spread(rows, columns, strength, most)
    rows, columns = rows[chosen], columns[chosen]
    across, down = gradient_x[rows, columns], gradient_y[rows, columns]
    off_x = (columns - ((middle[0] + 0.5) / scale - 0.5)).astype(np.float32)
    off_y = (rows - ((middle[1] + 0.5) / scale - 0.5)).astype(np.float32)
    unit = np.float32(scale / reach)  # all parameters move the skin about alike
    grown, turned = across * off_x + down * off_y, down * off_x - across * off_y
    shown = values[rows, columns]
    fitted = np.stack([across, down, grown * unit, turned * unit, shown, np.ones_like(shown)])
    products = np.ascontiguousarray(fitted[_PAIRS[0]] * fitted[_PAIRS[1]])
    return _Level(off_x, off_y, shown, fitted, products)


def _spread(rows: NDArray[np.intp], columns: NDArray[np.intp], strength: Levels, most: int) -> NDArray[np.intp]:
    """The strongest samples, no tile with more than twice its share."""
    if len(rows) <= most:
        return np.arange(len(rows))
    tiles = rows // _TILE * (int(columns.max()) // _TILE + 1) + columns // _TILE
    order = np.lexsort((-strength, tiles))
    _, starts, counts = np.unique(tiles[order], return_index=True, return_counts=True)
    place = np.arange(len(order)) - np.repeat(starts, counts)
    kept = order[place < np.repeat(np.ceil(2 * most / len(rows) * counts), counts)]
    strongest = kept[np.argsort(-strength[kept], kind="stable")[:most]]
    return np.sort(strongest)


def register(template: Template, picture: Small) -> Registration | None:
    """Find a piece of skin in a picture.

    Parameters
    ----------
    template : Template
    picture : Small
        Of the same size as the template's.

    Returns
    -------
    Registration or None
        None where it is not found: mostly outside the picture, or scaled beyond all likelihood.
    """
    coarsest = len(template.levels) - 1
    scale = 2.0**coarsest
    shift = _search(template.search, picture.levels[coarsest])
    turn = np.array([[1.0, 0.0], [0.0, 1.0]])
    at = np.array(template.middle) + scale * np.array(shift)  # where the middle of the skin lies
    likeness = 0.0
    for number in range(coarsest, -1, -1):
        found = _refine(template, number, picture.levels[number], turn, at)
        if found is None:
            return None
        turn, at, likeness = found
    if not 1 / _MOST_SCALE < np.hypot(turn[0, 0], turn[1, 0]) < _MOST_SCALE:
        return None
    offset = at - turn @ np.array(template.middle)
    return Registration(np.concatenate([turn, offset[:, None]], axis=1), likeness)


def _search(search: _Search, image: Levels) -> tuple[float, float]:
    """The shift by whole samples at which template and picture are most alike."""
    padded = np.zeros(search.shape, np.float32)
    reach = search.reach
    padded[reach:-reach, reach:-reach] = image
    shown = padded.ravel().take(search.at)
    product = np.einsum("ij,j->i", shown, search.values)
    power = np.einsum("ij,ij->i", shown, shown)
    score = search.allowed * product / np.sqrt(power + np.float32(1e-3))
    best = int(np.argmax(score))
    side = 2 * reach + 1
    return float(best % side - reach), float(best // side - reach)


def _refine(
    template: Template, number: int, image: Levels, turn: Floats, at: Floats
) -> tuple[Floats, Floats, float] | None:
    level, scale = template.levels[number], 2.0**number
    height, width = image.shape
    flat = image.ravel()
    reach = template.reach / scale
    place = (at + 0.5) / scale - 0.5
    for _ in range(_STEPS[number]):
        x, y = _moved(level, turn, place)
        inside = (x >= 0) & (x < width - 1) & (y >= 0) & (y < height - 1)
        count = int(np.count_nonzero(inside))
        if count < _LEAST_SEEN * len(inside):
            return None
        shown = _sampled(flat, width, x, y)
        weight = _weights(shown - level.values, inside, count)
        normal = np.empty((PARAMETERS + 2, PARAMETERS + 2))
        normal[_PAIRS] = normal[_PAIRS[::-1]] = np.einsum("ij,j->i", level.products, weight)
        weight *= shown
        target = np.einsum("ij,j->i", level.rows, weight).astype(np.float64)
        try:
            step = np.linalg.solve(normal, target)
        except np.linalg.LinAlgError:
            return None
        if not step[PARAMETERS] > _LEAST_GAIN:  # nothing alike: no step makes sense
            return None
        moved = step[:PARAMETERS] / step[PARAMETERS]
        # the template would have to be moved by this: the place in the picture by its inverse, composed
        grown, turned = 1 + moved[2] / reach, moved[3] / reach
        if not 0.5 < grown < 2:
            return None
        back = np.array([[grown, turned], [-turned, grown]]) / (grown**2 + turned**2)
        turn = turn @ back
        place = place - turn @ moved[:2]
        if np.abs(moved).max() < _ENOUGH[number]:
            break
    likeness = _correlation(normal, target, float(np.einsum("i,i", weight, shown)))
    return turn, scale * (place + 0.5) - 0.5, likeness


def _moved(level: _Level, turn: Floats, place: Floats) -> tuple[Levels, Levels]:
    """Where the points lie in the picture."""
    (a, b), (c, d) = turn.astype(np.float32)
    x, y = a * level.off_x, d * level.off_y
    x += b * level.off_y
    y += c * level.off_x
    x += np.float32(place[0])
    y += np.float32(place[1])
    return x, y


def _sampled(flat: Levels, width: int, x: Levels, y: Levels) -> Levels:
    """A picture between its samples (bilinear); anything outside of it."""
    column, row = x.astype(np.int32), y.astype(np.int32)
    right, down = x - column.astype(np.float32), y - row.astype(np.float32)
    corner = (row * np.int32(width) + column).astype(np.intp)
    upper, lower = flat.take(corner, mode="clip"), flat.take(corner + width, mode="clip")
    corner += 1
    upper += (flat.take(corner, mode="clip") - upper) * right
    lower += (flat.take(corner + width, mode="clip") - lower) * right
    lower -= upper
    lower *= down
    upper += lower
    return upper


def _weights(difference: Levels, inside: NDArray[np.bool_], count: int) -> Levels:
    """How much each point counts: less what does not fit, nothing what is outside."""
    np.abs(difference, out=difference)
    difference *= inside
    usual = float(np.add.reduce(difference)) / count
    difference *= np.float32(1 / max(_OUTLIER * usual, 1e-3))
    difference *= difference
    difference += np.float32(1)
    difference *= difference
    return np.divide(inside, difference, dtype=np.float32)


def _correlation(normal: Floats, target: Floats, power: float) -> float:
    count, total, ones = normal[-2, -2], normal[-2, -1], normal[-1, -1]
    if ones <= 0:
        return 0.0
    above = target[-2] - target[-1] * total / ones
    below = (count - total**2 / ones) * (power - target[-1] ** 2 / ones)
    return float(above / np.sqrt(below)) if below > 0 else 0.0
