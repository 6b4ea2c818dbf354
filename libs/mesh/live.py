"""What gateway and ppg say to each other about a live session: the last seconds of colours, and a reading of them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mesh.contracts import Contract, Measurement

KIND = "live"  # of the request
WINDOW_S = 20.0  # of signal that a reading looks at
MOST_PATCHES = 16
MOST_FRAMES = 1300  # in a window: 65 frames a second

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
