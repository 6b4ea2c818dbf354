"""The protocol of a method of motion magnification: what it is shown, what it gives out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


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
