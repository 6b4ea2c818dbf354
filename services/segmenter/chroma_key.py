"""The chroma key: skin is what lies near a reference colour in U and V, brightness ignored.

The key of faceHR (ajsteele, 2022) decides on every single frame, and so moves samples over its edge with every
beat: the mask follows the pulse and takes most of it away. Here colour is first averaged over +- 1 s, without lag
(`key_windows`); what is over- or under-exposed is left out, specks and holes are removed. Where the present colour is
too far from that average for a pulse the scene has moved, and the present one decides. The per-frame key is the bare
one on single frames.

Sums are integers and every later step is one correctly rounded float32 operation a sample, so that a frame's mask
is the same bits however the clip was cut.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.color import rgb_from_yuv
from mesh.contracts import Recording
from segmenter.frames import IndexedPicture
from segmenter.key_windows import KeyWindows
from segmenter.specks import without_specks

Plane = NDArray[np.uint8]

DARK, BRIGHT = 20.0, 250.0  # of 0-255: what is darker has no colour, what is brighter may have been clipped

# How far the present colour lies from its average over +- 1 s where something has moved, in levels of OpenCV's U and V.
# 99.9 % of the samples inside resting skin stay within 2.1 levels, within 2.7 with a pulse of 2 % or at CRF 28, 3.8
# with noise of 4 levels. Where a head turns or a hand sways and the average is wrong they are 9-16 apart (medians;
# bench/chroma_motion.py). No more than the smallest radius of a key that is found by itself (similarity 16): where
# skin of that very colour comes or goes, the average is a radius away before it decides wrong.
MOVED = 4.0
BRIGHTNESS = 0.25  # what a level of Y counts for in that: a strong pulse changes Y by 3 levels, shadow and hair by tens


@dataclass(frozen=True)
class Exposure:
    """Between which brightness a sample's colour means something, in stored levels.

    Attributes
    ----------
    dark, bright : float
        Of Y; and `bright` of R as well, y + red_from_v (v - 128): on skin the first channel that clips.
    red_from_v : float
    """

    dark: float
    bright: float
    red_from_v: float

    def limits(self, v: float) -> tuple[float, float]:
        """Stored Y between which samples with a given stored V are exposed well."""
        return self.dark, self.bright - max(self.red_from_v * (v - 128), 0.0)


def exposure_of(recording: Recording) -> Exposure:
    """Where skin's colour means something in a clip: R and Y below 250, Y above 20 of 0-255."""
    matrix, offset = rgb_from_yuv(recording)
    of_y, of_v = float(matrix[0, 0]), float(matrix[0, 2])
    black = float(offset[0] + 128 * of_v)  # of Y alone: R at neutral chroma
    return Exposure((DARK - black) / of_y, (BRIGHT - black) / of_y, of_v / of_y)


@dataclass(frozen=True)
class Key:
    """A reference colour and how far from it skin may lie.

    Attributes
    ----------
    u, v : float
        The reference in stored levels.
    scale_u, scale_v : float
        Levels of OpenCV's U and V per stored level (`media.color.opencv_chroma_scale`).
    similarity : float
        A sample is skin where ((U - U0) scale_u)^2 + ((V - V0) scale_v)^2 < similarity.
    exposure : Exposure, optional
        What is left out as too dark or too bright; nothing if not given.
    clean : bool
        Whether specks and holes are removed.
    """

    u: float
    v: float
    scale_u: float
    scale_v: float
    similarity: float
    exposure: Exposure | None = None
    clean: bool = False


def _near(total: NDArray[Any], weight: int, reference: float, scale: float) -> NDArray[np.float32]:
    """Squared distance to the reference in one channel, times weight^2: without a division."""
    part: NDArray[np.float32] = total.astype(np.float32)
    part -= np.float32(weight * reference)
    part *= np.float32(scale)
    part *= part
    return part


def _skin(sums: list[NDArray[Any]], weight: int, key: Key) -> NDArray[np.bool_]:
    """Where the mean lies near the key and is exposed well."""
    distance = _near(sums[0], weight, key.u, key.scale_u)
    distance += _near(sums[1], weight, key.v, key.scale_v)
    skin: NDArray[np.bool_] = np.less(distance, np.float32(weight * weight * key.similarity))
    if key.exposure is not None:
        # in one comparison: what is darker than the lower limit becomes a very large unsigned number
        lowest, highest = (int(weight * limit) for limit in key.exposure.limits(key.v))
        lit = sums[2] - lowest
        skin &= lit.view(f"u{lit.itemsize}") < max(highest - lowest, 0)
    return skin


def _follow(
    skin: NDArray[np.bool_], sums: list[NDArray[Any]], weight: int, present: list[NDArray[Any]], near: int, key: Key
) -> None:
    """Decide by the present colour what lies further than `MOVED` from its average; `skin`, decided by the average."""
    # only where the two do not agree anyway, which is of few samples
    places = np.flatnonzero(skin ^ _skin(present, near, key))
    apart = np.zeros(len(places))
    for now, mean, scale in zip(present, sums, (key.scale_u, key.scale_v, BRIGHTNESS), strict=False):  # Y may be absent
        change = weight * now.ravel()[places].astype(np.int64) - near * mean.ravel()[places].astype(np.int64)
        apart += (scale * change) ** 2
    moved = places[apart > (MOVED * weight * near) ** 2]
    skin.ravel()[moved] ^= True


def halved(luma: Plane, shape: tuple[int, int]) -> Plane:
    """Y at chroma resolution: every second sample of every second row, which is enough to know how bright it is."""
    coarse: Plane = luma[: 2 * shape[0] : 2, : 2 * shape[1] : 2]
    return coarse


class _Present:
    """The weighted sums of a few planes of each channel."""

    def __init__(self, shape: tuple[int, ...], channels: int, most: int) -> None:
        kind = np.uint16 if most <= 257 else np.uint32  # of weights that sum up to `most`
        self.totals: list[NDArray[Any]] = [np.empty(shape, kind) for _ in range(channels)]
        self._work = np.empty(shape, kind)

    def add_up(self, entries: list[list[Plane]], weights: list[int]) -> None:
        """Of entries that are lists of a plane for each channel; the heaviest first is fastest."""
        for channel, total in enumerate(self.totals):
            np.multiply(entries[0][channel], weights[0], out=total, dtype=total.dtype)
            for planes, weight in zip(entries[1:], weights[1:], strict=True):
                plane: NDArray[Any] = planes[channel]
                if weight > 1:
                    plane = np.multiply(plane, weight, out=self._work, dtype=total.dtype)
                np.add(total, plane, out=total)


class _Average:
    """The weighted sum of one plane over a window that moves on.

    The sum is linear in time between the moments at which an entry comes into the window, passes its middle and
    leaves it, and at these moments only its slope changes: by the entry, by minus twice the entry, by the entry.
    """

    def __init__(self, shape: tuple[int, ...], most: int) -> None:
        # a slope lies within most / 2 times 255, but for a moment
        self._slope = np.zeros(shape, np.int16 if most <= 120 else np.int32)
        self.total = np.zeros(shape, np.int32 if most <= 1 << 14 else np.int64)
        self._work = np.zeros_like(self.total)

    def start(self, planes: list[Plane], ticks: list[int], at: int, reach: int) -> None:
        for plane, tick in zip(planes, ticks, strict=True):
            np.multiply(plane, reach - abs(tick - at), out=self._work, dtype=self.total.dtype)
            self.total += self._work
            self._turn(plane, 1 if tick > at else -1)

    def _turn(self, plane: Plane, by: int) -> None:
        for _ in range(abs(by)):
            (np.add if by > 0 else np.subtract)(self._slope, plane, out=self._slope)

    def move(self, by: int) -> None:
        np.multiply(self._slope, by, out=self._work, dtype=self.total.dtype)
        self.total += self._work

    def turn(self, plane: Plane, by: int, ago: int) -> None:
        """The slope has changed by `by` times the plane, `ago` ticks before now."""
        self._turn(plane, by)
        if ago:
            np.multiply(plane, by * ago, out=self._work, dtype=self.total.dtype)
            self.total += self._work


def _move(
    averages: list[_Average], held: dict[int, list[Plane]], windows: KeyWindows, numbers: list[int], ticks: list[int],
    before: int,
) -> None:  # fmt: skip
    """From the window of frame `before` to the next one."""
    now, then = int(windows.at[before + 1]), int(windows.at[before])
    reach = windows.reach
    begin, end = int(windows.begin[before]), int(windows.end[before])
    stop = int(windows.end[before + 1])
    # an entry, by how much it changes the slope, and how many ticks ago
    turns = [(e, 1, now - (ticks[e] - reach)) for e in range(end, stop)]
    turns += [(e, -2, now - ticks[e]) for e in range(begin, stop) if then < ticks[e] <= now]
    turns += [(e, 1, now - (ticks[e] + reach)) for e in range(begin, int(windows.begin[before + 1]))]
    for channel, average in enumerate(averages):
        average.move(now - then)
        for e, by, ago in turns:
            average.turn(held[numbers[e]][channel], by, ago)


def segment(frames: Iterable[IndexedPicture], windows: KeyWindows, first: int, last: int, key: Key) -> Iterator[Plane]:
    """Masks of the frames `first` to `last` (excluded).

    Holds the planes of one window, whatever the number of frames.

    Parameters
    ----------
    frames : iterable of IndexedPicture
        In order, at least all those that the windows of `first` to `last` reach. Planes are copied.
    windows : KeyWindows
        Of the clip.
    first, last : int
        Indices in the clip.
    key : Key

    Yields
    ------
    uint8[h, w]
        1 is skin, at chroma resolution; one array for each frame, in order.

    Raises
    ------
    ValueError
        If a frame that a window reaches does not come.
    """
    held: dict[int, list[Plane]] = {}
    averages: list[_Average] = []
    present: _Present | None = None
    source = iter(frames)
    wanted = np.zeros(len(windows.at), np.bool_)
    wanted[windows.frames] = True
    numbers, ticks = windows.frames.tolist(), windows.ticks.tolist()
    arrived = int(windows.low[first]) if first < last else 0
    for i in range(first, last):
        at, begin, end = int(windows.at[i]), int(windows.begin[i]), int(windows.end[i])
        while arrived < int(windows.high[i]):
            frame = next(source, None)
            if frame is None or frame.index > arrived:
                raise ValueError(f"frame {arrived} is needed for the mask of frame {i} and did not come")
            if frame.index < arrived:
                continue
            if wanted[arrived]:
                planes = [frame.u.copy(), frame.v.copy()]
                if key.exposure is not None:
                    planes.append(np.ascontiguousarray(halved(frame.y, frame.u.shape)))
                held[arrived] = planes
                if present is None:
                    present = _Present(frame.u.shape, len(planes), int(windows.near_weight.max()))
            arrived += 1
        before = i - 1
        if i == first or begin >= int(windows.end[before]):  # nothing in common with the window before
            inside = range(begin, end)
            averages = [_Average(plane.shape, windows.most) for plane in held[numbers[begin]]]
            for channel, average in enumerate(averages):
                shown = [held[numbers[e]][channel] for e in inside]
                average.start(shown, [ticks[e] for e in inside], at, windows.reach)
        else:
            _move(averages, held, windows, numbers, ticks, before)
        sums, weight = [average.total for average in averages], int(windows.weight[i])
        skin = _skin(sums, weight, key)
        close = list(range(int(windows.near_begin[i]), int(windows.near_end[i])))
        if close and present is not None and windows.near_reach < windows.reach:
            close = sorted(close, key=lambda e: abs(ticks[e] - at))
            weights = [windows.near_reach - abs(ticks[e] - at) for e in close]
            common = math.gcd(*weights)  # 4, 8, 4 of 30 frames a second are 1, 2, 1
            weights = [one // common for one in weights]
            present.add_up([held[numbers[e]] for e in close], weights)
            _follow(skin, sums, weight, present.totals, sum(weights), key)
        labels = skin.view(np.uint8)
        yield without_specks(labels) if key.clean else labels
        # what leaves the window now is still needed to move it on
        low = int(windows.low[i])
        for number in [n for n in held if n < low]:
            del held[number]
