"""Candidates for vessels: lines along which the pulse is stronger and earlier than around them, or weaker and later.

Log amplitude and earliness of every cell are compared with those of the skin around it, by a matched filter for lines
(the second derivative of a Gaussian across, a Gaussian along; Chaudhuri et al. 1989, IEEE Trans. Medical Imaging 8:263,
for vessels of the retina) at twelve directions and two widths. Responses are counted in units of their scatter over the
skin (median absolute deviation), more where the error of the cells says so: a line that moves, such as the edge of a
collar, is refreshed more often by the codec and looks both stronger and earlier, but not steadily.

What this finds guides the eye. It is no image of a vessel, and no guide for a needle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter, label, maximum_filter

from magnifier.maps.fields import Fields
from magnifier.maps.local_wiener import blurred

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Kind = Literal["artery-like", "vein-like"]

WIDTHS_PX = (12.0, 24.0)
LENGTH_PX = 40.0
DIRECTIONS = 12
ALIKE_PX = 16.0  # Gaussian within which a line runs one way, to 30 degrees
SURROUNDINGS_PX = 48.0  # Gaussian that the surroundings are averaged with
STRONG, WEAK = 6.0, 3.5  # score that a line needs somewhere, and all along
# What is weaker than its surroundings stands out less than what is stronger: it must go on for longer instead.
LEAST_LENGTH_PX: dict[Kind, float] = {"artery-like": 48.0, "vein-like": 96.0}
EDGE_PX = 20.0  # nothing vein-like is looked for so near to the edge of the skin
LEAST_CONTRAST: dict[Kind, float] = {"artery-like": 1.35, "vein-like": 1.15}  # of amplitude, to the surroundings
_EVERY = 3  # of the cells that the scatter is taken from: neighbours are alike
_LEAST_QUALITY_DB = 6.0
_LEAST_EARLINESS = 1.5  # score of the delay alone, median along the line
_MOST_DELAY_S = 0.06  # beyond it a delay is an error


@dataclass(frozen=True)
class Vessel:
    """A candidate.

    Attributes
    ----------
    kind : str
    points : list of (float, float)
        x, y along its middle in luma pixels of the map's coordinates.
    cells : bool[rows, columns]
        What it covers.
    length_px, width_px : float
    score : float
        Median along it, in standard deviations of the scatter over the skin.
    confidence : float
        Part of its length at which both amplitude and delay differ from the surroundings by more than their errors.
    amplitude_ratio : float
        Median amplitude over that of the surroundings.
    earlier_s : float
        Median of how much earlier than the surroundings it pulses; negative is later.
    """

    kind: Kind
    points: list[tuple[float, float]]
    cells: Bools
    length_px: float
    width_px: float
    score: float
    confidence: float
    amplitude_ratio: float
    earlier_s: float


@dataclass(frozen=True)
class VesselSearch:
    """What was looked at.

    Attributes
    ----------
    score : float64[rows, columns]
        Of the artery-like line through each cell, of the vein-like one negative where it is larger; NaN off the skin.
    vessels : list of Vessel
        The surest first.
    """

    score: Floats
    vessels: list[Vessel]


def line_kernels(side: int, width_px: float) -> list[Floats]:
    """Matched filters of lines, one a direction (0 along x, towards y), each of sum 0 and absolute sum 1.

    Parameters
    ----------
    side : int
        Of a cell, luma pixels.
    width_px : float
    """
    across, along = (width_px / 2 + 2) / side, LENGTH_PX / 2 / side
    reach = int(np.ceil(3 * max(across, along)))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    kernels = []
    for number in range(DIRECTIONS):
        angle = np.pi * number / DIRECTIONS
        u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
        kernel = (1 - (v / across) ** 2) * np.exp(-(v**2) / (2 * across**2) - u**2 / (2 * along**2))
        kernel -= kernel.mean()
        kernels.append(kernel / np.abs(kernel).sum())
    return kernels


def _surroundings(values: Floats, inside: Bools, sigma: float) -> Floats:
    weight = gaussian_filter(inside.astype(np.float64), sigma)
    mean: Floats = gaussian_filter(np.where(inside, values, 0.0), sigma) / np.maximum(weight, 1e-3)
    return mean


def _inflation(error: Floats, inside: Bools, sigma: float) -> Floats:
    """How much larger than usual the error is around each cell; at least 1."""
    usual = float(np.median(error[inside]))
    near = _surroundings(error, inside, sigma)
    result: Floats = np.maximum(near / max(usual, 1e-12), 1.0)
    return result


@dataclass(frozen=True)
class _Lines:
    """Scores of the best line through every cell: of its sum, of earliness alone, its direction and width."""

    score: Floats
    earliness: Floats
    direction: NDArray[np.int64]
    width: Floats


class _Filters:
    """Line filters for maps of one size, as they are in the domain of frequency."""

    def __init__(self, shape: tuple[int, int], side: int) -> None:
        kernels = {wide: line_kernels(side, wide) for wide in WIDTHS_PX}
        reach = max(k.shape[0] // 2 for k in kernels[max(WIDTHS_PX)])
        self._shape = shape
        self._size = tuple(next_fast_len(max(n + reach, 2 * reach + 1), real=True) for n in shape)
        self._spectra = {}
        for wide, lines in kernels.items():
            half = lines[0].shape[0] // 2
            placed = np.zeros((len(lines), *self._size))
            placed[:, : 2 * half + 1, : 2 * half + 1] = lines
            self._spectra[wide] = rfft2(np.roll(placed, (-half, -half), (1, 2)))

    def responses(self, planes: tuple[Floats, Floats], wide: float) -> Floats:
        """What the filters of one width answer: float64[DIRECTIONS, 2, rows, columns]."""
        spectra = rfft2(np.stack(planes), self._size)
        found = irfft2(self._spectra[wide][:, None] * spectra, self._size)
        result: Floats = found[:, :, : self._shape[0], : self._shape[1]]
        return result


def _lines(
    strength: Floats, earliness: Floats, inside: Bools, inflation: tuple[Floats, Floats], filters: _Filters
) -> _Lines:
    best = np.full(strength.shape, -np.inf)
    early, width = np.zeros(strength.shape), np.zeros(strength.shape)
    direction = np.zeros(strength.shape, np.int64)
    for wide in WIDTHS_PX:
        responses = filters.responses((strength, earliness), wide)
        here = responses.reshape(DIRECTIONS, 2, -1)[:, :, np.flatnonzero(inside)[::_EVERY]]
        middle = np.median(here, axis=(0, 2), keepdims=True)
        scatter = 1.4826 * np.median(np.abs(here - middle), axis=(0, 2))
        for number in range(DIRECTIONS):
            parts = [responses[number, i] / (max(scatter[i], 1e-12) * inflation[i]) for i in (0, 1)]
            score = (parts[0] + parts[1]) / np.sqrt(2)
            better = score > best
            best[better], early[better] = score[better], parts[1][better]
            direction[better], width[better] = number, wide
    return _Lines(best, early, direction, width)


def _ridge(lines: _Lines, inside: Bools, side: int) -> Bools:
    """Cells whose score is the largest across the direction of their line, and that run with those around them.

    A crease that crosses an artery would else become a spur of it.
    """
    rows, columns = lines.score.shape
    angle = np.pi * lines.direction / DIRECTIONS
    down, right = np.rint(np.cos(angle)).astype(int), np.rint(-np.sin(angle)).astype(int)
    y, x = np.mgrid[:rows, :columns]
    top = inside & (lines.score >= WEAK)
    for sign in (-1, 1):
        there = (np.clip(y + sign * down, 0, rows - 1), np.clip(x + sign * right, 0, columns - 1))
        top &= lines.score >= lines.score[there]
    course = np.exp(2j * angle)  # of a line, which has no end: twice the angle
    usual = blurred(np.where(top, lines.score, 0.0) * course, ALIKE_PX / side)
    result: Bools = top & ((course * np.conj(usual)).real >= np.cos(2 * np.pi / 6) * np.abs(usual))
    return result


def find_vessels(found: Fields) -> VesselSearch:
    """Look for lines in the maps of one person.

    Parameters
    ----------
    found : Fields

    Returns
    -------
    VesselSearch
    """
    side = found.box.side
    inside = found.skin & (np.nan_to_num(found.quality_db, nan=-1.0) >= _LEAST_QUALITY_DB)
    cells = found.by_cell
    inside &= np.nan_to_num(cells.amplitude) > 0
    if inside.sum() < 100:
        return VesselSearch(np.full(found.skin.shape, np.nan), [])
    sigma = SURROUNDINGS_PX / side
    amplitude = np.where(inside, cells.amplitude, 1.0)
    log_amplitude = np.log(amplitude)
    early = np.clip(np.where(inside, -cells.delay_s, 0.0), -_MOST_DELAY_S, _MOST_DELAY_S)
    errors = (
        np.where(inside, cells.amplitude_error / amplitude, 0.0),
        np.where(inside, cells.delay_error_s, 0.0),
    )
    contrast = [np.where(inside, p - _surroundings(p, inside, sigma), 0.0) for p in (log_amplitude, early)]
    inflation = tuple(_inflation(e, inside, LENGTH_PX / 4 / side) for e in errors)
    filters = _Filters(found.skin.shape, side)
    vessels: list[Vessel] = []
    scores = []
    kinds: tuple[tuple[Kind, int], ...] = (("artery-like", 1), ("vein-like", -1))
    for kind, sign in kinds:
        searched = inside
        if sign < 0:
            searched = _open_skin(found.skin, inside, vessels, side)
            contrast = [np.where(searched, p - _surroundings(p, searched, sigma), 0.0) for p in (log_amplitude, early)]
        if not searched.any():
            scores.append(np.full(inside.shape, -np.inf))
            continue
        lines = _lines(sign * contrast[0], sign * contrast[1], searched, (inflation[0], inflation[1]), filters)
        scores.append(np.where(searched, lines.score, -np.inf))
        vessels += _trace(kind, sign, lines, searched, contrast, errors, found)
    score = np.where(scores[0] >= scores[1], scores[0], -scores[1])
    vessels.sort(key=lambda v: -v.score)
    return VesselSearch(np.where(inside, score, np.nan), vessels)


def _open_skin(skin: Bools, inside: Bools, arteries: list[Vessel], side: int) -> Bools:
    """Skin away from its edge and from arteries: beside either the pulse is weaker and later than its surroundings."""
    result = inside & binary_erosion(skin, iterations=max(round(EDGE_PX / side), 1), border_value=1)
    if arteries:
        covered = np.logical_or.reduce([v.cells for v in arteries])
        result &= ~binary_dilation(covered, iterations=max(round(WIDTHS_PX[0] / side), 1))
    return result


def _trace(
    kind: Kind, sign: int, lines: _Lines, inside: Bools, contrast: list[Floats], errors: tuple[Floats, Floats],
    found: Fields,
) -> list[Vessel]:  # fmt: skip
    """Lines that are strong somewhere, long enough, and different in both amplitude and delay."""
    side = found.box.side
    ridge = _ridge(lines, inside, side)
    linked, count = label(binary_dilation(ridge), np.ones((3, 3)))
    vessels: list[Vessel] = []
    for number in range(1, count + 1):
        rows, columns = np.nonzero(ridge & (linked == number))
        scores = lines.score[rows, columns]
        if scores.max() < STRONG:
            continue
        points, length = _ordered(rows, columns, side)
        ratio = sign * contrast[0][rows, columns]
        earlier = sign * contrast[1][rows, columns]
        if length < LEAST_LENGTH_PX[kind] or np.median(lines.earliness[rows, columns]) < _LEAST_EARLINESS:
            continue
        if np.median(ratio) < np.log(LEAST_CONTRAST[kind]):
            continue
        surer = (ratio > errors[0][rows, columns]) & (earlier > errors[1][rows, columns])
        width = float(np.median(lines.width[rows, columns]))
        cells = np.zeros(inside.shape, bool)
        cells[rows, columns] = True
        reach = max(round(width / side), 1)
        cells = maximum_filter(cells, size=reach | 1) & inside
        origin = np.array([found.box.column, found.box.row])
        places = (points + origin + 0.5) * side - 0.5
        vessels.append(
            Vessel(
                kind,
                [(float(x), float(y)) for x, y in places],
                cells,
                float(length),
                width,
                float(np.median(scores)),
                float(surer.mean()),
                float(np.exp(sign * np.median(ratio))),
                float(sign * np.median(earlier)),
            )
        )
    return vessels


def _ordered(rows: NDArray[Any], columns: NDArray[Any], side: int) -> tuple[Floats, float]:
    """Cells along their principal axis, averaged over steps of about 16 px: x, y in cells, and the length in px."""
    places = np.stack([columns, rows], axis=1).astype(np.float64)
    middle = places.mean(axis=0)
    _, _, axes = np.linalg.svd(places - middle, full_matrices=False)
    along = (places - middle) @ axes[0]
    step = max(16 / side, 1.0)
    bins = np.floor((along - along.min()) / step).astype(int)
    points = np.array([places[bins == b].mean(axis=0) for b in np.unique(bins)])
    if len(points) < 2:
        return points, 0.0
    length = float(np.hypot(*np.diff(points, axis=0).T).sum() + step) * side
    return points, length
