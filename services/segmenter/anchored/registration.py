"""Where the skin of one picture lies in another: Lucas and Kanade's least squares, inverse compositional.

Baker and Matthews 2004 (IJCV 56:221): the gradients and the Hessian are those of the template, so they are computed
once. Only the samples of the template that say most are looked at (Dellaert and Collins 1999, ICCV workshop on
frame-rate vision, "Fast image-based tracking by selective pixel integration"). Brightness may be scaled and shifted as a
whole, and samples that do not fit count little (Geman and McClure 1987). A search over whole samples of the coarsest
level comes first, so that no frame needs another one's result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmenter.anchored.pictures import Levels, Small

Floats = NDArray[np.float64]

POINTS = 1536  # of the finest level
_TILE = 8  # samples; points are spread over tiles of this side
_REACH = 0.15  # of the longer side: how far the search looks
_STEPS = (4, 4, 4)  # at most, on each level, finest first
_ENOUGH = 0.02  # samples: a step that moves no point of the skin farther is the last one of its level
_OUTLIER = 3.0  # mean absolute differences at which a sample counts a quarter
_LEAST_SEEN = 0.35  # part of the points that must lie inside the picture
_LEAST_POINTS = 24
_MOST_SCALE = 1.5
PARAMETERS = 4  # of a similarity


@dataclass(frozen=True)
class _Level:
    """The points of the template on one level.

    Attributes
    ----------
    x, y : float32[n]
        Places in samples.
    values : float32[n]
    rows : float32[6, n]
        What the difference is fitted with: how the template changes with each parameter, the template, 1.
    products : float32[21, n]
        Of each two of `rows`.
    """

    x: Levels
    y: Levels
    values: Levels
    rows: Levels
    products: Levels


@dataclass(frozen=True)
class Template:
    """A piece of skin, ready to be found in other pictures.

    Attributes
    ----------
    levels : list of _Level
        Finest first; coarse ones on which too little is left of the skin are absent.
    middle : tuple of float
        Of the skin, x and y in samples of the finest level.
    reach : float
        Root mean square distance of the skin from it.
    """

    levels: list[_Level]
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
    seen : float
        Part of the points that lie inside the picture, 0-1.
    """

    matrix: Floats
    likeness: float
    seen: float


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
    levels = []
    inside = skin
    for number, values in enumerate(picture.levels):
        if number:
            inside = _halved(inside, values.shape)
        level = _level(values, inside, POINTS >> number, middle, reach, 2.0**number)
        if level is None:
            break
        levels.append(level)
    return Template(levels, middle, reach) if levels else None


def _halved(skin: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Skin on the next level: where all of a block is."""
    padded = np.zeros((2 * shape[0], 2 * shape[1]), np.bool_)
    padded[: skin.shape[0], : skin.shape[1]] = skin
    whole: NDArray[np.bool_] = padded.reshape(shape[0], 2, shape[1], 2).all(axis=(1, 3))
    return whole


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
    x, y = columns.astype(np.float32), rows.astype(np.float32)
    across, down = gradient_x[rows, columns], gradient_y[rows, columns]
    # x and y from the middle of the skin, in units of its reach: all parameters move it about alike
    off_x = (scale * (x + 0.5) - 0.5 - middle[0]) / reach
    off_y = (scale * (y + 0.5) - 0.5 - middle[1]) / reach
    shown = values[rows, columns]
    fitted = np.stack(
        [across, down, across * off_x + down * off_y, down * off_x - across * off_y, shown, np.ones_like(shown)]
    ).astype(np.float32)
    products = np.ascontiguousarray(fitted[_PAIRS[0]] * fitted[_PAIRS[1]])
    return _Level(x, y, shown, fitted, products)


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
    shift = _search(template.levels[coarsest], picture.levels[coarsest])
    turn = np.array([[1.0, 0.0], [0.0, 1.0]])
    at = np.array(template.middle) + scale * np.array(shift)  # where the middle of the skin lies
    likeness = seen = 0.0
    for number in range(coarsest, -1, -1):
        found = _refine(template, number, picture.levels[number], turn, at)
        if found is None:
            return None
        turn, at, likeness, seen = found
    if not 1 / _MOST_SCALE < np.hypot(turn[0, 0], turn[1, 0]) < _MOST_SCALE:
        return None
    offset = at - turn @ np.array(template.middle)
    return Registration(np.concatenate([turn, offset[:, None]], axis=1), likeness, seen)


def _search(level: _Level, image: Levels) -> tuple[float, float]:
    """The shift by whole samples at which template and picture are most alike."""
    height, width = image.shape
    reach = max(int(np.ceil(_REACH * max(width, height))), 1)
    padded = np.pad(image, reach)
    inside = np.pad(np.ones_like(image), reach)
    steps = np.arange(2 * reach + 1)
    start = level.y.astype(np.intp) * (width + 2 * reach) + level.x.astype(np.intp)
    shifts = (steps[:, None] * (width + 2 * reach) + steps).ravel()
    at = shifts[:, None] + start
    shown, weight = padded.ravel().take(at), inside.ravel().take(at)
    count = weight.sum(axis=1)
    sums = np.einsum("ij,j->i", weight, level.values), np.einsum("ij,j->i", weight, level.values**2)
    total, power = shown.sum(axis=1), np.einsum("ij,ij->i", shown, shown)
    product = np.einsum("ij,j->i", shown, level.values)
    least = np.maximum(count, 1)
    above = product - total * sums[0] / least
    below = (power - total**2 / least) * (sums[1] - sums[0] ** 2 / least)
    score = np.where(count >= _LEAST_SEEN * len(start), above / np.sqrt(np.maximum(below, 1e-6)), -1.0)
    best = int(np.argmax(score))
    return float(best % len(steps) - reach), float(best // len(steps) - reach)


def _refine(
    template: Template, number: int, image: Levels, turn: Floats, at: Floats
) -> tuple[Floats, Floats, float, float] | None:
    level, scale = template.levels[number], 2.0**number
    height, width = image.shape
    flat = image.ravel()
    middle = (np.array(template.middle) + 0.5) / scale - 0.5  # on this level
    off_x, off_y = level.x - np.float32(middle[0]), level.y - np.float32(middle[1])
    reach = template.reach / scale
    place = (at + 0.5) / scale - 0.5
    likeness = seen = 0.0
    for _ in range(_STEPS[number]):
        a, b, c, d = (np.float32(value) for value in turn.ravel())
        x = a * off_x + b * off_y + np.float32(place[0])
        y = c * off_x + d * off_y + np.float32(place[1])
        weight = ((x >= 0) & (x < width - 1) & (y >= 0) & (y < height - 1)).astype(np.float32)
        seen = float(weight.mean())
        if seen < _LEAST_SEEN:
            return None
        column = np.clip(x, 0, width - 2).astype(np.intp)
        row = np.clip(y, 0, height - 2).astype(np.intp)
        right, down = x - column, y - row
        corner = row * width + column
        upper, lower = flat.take(corner), flat.take(corner + width)
        upper += (flat.take(corner + 1) - upper) * right
        lower += (flat.take(corner + (width + 1)) - lower) * right
        upper += (lower - upper) * down
        shown = upper
        # what fits badly counts little
        difference = np.abs(shown - level.values)
        difference *= weight
        usual = float(difference.sum()) / max(float(weight.sum()), 1.0)
        difference /= np.float32(max(_OUTLIER * usual, 1e-3))
        difference *= difference
        difference += 1
        weight /= difference * difference
        normal = np.zeros((PARAMETERS + 2, PARAMETERS + 2))
        normal[_PAIRS] = np.einsum("ij,j->i", level.products, weight)
        normal += np.triu(normal, 1).T
        weight *= shown
        target = np.einsum("ij,j->i", level.rows, weight).astype(np.float64)
        power = float(np.einsum("i,i", weight, shown))
        likeness = _correlation(normal, target, power)
        try:
            step = np.linalg.solve(normal, target)
        except np.linalg.LinAlgError:
            return None
        gain = step[PARAMETERS]
        if gain <= 0.1:  # nothing alike: no step makes sense
            return None
        moved = step[:PARAMETERS] / gain
        # the template would have to be moved by this: the place in the picture by its inverse, composed
        grown, turned = 1 + moved[2] / reach, moved[3] / reach
        back = np.array([[grown, turned], [-turned, grown]]) / (grown**2 + turned**2)
        turn = turn @ back
        place = place - turn @ moved[:2]
        if np.abs(moved).max() < _ENOUGH:
            break
    return turn, scale * (place + 0.5) - 0.5, likeness, seen


def _correlation(normal: Floats, target: Floats, power: float) -> float:
    count, total, ones = normal[-2, -2], normal[-2, -1], normal[-1, -1]
    if ones <= 0:
        return 0.0
    above = target[-2] - target[-1] * total / ones
    below = (count - total**2 / ones) * (power - target[-1] ** 2 / ones)
    return float(above / np.sqrt(below)) if below > 0 else 0.0
