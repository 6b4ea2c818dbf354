"""Every failure that a user can meet: one class each, with its status, its slug and whether a retry can help.

The gateway turns them into RFC 9457 problems; a task's `failure` blob holds the same problem.
"""

from __future__ import annotations

from mesh.errors.failure import (
    PROBLEM_BASE,
    Failure,
    Problem,
)
from mesh.errors.recording import (
    EmptyUpload,
    NoFrames,
    NotMoving,
    NoVideoStream,
    RecordingFailure,
    TooLarge,
    TooLong,
    TooManyPixels,
    TooShort,
    UnreadablePicture,
    UnreadableVideo,
    UnsupportedCodec,
)
from mesh.errors.request import (
    BadParameters,
    BadRequest,
    ChecksumMismatch,
    Conflict,
    Erased,
    Expired,
    Forbidden,
    KeyReused,
    LinkExpired,
    MethodNotAllowed,
    MissingScope,
    NotFound,
    RangeNotSatisfiable,
    StillRunning,
    TusVersion,
    Unauthorized,
    UnsupportedMedia,
    UploadIncomplete,
    UploadStalled,
    WrongOffset,
)
from mesh.errors.service import (
    BlobIncomplete,
    Busy,
    DeliveriesExhausted,
    Internal,
    MissingWeights,
    OutOfMemory,
    OutOfScratch,
    OutOfTime,
    RateLimited,
    StorageFull,
    Unavailable,
    WorkerCrashed,
)

__all__ = [
    "PROBLEM_BASE",
    "BadParameters",
    "BadRequest",
    "BlobIncomplete",
    "Busy",
    "ChecksumMismatch",
    "Conflict",
    "DeliveriesExhausted",
    "EmptyUpload",
    "Erased",
    "Expired",
    "Failure",
    "Forbidden",
    "Internal",
    "KeyReused",
    "LinkExpired",
    "MethodNotAllowed",
    "MissingScope",
    "MissingWeights",
    "NoFrames",
    "NoVideoStream",
    "NotFound",
    "NotMoving",
    "OutOfMemory",
    "OutOfScratch",
    "OutOfTime",
    "Problem",
    "RangeNotSatisfiable",
    "RateLimited",
    "RecordingFailure",
    "StillRunning",
    "StorageFull",
    "TooLarge",
    "TooLong",
    "TooManyPixels",
    "TooShort",
    "TusVersion",
    "Unauthorized",
    "Unavailable",
    "UnreadablePicture",
    "UnreadableVideo",
    "UnsupportedCodec",
    "UnsupportedMedia",
    "UploadIncomplete",
    "UploadStalled",
    "WorkerCrashed",
    "WrongOffset",
    "failure_classes",
    "from_problem",
]


def failure_classes() -> list[type[Failure]]:
    """All failures, base first: the OpenAPI schema and the docs are made from this."""
    found: list[type[Failure]] = []
    queue: list[type[Failure]] = [Failure]
    while queue:
        cls = queue.pop(0)
        found.append(cls)
        queue.extend(cls.__subclasses__())
    return found


def from_problem(problem: Problem) -> Failure:
    """The failure that a problem was made from; `Internal` where the slug is unknown."""
    for cls in failure_classes():
        if cls.slug == problem.slug and cls is not Failure:
            return cls(problem.detail, hint=problem.hint, errors=problem.errors)
    return Internal(problem.detail, hint=problem.hint)
