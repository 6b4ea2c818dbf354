"""The protocol of a method of motion magnification, and the one place that knows which methods there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from magnifier.motion.settings import Settings


class Frame(Protocol):
    """A decoded frame, as `media.decode.Frame`.

    Attributes
    ----------
    index : int
    time : float
        Seconds; 0 is the clip's first frame.
    y : uint8[height, width]
    u, v : uint8[ceil(height / 2), ceil(width / 2)]
    """

    @property
    def index(self) -> int: ...
    @property
    def time(self) -> float: ...
    @property
    def y(self) -> Any: ...
    @property
    def u(self) -> Any: ...
    @property
    def v(self) -> Any: ...


@dataclass(frozen=True)
class Magnified:
    """A frame with its movement magnified: `index` of the frame it came from, and planes of its shapes, uint8."""

    index: int
    y: Any
    u: Any
    v: Any


class Method(Protocol):
    """What magnifies the frames of one segment."""

    def push(self, frame: Frame, weights: Any = None) -> list[Magnified]:
        """Show the next frame; get the frames that are ready, in order.

        Parameters
        ----------
        frame : Frame
            In order of time. Its planes are kept, never changed.
        weights : float32[ceil(height / 2), ceil(width / 2)], optional
            0-1: where this frame may change, at chroma resolution; everywhere if not given.
        """
        ...

    def finish(self) -> list[Magnified]:
        """The frames that still wait, when there are no more to show."""
        ...


def support_s(settings: Settings, rate_hz: float) -> tuple[float, float]:
    """Seconds before and after a frame of which the method has to see the frames."""
    raise NotImplementedError


def check_motion(settings: Settings, rate_hz: float, size: tuple[int, int]) -> None:
    """Refuse settings that cannot work on a recording, in words that say what to change.

    Parameters
    ----------
    settings : Settings
    rate_hz : float
        Mean frame rate of the recording, `plan.grid.rate_hz`.
    size : (int, int)
        Height and width in px.

    Raises
    ------
    ValueError
    """
    raise NotImplementedError


def make_method(
    settings: Settings, rate_hz: float, size: tuple[int, int], span: tuple[float, float] | None = None, threads: int = 1
) -> Method:
    """A method for one segment: frames with span[0] <= time < span[1] come out, all of them without a span.

    Parameters
    ----------
    settings : Settings
    rate_hz, size
        As in `check_motion`.
    span : (float, float), optional
        Seconds.
    threads : int
        How many may be used at once; changes no bit.
    """
    raise NotImplementedError
