"""The reference colour of the chroma key, found by itself in the first ten seconds of a clip.

Candidates are the peaks of the clip's U, V histogram that skin of any tone can have. Each is judged by how much of
the picture it covers, how near it lies to the line of skin tones, and whether its pixels share one pulse: living
skin changes colour everywhere at once, a wall or a shirt does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from media.color import CHROMA_ZERO, opencv_from_stored, rgb_from_yuv, stored_from_opencv
from mesh.contracts import Recording

CELLS = 4800  # at most so many cells are looked at
FRAMES = 150  # and so many frames
RADIUS2 = 100.0  # squared distance that a candidate gathers, the default of `chroma_similarity`
LEAST_AREA = 0.01  # of the picture
BAND_HZ = (0.7, 4.0)
_CANDIDATES = 6
_TILES = 8  # tiles along each side, whose pulses are compared
_TILE_CELLS = 20  # a smaller tile is too noisy to be asked
_DARK, _BRIGHT = 40.0, 235.0  # stored Y beyond which chroma says nothing
# Direction of skin in U, V: the I axis of NTSC lies at 123 degrees, and skin of all tones near it, since its colour
# is that of blood and melanin under nearly white light.
_LINE = (math.cos(math.radians(123.0)), math.sin(math.radians(123.0)))
_LEAST_CHROMA, _MOST_CHROMA = 4.0, 85.0  # along that line, in OpenCV's units
# A colour paler than this may be a wall as well as skin under cold light: it must show a pulse that its tiles share.
_PALE, _PALE_COHERENCE = 10.0, 0.15


class PlanesFrame(Protocol):
    """A decoded frame."""

    @property
    def index(self) -> int: ...
    @property
    def time(self) -> float: ...
    @property
    def y(self) -> NDArray[np.uint8]: ...
    @property
    def u(self) -> NDArray[np.uint8]: ...
    @property
    def v(self) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class Reference:
    """The key, or why there is none.

    Attributes
    ----------
    chroma : tuple of float or None
        U, V in OpenCV's units, rounded to hundredths.
    stored : tuple of float or None
        The same in stored levels.
    score : float
        0-1; 1 where the user named the colour.
    reason : str or None
        Why there is no skin.
    """

    chroma: tuple[float, float] | None
    stored: tuple[float, float] | None
    score: float
    reason: str | None = None


def reference_at(recording: Recording, chroma: tuple[float, float], score: float = 1.0) -> Reference:
    """The reference with a given colour, U, V in OpenCV's units."""
    u, v = round(float(chroma[0]), 2), round(float(chroma[1]), 2)
    stored = stored_from_opencv(recording, (u, v))
    return Reference((u, v), (float(stored[0]), float(stored[1])), round(float(score), 4))


def stored_point(recording: Recording, x: float, y: float) -> tuple[int, int]:
    """The stored pixel under a point of the picture as it is shown.

    Parameters
    ----------
    recording : Recording
        Its rotation and pixel aspect are undone.
    x, y : float
        In pixels of the picture as shown, origin top left.

    Returns
    -------
    column, row : int
        In the stored luma plane.

    Raises
    ------
    ValueError
        If the point lies outside the picture.
    """
    aspect = recording.pixel_aspect[0] / recording.pixel_aspect[1] if all(recording.pixel_aspect) else 1.0
    width, height = recording.width * aspect, float(recording.height)
    turned = recording.rotation in (90, 270)
    shown = (height, width) if turned else (width, height)
    if not (0 <= x < shown[0] and 0 <= y < shown[1]):
        raise ValueError(f"the point {x:g}, {y:g} lies outside the picture of {shown[0]:g} x {shown[1]:g} pixels")
    if recording.rotation == 90:
        x, y = y, height - x
    elif recording.rotation == 180:
        x, y = width - x, height - y
    elif recording.rotation == 270:
        x, y = width - y, x
    column = min(max(math.floor(x / aspect), 0), recording.width - 1)
    row = min(max(math.floor(y), 0), recording.height - 1)
    return column, row


def chroma_at(frame: PlanesFrame, column: int, row: int, reach: int = 2) -> tuple[float, float]:
    """Mean stored u, v of the (2 reach + 1)^2 chroma samples around a stored pixel, those inside the picture."""
    height, width = frame.u.shape
    i, j = min(row // 2, height - 1), min(column // 2, width - 1)
    area = np.s_[max(i - reach, 0) : i + reach + 1, max(j - reach, 0) : j + reach + 1]
    return float(frame.u[area].mean()), float(frame.v[area].mean())


@dataclass(frozen=True)
class Cells:
    """The clip as few large pixels.

    Attributes
    ----------
    times : float64[frames]
        In seconds.
    y, u, v : float32[frames, rows, columns]
        Means over square cells, in stored levels.
    """

    times: NDArray[np.float64]
    y: NDArray[np.float32]
    u: NDArray[np.float32]
    v: NDArray[np.float32]


def _cell_means(plane: NDArray[np.uint8], side: int, rows: int, columns: int) -> NDArray[np.float32]:
    cropped = plane[: rows * side, : columns * side]
    # rows first: sums of up to 257 samples fit into 16 bits
    dtype = np.uint16 if side <= 257 else np.uint32
    sums = cropped.reshape(rows, side, -1).sum(axis=1, dtype=dtype).reshape(rows, columns, side).sum(axis=2)
    means: NDArray[np.float32] = (sums / (side * side)).astype(np.float32)
    return means


def gather_cells(frames: Iterable[PlanesFrame], shape: tuple[int, int], wanted: range) -> Cells:
    """Frames whose index is in `wanted`, reduced to at most `CELLS` square cells.

    Parameters
    ----------
    frames : iterable of PlanesFrame
    shape : tuple of int
        Height and width of the chroma planes.
    wanted : range
        Indices in the plan.
    """
    height, width = shape
    side = max(1, math.ceil(math.sqrt(height * width / CELLS)))
    rows, columns = max(height // side, 1), max(width // side, 1)
    side = min(side, height, width)
    times, y, u, v = [], [], [], []
    for frame in frames:
        if frame.index not in wanted:
            continue
        times.append(frame.time)
        luma = frame.y
        if luma.shape[0] < 2 * rows * side or luma.shape[1] < 2 * columns * side:  # odd sizes: repeat the edge
            luma = np.pad(luma, ((0, height * 2 - luma.shape[0]), (0, width * 2 - luma.shape[1])), mode="edge")
        y.append(_cell_means(luma, 2 * side, rows, columns))
        u.append(_cell_means(frame.u, side, rows, columns))
        v.append(_cell_means(frame.v, side, rows, columns))
    return Cells(np.array(times), np.stack(y), np.stack(u), np.stack(v))


def wanted_frames(times: NDArray[np.float64], seconds: float) -> range:
    """Indices of at most `FRAMES` frames, evenly taken from the first `seconds`."""
    count = int(np.searchsorted(times, times[0] + seconds, side="left"))
    return range(0, max(count, 1), max(1, math.ceil(count / FRAMES)))


def _along(chroma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Strength of a colour along the line of skin tones."""
    along: NDArray[np.float64] = (chroma - CHROMA_ZERO) @ np.array(_LINE)
    return along


def skin_prior(chroma: NDArray[np.float64]) -> NDArray[np.float64]:
    """How well a colour fits skin of any tone, 0-1.

    1 on the line of skin tones, falling with the angle to it; 0 for grey, for very strong colours and for all
    that is green or blue.

    Parameters
    ----------
    chroma : float64[..., 2]
        U, V in OpenCV's units.
    """
    u, v = chroma[..., 0] - CHROMA_ZERO, chroma[..., 1] - CHROMA_ZERO
    along = _along(chroma)
    across = u * _LINE[1] - v * _LINE[0]
    tolerance = 4.0 + along / 6.0
    inside = (along >= _LEAST_CHROMA) & (along <= _MOST_CHROMA)
    return np.where(inside, np.exp(-0.5 * (across / np.maximum(tolerance, 1.0)) ** 2), 0.0)


def find_reference(recording: Recording, cells: Cells) -> Reference:
    """The colour of living skin, or the reason why none was found.

    Parameters
    ----------
    recording : Recording
        For range and matrix.
    cells : Cells
        Of the first seconds of the clip.

    Returns
    -------
    Reference
        Score: prior x sqrt(area) x (a constant + the coherence of the pulse over tiles), at most 1.
    """
    chroma = opencv_from_stored(recording, np.stack([cells.u.mean(axis=0), cells.v.mean(axis=0)], axis=-1))
    luma = cells.y.mean(axis=0)
    lit = (luma > _DARK) & (luma < _BRIGHT)
    if lit.mean() < LEAST_AREA:
        dark = float(np.median(luma)) <= _DARK
        return Reference(None, None, 0.0, "the picture is too dark" if dark else "the picture is overexposed")
    best: tuple[float, NDArray[np.float64]] | None = None
    pale = False
    for key in _candidates(chroma[lit]):
        region = _near(chroma, key) & lit
        area = float(region.mean())
        if area < LEAST_AREA:
            continue
        colour = float(skin_prior(key))
        shared = pulse_coherence(recording, cells, region)
        score = colour * math.sqrt(area) * (0.15 + shared)
        if _along(key) < _PALE and shared < _PALE_COHERENCE:
            pale = True
        elif colour > 0 and (best is None or score > best[0]):
            best = score, key
    if best is None and pale:
        return Reference(None, None, 0.0, "what is nearest to the colour of skin is almost grey and shows no pulse")
    if best is None:
        return Reference(None, None, 0.0, "nothing that covers a hundredth of the picture has the colour of skin")
    key = _away_from_neutral(chroma, lit, luma, best[1])
    return reference_at(recording, (float(key[0]), float(key[1])), min(best[0], 1.0))


def _near(chroma: NDArray[np.float64], key: NDArray[np.float64], radius2: float = RADIUS2) -> NDArray[np.bool_]:
    near: NDArray[np.bool_] = ((chroma - key) ** 2).sum(axis=-1) < radius2
    return near


def _candidates(colours: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Peaks of the histogram times the prior, each moved to the mean of the colours around it."""
    edges = np.arange(40.0, 217.0, 2.0)
    centres = edges[:-1] + 1.0
    counts, _, _ = np.histogram2d(colours[:, 0], colours[:, 1], bins=[edges, edges])
    grid = np.stack(np.meshgrid(centres, centres, indexing="ij"), axis=-1)
    density = ndimage.gaussian_filter(counts, 1.5) * skin_prior(grid)
    peaks = np.argwhere((density == ndimage.maximum_filter(density, 5)) & (density > 1e-3 * density.sum()))
    order = sorted(peaks.tolist(), key=lambda p: (-density[p[0], p[1]], p))[:_CANDIDATES]
    found = []
    for i, j in order:
        key = grid[i, j]
        for _ in range(3):
            near = _near(colours, key, RADIUS2 / 2)
            if not near.any():
                break
            key = colours[near].mean(axis=0)
        found.append(key)
    return found


def _away_from_neutral(
    chroma: NDArray[np.float64], lit: NDArray[np.bool_], luma: NDArray[np.float32], key: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Pale skin lies so near grey that its key would take in every shadow: then it is moved a little outwards.

    Only where there are shadows, and as long as nine tenths of the skin stay inside.
    """
    offset = key - CHROMA_ZERO
    radius = math.sqrt(RADIUS2) + 1.0
    distance = float(np.hypot(*offset))
    shadows = (luma <= _DARK).mean()
    if distance >= radius or shadows < LEAST_AREA:
        return key
    moved = CHROMA_ZERO + offset * (radius / distance)
    kept = (_near(chroma, moved) & lit).sum() / max((_near(chroma, key) & lit).sum(), 1)
    return np.asarray(moved if kept >= 0.9 else key)


def pulse_coherence(recording: Recording, cells: Cells, region: NDArray[np.bool_]) -> float:
    """How far tiles of a region share one pulse, 0-1.

    Every tile's mean colour is projected as POS does (Wang et al. 2017, eq. 7: it cancels changes of brightness),
    and tapered; C(f) = |sum_p X_p|^2 / (P sum_p |X_p|^2) of the P tiles' spectra, less 1/P, which noise reaches, is
    averaged around the strongest peak of their mean in 0.7-4 Hz.

    Parameters
    ----------
    recording : Recording
    cells : Cells
    region : bool[rows, columns]

    Returns
    -------
    float
        0 where there are fewer than two tiles, or less than three seconds.
    """
    times = cells.times
    duration = float(times[-1] - times[0]) if len(times) > 1 else 0.0
    if duration < 3.0 or len(times) < 24:
        return 0.0
    rows, columns = region.shape
    tile = (np.arange(rows) * _TILES // rows)[:, None] * _TILES + np.arange(columns) * _TILES // columns
    matrix, offset = rgb_from_yuv(recording)
    grid = np.linspace(times[0], times[-1], len(times))
    rate = (len(times) - 1) / duration
    waves = []
    for number in range(_TILES * _TILES):
        inside = region & (tile == number)
        if inside.sum() < _TILE_CELLS:
            continue
        yuv = np.stack([plane[:, inside].mean(axis=1, dtype=np.float64) for plane in (cells.y, cells.u, cells.v)])
        yuv = np.stack([np.interp(grid, times, trace) for trace in yuv])
        rgb = matrix @ yuv + offset[:, None]
        rgb = rgb / np.maximum(rgb.mean(axis=1, keepdims=True), 1.0) - 1.0
        rgb -= ndimage.uniform_filter1d(rgb, max(3, round(1.6 * rate)), axis=1)
        first, second = rgb[1] - rgb[2], rgb[1] + rgb[2] - 2 * rgb[0]
        waves.append(first + first.std() / max(float(second.std()), 1e-12) * second)
    if len(waves) < 2:
        return 0.0
    size = 1 << math.ceil(math.log2(4 * len(times)))
    frequency = np.fft.rfftfreq(size, 1 / rate)
    band = (frequency >= BAND_HZ[0]) & (frequency <= BAND_HZ[1])
    spectra = np.fft.rfft(np.array(waves) * np.hanning(len(times)), size)[:, band]
    power = np.abs(spectra) ** 2
    level = np.sqrt(power.mean(axis=1, keepdims=True))
    if not (level > 0).all():
        return 0.0
    spectra = spectra / level
    together = np.abs(spectra.sum(axis=0)) ** 2
    peak = frequency[band][together.argmax()]
    near = np.abs(frequency[band] - peak) < 0.2
    count = len(waves)
    coherence = together[near].sum() / (count * (np.abs(spectra[:, near]) ** 2).sum())
    return float(max(0.0, (coherence - 1 / count) / (1 - 1 / count)))
