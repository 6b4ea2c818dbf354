"""The chroma key: skin is what lies near a reference colour in U and V, brightness ignored.

The key of faceHR (ajsteele, 2022) decides on every single frame, and so moves samples over its edge with every
beat: the mask follows the pulse and takes most of it away. Here chroma is first averaged over +- 1 s (reflected at
the clip's ends); the per-frame key is the same with a window of one frame.

Sums are integers and every later step is one correctly rounded float32 operation a sample, so that a frame's mask
is the same bits however the clip was cut.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

HELD_BYTES = 96 << 20  # most bytes of chroma that one window may hold
KEY_RATE_HZ = 30.0  # frames a second that enter an average; more would change nothing but the cost
_TIE_S = 1e-9  # times are multiples of a tick in floating point: a frame 1 s away lies inside


class ChromaFrame(Protocol):
    """What the key needs of a frame."""

    @property
    def index(self) -> int:
        """In the plan."""
        ...

    @property
    def u(self) -> NDArray[np.uint8]:
        """The U plane."""
        ...

    @property
    def v(self) -> NDArray[np.uint8]:
        """The V plane."""
        ...


@dataclass(frozen=True)
class KeyWindows:
    """Which frames decide on which.

    Frame i is decided on the sum over frames `low[i]` to `high[i]`, and of the mirror images of frames
    1 to `head[i]` before the clip and `tail[i]` to n - 1 behind it; all bounds exclude their end, and only frames
    in `used` count.

    Attributes
    ----------
    used : bool[n]
    low, high, head, tail : int64[n]
    count : int64[n]
        Frames and images in each sum, at least 1.
    """

    used: NDArray[np.bool_]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    head: NDArray[np.int64]
    tail: NDArray[np.int64]
    count: NDArray[np.int64]


def key_windows(times: NDArray[np.float64], half_width: float, plane_bytes: int = 0) -> KeyWindows:
    """The windows of +- `half_width` around every frame, reflected at the first and the last frame.

    A frame at time t is mirrored to 2 times[0] - t and 2 times[-1] - t, the first and the last frame themselves
    are not repeated. Of a clip with many frames a second, or very large ones, every k-th frame counts, so that
    at most `HELD_BYTES` are held; k and thus every mask depend on the clip alone.

    Parameters
    ----------
    times : float64[n]
        Of all frames of the clip in seconds, increasing.
    half_width : float
        In seconds; 0 decides every frame on itself.
    plane_bytes : int
        Bytes of U and V of one frame.

    Returns
    -------
    KeyWindows
    """
    n = len(times)
    stride = 1
    if half_width > 0 and n > 1:
        rate = (n - 1) / (times[-1] - times[0])
        held = 2 * half_width * rate * plane_bytes
        stride = max(1, math.floor(rate / KEY_RATE_HZ + 0.5), math.ceil(held / HELD_BYTES))
    used = np.arange(n) % stride == 0
    windows = _windows(times, half_width, used)
    alone = windows.count == 0
    if alone.any():  # between two gaps, and not a k-th frame: it counts for itself
        windows = _windows(times, half_width, used | alone)
    return windows


def _windows(times: NDArray[np.float64], half_width: float, used: NDArray[np.bool_]) -> KeyWindows:
    n = len(times)
    reach = half_width + _TIE_S
    before = np.concatenate([[0], np.cumsum(used)])  # used frames before each index
    low = np.searchsorted(times, times - reach, side="left")
    high = np.searchsorted(times, times + reach, side="right")
    head = np.maximum(np.searchsorted(times, 2 * times[0] - times + reach, side="right"), 1)
    tail = np.minimum(np.searchsorted(times, 2 * times[-1] - times - reach, side="left"), n - 1)
    images = before[head] - before[min(1, n)] + before[n - 1] - before[tail]
    return KeyWindows(used, low, high, head, tail, before[high] - before[low] + images)


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
    """

    u: float
    v: float
    scale_u: float
    scale_v: float
    similarity: float


def _decide(sums: list[NDArray[np.generic]], count: int, key: Key) -> NDArray[np.uint8]:
    """Skin where the mean lies near the key: the sums are compared with count times the key, without a division."""
    distance = None
    for total, reference, scale in ((sums[0], key.u, key.scale_u), (sums[1], key.v, key.scale_v)):
        part = total.astype(np.float32)
        part -= np.float32(count * reference)
        part *= np.float32(scale)
        part *= part
        distance = part if distance is None else np.add(distance, part, out=distance)
    assert distance is not None
    return np.less(distance, np.float32(count * count * key.similarity)).view(np.uint8)


def segment(
    frames: Iterable[ChromaFrame], windows: KeyWindows, first: int, last: int, key: Key
) -> Iterator[NDArray[np.uint8]]:
    """Masks of the frames `first` to `last` (excluded).

    Holds the chroma of one window, whatever the number of frames.

    Parameters
    ----------
    frames : iterable of ChromaFrame
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
    held: dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]] = {}
    # 257 samples of 255 still fit into 16 bits
    dtype = np.uint16 if windows.count[first:last].max(initial=0) <= 257 else np.uint32
    sums: list[NDArray[np.generic]] = []
    source = iter(frames)
    used = windows.used

    def change(start: int, stop: int, operation: np.ufunc) -> None:
        for j in range(start, stop):
            if used[j]:
                for total, plane in zip(sums, held[j], strict=True):
                    operation(total, plane, out=total)

    arrived = int(windows.low[first]) if first < last else 0
    for i in range(first, last):
        low, high = int(windows.low[i]), int(windows.high[i])
        head, tail = int(windows.head[i]), int(windows.tail[i])
        while arrived < high:
            frame = next(source, None)
            if frame is None or frame.index > arrived:
                raise ValueError(f"frame {arrived} is needed for the mask of frame {i} and did not come")
            if frame.index < arrived:
                continue
            if used[arrived]:
                held[arrived] = (frame.u.copy(), frame.v.copy())
            arrived += 1
        if i == first:
            planes = next(iter(held.values()))
            sums = [np.zeros(plane.shape, dtype) for plane in planes]
            change(low, high, np.add)
            change(1, head, np.add)
            change(tail, len(used) - 1, np.add)
        else:
            before = i - 1
            change(int(windows.high[before]), high, np.add)
            change(tail, int(windows.tail[before]), np.add)
            change(int(windows.low[before]), low, np.subtract)
            change(head, int(windows.head[before]), np.subtract)
        for j in range(int(windows.low[max(i - 1, first)]), low):
            held.pop(j, None)
        yield _decide(sums, int(windows.count[i]), key)
