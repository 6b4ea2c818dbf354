"""What a gateway answers, as dataclasses. Fields that this version does not know are passed over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pulsemesh_client.errors import Problem

ENDED = frozenset({"succeeded", "failed", "cancelled"})


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@dataclass(frozen=True)
class StageProgress:
    """How far one stage of a job is; `total` is not known before the clip is split."""

    stage: str
    done: int
    total: int | None
    reused: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> StageProgress:
        """Progress from its JSON."""
        return cls(
            data["stage"], data["done"], data.get("total"), data.get("reused", 0),
            _time(data.get("started_at")), _time(data.get("finished_at")),
        )  # fmt: skip


@dataclass(frozen=True)
class Job:
    """A job.

    Attributes
    ----------
    state : str
        `queued`, `splitting`, `processing`, `succeeded`, `failed` or `cancelled`.
    problem : Problem or None
        Why it failed.
    """

    id: str
    recording: str
    state: str
    parameters: dict[str, Any]
    progress: list[StageProgress]
    created_at: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    problem: Problem | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more happens."""
        return self.state in ENDED

    @property
    def succeeded(self) -> bool:
        """Whether there is a result."""
        return self.state == "succeeded"

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Job:
        """A job from its JSON."""
        problem = data.get("problem")
        return cls(
            id=data["id"],
            recording=data["recording"],
            state=data["state"],
            parameters=dict(data.get("parameters") or {}),
            progress=[StageProgress.parse(found) for found in data.get("progress") or []],
            created_at=_time(data.get("created_at")),
            finished_at=_time(data.get("finished_at")),
            expires_at=_time(data.get("expires_at")),
            problem=Problem.parse(problem) if problem else None,
        )


@dataclass(frozen=True)
class RecordingInfo:
    """What is known of a recording; size in bytes and SHA-256 while its clip is kept."""

    id: str
    size: int | None
    sha256: str | None
    jobs: list[str]

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> RecordingInfo:
        """A recording from its JSON."""
        return cls(data["id"], data.get("size"), data.get("sha256"), list(data.get("jobs") or []))


@dataclass(frozen=True)
class File:
    """One file of a result."""

    name: str
    media_type: str
    size: int
    sha256: str

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> File:
        """A file from its JSON."""
        return cls(data["name"], data["media_type"], data["size"], data["sha256"])


@dataclass(frozen=True)
class Link:
    """A signed address that needs no token until it expires."""

    href: str
    expires_at: datetime


@dataclass(frozen=True)
class Measurement:
    """One measured value with its 90 % interval, or why there is none."""

    value: float | None
    unit: str
    low: float | None
    high: float | None
    confidence: float | None
    status: str
    reason: str | None

    @property
    def ok(self) -> bool:
        """Whether there is a value."""
        return self.status == "ok"

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Measurement:
        """A measurement from its JSON."""
        return cls(
            data.get("value"), data["unit"], data.get("low"), data.get("high"), data.get("confidence"),
            data["status"], data.get("reason"),
        )  # fmt: skip


@dataclass(frozen=True)
class RatePoint:
    """Heart rate of one sliding window; `time_s` is its middle."""

    time_s: float
    heart_rate: Measurement


@dataclass(frozen=True)
class Signal:
    """How good the signal was."""

    snr_db: float | None
    skin_fraction: float
    details: dict[str, float]


@dataclass(frozen=True)
class Person:
    """The measurements of one person (of one piece of skin)."""

    id: str
    measurements: dict[str, Measurement]
    heart_rate_over_time: list[RatePoint]
    signal: Signal

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Person:
        """A person from its JSON."""
        signal = data["signal"]
        return cls(
            id=data["id"],
            measurements={name: Measurement.parse(found) for name, found in data["measurements"].items()},
            heart_rate_over_time=[
                RatePoint(found["time_s"], Measurement.parse(found["heart_rate"]))
                for found in data["heart_rate_over_time"]
            ],
            signal=Signal(signal.get("snr_db"), signal["skin_fraction"], dict(signal.get("details") or {})),
        )


@dataclass(frozen=True)
class Result:
    """What was measured.

    Attributes
    ----------
    recording, parameters : dict
        Facts of the clip, and what it was measured with.
    raw : dict
        `result.json` as it came.
    """

    job: str
    version: str
    recording: dict[str, Any]
    parameters: dict[str, Any]
    people: list[Person]
    warnings: list[str]
    magnification: dict[str, Any] | None
    disclaimer: str
    raw: dict[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Result:
        """A result from its JSON."""
        return cls(
            job=data["job"],
            version=data.get("version", ""),
            recording=dict(data["recording"]),
            parameters=dict(data["parameters"]),
            people=[Person.parse(found) for found in data["people"]],
            warnings=list(data.get("warnings") or []),
            magnification=data.get("magnification"),
            disclaimer=data.get("disclaimer", ""),
            raw=dict(data),
        )
