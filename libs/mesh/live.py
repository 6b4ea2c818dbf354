"""What the gateway and others say to each other about a live session.

ppg: the last seconds of colours, and a reading of them. segmenter: coded video, and the colours of the skin in it.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from mesh.bytes_request import BytesRequest
from mesh.contracts import Contract, Measurement

KIND = "live"  # of the request for a reading
MEDIA_KIND = "live-media"  # of the request for colours
WINDOW_S = 20.0  # of signal that a reading looks at
MOST_PATCHES = 16
MOST_FRAMES = 1300  # in a window: 65 frames a second
MEDIA_PATCHES = 16  # of coded video: a grid of four by four over the skin
PIECE_BYTES = 512 << 10  # of coded video in one piece
HELD_BYTES = 960 << 10  # of coded video since the last keyframe; with what else is said it fits into one message

State = Literal["waiting", "short", "good", "bad", "unstable"]


class LiveReading(Contract):
    """What the last seconds show."""

    state: State = Field(
        description="`waiting`: no skin, or nothing comes; `short`: not enough yet; `good`; "
        "`bad`: no rate can be given; `unstable`: a rate that is uncertain or changes from one reading to the next"
    )
    heart_rate: Measurement
    snr_db: float | None = Field(default=None, description="Of the pulse in its band")
    seconds: float = Field(description="Of signal that this reading looked at")
    wave_time_s: list[float] = Field(default_factory=list, description="Times of `wave`, as the frames have them")
    wave: list[float] = Field(default_factory=list, description="The pulse, in units of its standard deviation")


Colour = tuple[float, float, float]


class LiveMediaRequest(BytesRequest):
    """Coded video, which follows this as bytes: the head of a stream and all from its last keyframe on."""

    asks_for: ClassVar[str] = "colours"

    after_s: float | None = Field(default=None, description="By the stream's clock; only later frames are asked for")
    skin: str | None = Field(default=None, description="As the last answer had it", max_length=200_000)
    skin_point: tuple[float, float] | None = Field(default=None, description="A spot of skin, px of the frame as shown")


class LiveColours(Contract):
    """The skin of the frames of coded video."""

    t: list[float] = Field(description="Seconds, by the stream's clock", max_length=MOST_FRAMES)
    rgb: list[list[Colour | None]] = Field(description="Mean R, G, B (0-255) of each patch; null where it is no skin")
    head: int = Field(ge=0, description="Bytes of the stream's head; 0 where it has not come whole")
    restart: int = Field(ge=0, description="What lies before it, behind the head, is not needed any more")
    skin: str | None = Field(default=None, description="What was taken for skin: for the next request")
    reason: str | None = Field(default=None, description="Why there is no skin")
