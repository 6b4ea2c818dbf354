"""What can go wrong: one class for each problem that a gateway answers with, known by the slug of its type.

PulsemeshError
  Unreachable            no gateway answers
  WaitTimeout            the job did not end in time
  Damaged                a download is not what its digest says
  Refused                the gateway answered with a problem
    RecordingRefused     the recording can never work
    RequestRefused       the request is wrong
    AccessRefused        the token does not allow it
    TryLater             the same request may succeed later
    MeshFailed           the mesh could not do it
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class Problem:
    """An RFC 9457 problem.

    Attributes
    ----------
    slug : str
        The last part of `type`: a stable word.
    errors : list of dict
        The fields at fault: `pointer` and `detail` each.
    """

    type: str
    title: str
    status: int
    detail: str
    hint: str | None = None
    retryable: bool = False
    errors: list[dict[str, Any]] = field(default_factory=list)

    @property
    def slug(self) -> str:
        """What kind of problem it is."""
        return self.type.rsplit("/", 1)[-1]

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Problem:
        """A problem from its JSON; what is missing has a default."""
        return cls(
            type=str(data.get("type", "about:blank")),
            title=str(data.get("title", "")),
            status=int(data.get("status", 0)),
            detail=str(data.get("detail", "")),
            hint=data.get("hint"),
            retryable=bool(data.get("retryable", False)),
            errors=list(data.get("errors") or []),
        )

    def __str__(self) -> str:
        """One line for a person."""
        said = self.title if self.detail in ("", self.title) else f"{self.title}: {self.detail}"
        said = said.rstrip(". ")
        for error in self.errors:
            detail = error.get("detail") or error.get("msg")
            pointer = str(error.get("pointer", "")).lstrip("#/")
            if detail:
                said += f"; {pointer}: {detail}" if pointer else f"; {detail}"
        hint = f". {self.hint}" if self.hint else ""
        return " ".join(f"{said}{hint}".split())


class PulsemeshError(Exception):
    """Base of all."""


class Unreachable(PulsemeshError):
    """No gateway answers, or it was away for too long."""


class WaitTimeout(PulsemeshError):
    """The job did not end in time; it goes on."""


class Damaged(PulsemeshError):
    """What was downloaded is not what its digest says."""


_BY_SLUG: dict[str, type[Refused]] = {}


class Refused(PulsemeshError):
    """The gateway answered with a problem.

    Attributes
    ----------
    status : int
    problem : Problem or None
        None where something else than a gateway answered.
    """

    slug: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        if "slug" in vars(cls):
            _BY_SLUG[cls.slug] = cls

    def __init__(self, status: int, problem: Problem | None, text: str = "") -> None:
        said = str(problem) if problem is not None else f"the gateway answered {status}: {' '.join(text.split())[:200]}"
        super().__init__(said)
        self.status, self.problem = status, problem

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.problem.retryable if self.problem is not None else self.status in (429, 502, 503, 504)


def refusal(status: int, data: Any, text: str = "") -> Refused:
    """The exception for an answer; `data` is its JSON where it is a problem, else None."""
    if not isinstance(data, Mapping) or "title" not in data:
        return Refused(status, None, text)
    problem = Problem.parse(data)
    return _BY_SLUG.get(problem.slug, Refused)(status, problem)


def known_slugs() -> frozenset[str]:
    """The problems that have a class of their own."""
    return frozenset(_BY_SLUG)


class RecordingRefused(Refused):
    """This recording can never work."""

    slug = "recording"


class RequestRefused(Refused):
    """The request is wrong."""


class AccessRefused(Refused):
    """Whoever asks may not."""


class TryLater(Refused):
    """The same request may succeed later."""


class MeshFailed(Refused):
    """The mesh could not do it."""


# --- one class for each problem; what they mean stands in the title and the hint of the problem itself


class EmptyUpload(RecordingRefused):
    slug = "empty-upload"


class UnreadableVideo(RecordingRefused):
    slug = "unreadable-video"


class NoVideoStream(RecordingRefused):
    slug = "no-video-stream"


class NoFrames(RecordingRefused):
    slug = "no-frames"


class NotMoving(RecordingRefused):
    slug = "not-a-video"


class TooShort(RecordingRefused):
    slug = "too-short"


class TooLong(RecordingRefused):
    slug = "too-long"


class TooManyPixels(RecordingRefused):
    slug = "too-many-pixels"


class TooLarge(RecordingRefused):
    slug = "too-large"


class UnsupportedCodec(RecordingRefused):
    slug = "unsupported-codec"


class BadParameters(RequestRefused):
    slug = "bad-parameters"


class BadRequest(RequestRefused):
    slug = "bad-request"


class NotFound(RequestRefused):
    slug = "not-found"


class Erased(RequestRefused):
    slug = "erased"


class Expired(RequestRefused):
    slug = "expired"


class Conflict(RequestRefused):
    slug = "conflict"


class UnsupportedMedia(RequestRefused):
    slug = "unsupported-media-type"


class UnreadablePicture(RequestRefused):
    slug = "unreadable-picture"


class MethodNotAllowed(RequestRefused):
    slug = "method-not-allowed"


class KeyReused(RequestRefused):
    slug = "idempotency-key-reused"


class RangeNotSatisfiable(RequestRefused):
    slug = "range-not-satisfiable"


class UploadIncomplete(RequestRefused):
    slug = "upload-incomplete"


class TusVersion(RequestRefused):
    slug = "tus-version"


class Unauthorized(AccessRefused):
    slug = "unauthorized"


class Forbidden(AccessRefused):
    slug = "forbidden"


class MissingScope(AccessRefused):
    slug = "missing-scope"


class LinkExpired(AccessRefused):
    slug = "link-expired"


class StillRunning(TryLater):
    slug = "still-running"


class UploadStalled(TryLater):
    slug = "upload-stalled"


class WrongOffset(TryLater):
    slug = "wrong-offset"


class ChecksumMismatch(TryLater):
    slug = "checksum-mismatch"


class Busy(TryLater):
    slug = "busy"


class RateLimited(TryLater):
    slug = "rate-limited"


class Unavailable(TryLater):
    slug = "unavailable"


class StorageFull(TryLater):
    slug = "storage-full"


class BlobIncomplete(TryLater):
    slug = "blob-incomplete"


class OutOfMemory(MeshFailed):
    slug = "out-of-memory"


class OutOfScratch(MeshFailed):
    slug = "out-of-scratch"


class OutOfTime(MeshFailed):
    slug = "out-of-time"


class MissingWeights(MeshFailed):
    slug = "missing-weights"


class WorkerCrashed(MeshFailed):
    slug = "worker-crashed"


class DeliveriesExhausted(MeshFailed):
    slug = "deliveries-exhausted"


class Internal(MeshFailed):
    slug = "internal"
