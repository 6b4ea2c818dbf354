"""What the services say to each other and to their users. Nothing unknown is accepted anywhere."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mesh.errors import Problem
from mesh.parameters import Parameters

DISCLAIMER = (
    "For research and general wellness only. Not a medical device: it shows and measures, it diagnoses nothing, "
    "and must not be used to decide on treatment."
)


class Contract(BaseModel):
    """Base of all messages: unknown fields are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# --- recordings and the plan ----------------------------------------------------------------------------------


class Recording(Contract):
    """What was found in the clip. Names, places and other tags of the file are never passed on."""

    duration_s: float = Field(description="From the first frame to the end of the last, in seconds")
    frames: int = Field(description="Frames in presentation order")
    width: int = Field(description="Of the stored picture in pixels, before rotation")
    height: int = Field(description="Of the stored picture in pixels, before rotation")
    fps: float = Field(description="Mean frame rate from the time stamps, 1/s")
    variable_rate: bool = Field(description="Whether frame distances differ by more than a tenth")
    rotation: int = Field(default=0, description="Clockwise turn for display: 0, 90, 180 or 270 degrees")
    codec: str = Field(description="FFmpeg's name of the codec")
    container: str = Field(description="FFmpeg's name of the container")
    pixel_format: str = Field(description="FFmpeg's name of the pixel format of the clip")
    full_range: bool = Field(default=False, description="Y, U, V use 0-255 (JPEG range) instead of 16-235/240")
    # FFmpeg's enumerations (ISO/IEC 23091-2); 2 is unspecified
    matrix: int = Field(
        default=2, description="Matrix coefficients; unspecified means BT.601 below 720 lines, else 709"
    )
    primaries: int = 2
    transfer: int = 2
    pixel_aspect: tuple[int, int] = Field(default=(1, 1), description="Sample aspect ratio")
    audio: bool = Field(default=False, description="Whether an audio track is carried over")
    bits_per_pixel: float | None = Field(default=None, description="Coded bits per pixel and frame")


class Chunk(Contract):
    """The frames of one span of presentation time."""

    index: int
    first: int = Field(description="Index of its first frame in the plan")
    frames: int = Field(description="How many frames it owns")
    t0: float = Field(description="Time of its first frame, s")
    t1: float = Field(description="Time of the frame after its last, s (the end of the clip for the last chunk)")


class Grid(Contract):
    """The uniform time grid that all signals of the recording are resampled to, fixed once."""

    origin_s: float = Field(description="Time of the first sample, s")
    rate_hz: float = Field(description="Samples a second")
    samples: int


class Plan(Contract):
    """Written last by `split`: from here on everybody knows what there is."""

    recording: Recording
    time_base: tuple[int, int] = Field(description="Seconds per tick of `pts` as a fraction")
    pts: list[int] = Field(description="Presentation time of every frame in ticks, increasing")
    time_scale: float = Field(
        default=1.0, description="Seconds of real time per second of file time (below 1 for slow motion)"
    )
    chunks: list[Chunk]
    grid: Grid
    warnings: list[str] = Field(default_factory=list)


# --- tasks ----------------------------------------------------------------------------------------------------


class Task(Contract):
    """Turns existing blobs into one new blob (and, before it, the blobs that belong to it)."""

    job: str
    recording: str
    stage: str
    index: int
    inputs: list[str] = Field(description="Names of the blobs it reads")
    output: str = Field(description="Name of the blob that ends it")
    parameters: Parameters


# --- jobs -----------------------------------------------------------------------------------------------------


class Outcome(StrEnum):
    """How a job ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job(Contract):
    """The state of record of a job; all else about it is derived from the blobs that exist."""

    id: str
    recording: str
    parameters: Parameters
    created_at: datetime
    tenant: str = Field(default="local", description="Whose job it is")
    webhook: str | None = Field(default=None, description="Address that is told when it has ended")
    expected_chunks: int = Field(default=1, description="About how many chunks the clip will have; for shares only")
    outcome: Outcome | None = None
    problem: Problem | None = None
    finished_at: datetime | None = None


class State(StrEnum):
    """What a client sees."""

    QUEUED = "queued"
    SPLITTING = "splitting"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StageProgress(Contract):
    """How far one stage is."""

    stage: str
    done: int
    total: int | None = Field(description="Not known before the clip is split")
    reused: int = Field(default=0, description="Of `done`, how many an earlier job had made")
    started_at: datetime | None = None
    finished_at: datetime | None = None


class JobView(Contract):
    """A job as the API shows it."""

    id: str
    recording: str
    state: State
    parameters: Parameters
    progress: list[StageProgress]
    created_at: datetime
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    problem: Problem | None = None
    links: dict[str, str] = Field(default_factory=dict)


# --- results --------------------------------------------------------------------------------------------------


class Measurement(Contract):
    """One measured value, or why there is none."""

    value: float | None = None
    unit: str
    low: float | None = Field(default=None, description="Lower end of the 90 % interval")
    high: float | None = Field(default=None, description="Upper end of the 90 % interval")
    confidence: float | None = Field(default=None, ge=0, le=1)
    status: Literal["ok", "refused"]
    reason: str | None = Field(default=None, description="Why it was refused, and what would mend it")

    @classmethod
    def refused(cls, unit: str, reason: str) -> Measurement:
        """A refused measurement has no value."""
        return cls(unit=unit, status="refused", reason=reason)


class RatePoint(Contract):
    """Heart rate of one sliding window."""

    time_s: float = Field(description="Middle of the window")
    heart_rate: Measurement


class Signal(Contract):
    """How good the signal was."""

    snr_db: float | None = Field(description="Power at the rate and its first harmonic over the rest of the band")
    skin_fraction: float = Field(description="Mean part of the picture that was taken for skin")
    details: dict[str, float] = Field(default_factory=dict)


class Person(Contract):
    """The measurements of one person (of one piece of skin)."""

    id: str
    measurements: dict[str, Measurement]
    heart_rate_over_time: list[RatePoint]
    signal: Signal


class VesselCandidate(Contract):
    """A line along which the pulse differs from the skin around it. It guides the eye; it is no guide for a needle."""

    kind: Literal["artery-like", "vein-like"] = Field(description="Stronger and earlier, or weaker and later")
    points: list[tuple[float, float]] = Field(
        description="x, y along its middle in luma pixels of the frame that the maps are drawn over, as it is shown"
    )
    length_px: float
    width_px: float
    score: float = Field(description="Median along it, in standard deviations of the scatter over the skin")
    confidence: float = Field(
        ge=0, le=1, description="Part of its length at which both amplitude and delay differ by more than their errors"
    )
    amplitude_ratio: float = Field(description="Median amplitude over that of the surroundings")
    earlier_ms: float = Field(description="Median time by which it pulses before its surroundings; negative is later")


class RegionPulse(Contract):
    """The pulse of a named region of the skin. Right and left are the person's, not the picture's.

    Intervals hold what differs from one stretch of the clip to another, not what a codec takes from all of it.
    """

    seen: float = Field(ge=0, le=1, description="Part of the region that is skin in the maps")
    amplitude: Measurement = Field(
        description="Relative pulsatile amplitude (fundamental over mean level, green), mean over the region, %"
    )
    amplitude_ratio: Measurement = Field(description="The same over that of the whole skin")
    delay: Measurement = Field(description="When the pulse arrives there after that of the whole skin, ms")


class PersonMapSummary(Contract):
    """What the maps of one person say, in numbers; the maps themselves are files."""

    id: str
    status: Literal["ok", "refused"]
    reason: str | None = Field(default=None, description="Why there are no maps")
    amplitude: Measurement = Field(
        description="Relative pulsatile amplitude (fundamental over mean level, green), median over the skin; low and "
        "high hold 90 % of the skin"
    )
    delay_spread: Measurement = Field(
        description="Span of the delays of 90 % of the skin, smallest to largest; low and high are its ends"
    )
    amplitude_mapped: float | None = Field(default=None, description="Part of the skin that has an amplitude")
    delay_mapped: float | None = Field(default=None, description="Part of the skin that has a delay")
    cell_px: int | None = Field(default=None, description="Side of a cell of the maps, luma pixels")
    regions: dict[str, RegionPulse] = Field(
        default_factory=dict, description="By name, such as forehead or left_cheek; of faces that a mesh follows"
    )
    candidates: list[VesselCandidate] = Field(default_factory=list)


class Maps(Contract):
    """What was mapped."""

    frame_s: float = Field(description="Time of the frame that the maps are drawn over")
    span_s: tuple[float, float] = Field(description="Stretch of the clip that the maps are made of")
    people: list[PersonMapSummary]
    warning: str


class ResultFile(Contract):
    """One file of the result."""

    name: str
    media_type: str
    size: int
    sha256: str
    blob: str


class SkinFinding(Contract):
    """How skin was found."""

    segmenter: str = Field(description="What found it: chroma (its colour), face (landmarks of faces) or sam3")
    because: str = Field(description="Why that one")
    model: str | None = Field(default=None, description="Which weights at which size, where a model found it")


class Result(Contract):
    """`result.json`."""

    job: str = Field(description="The job that computed it; a later job with the same parameters shares it")
    version: str
    recording: Recording
    parameters: Parameters
    skin: SkinFinding | None = None
    people: list[Person]
    warnings: list[str]
    magnification: dict[str, Any] | None = Field(
        default=None, description="Achieved gain and clipping of the magnified clip, where there is one"
    )
    maps: Maps | None = Field(default=None, description="Maps of the pulse, where they were asked for")
    disclaimer: str = DISCLAIMER


class MagnifiedClip(Contract):
    """The blob that ends the stage `clip`: the clip is there before the maps are."""

    file: ResultFile | None = Field(default=None, description="None where nothing was magnified")
    magnification: dict[str, Any] | None = None


class ResultIndex(Contract):
    """The blob that ends a job: its files."""

    files: list[ResultFile]
