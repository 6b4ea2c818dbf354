"""Every failure that a user can meet: one class each, with its status, its slug and whether a retry can help.

The gateway turns them into RFC 9457 problems; a task's `failure` blob holds the same problem.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

PROBLEM_BASE = "https://pulsemesh.dev/problems/"


class Problem(BaseModel):
    """An RFC 9457 problem."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(description="A stable identifier: the base address and the slug of the failure")
    title: str = Field(description="What kind of failure it is")
    status: int = Field(description="The HTTP status that belongs to it")
    detail: str = Field(description="What happened this time")
    hint: str | None = Field(default=None, description="What to do about it")
    retryable: bool = Field(default=False, description="Whether the same request may succeed later")
    instance: str | None = Field(default=None, description="The request or the task that failed")
    errors: list[dict[str, Any]] | None = Field(default=None, description="The fields at fault, as JSON pointers")

    @property
    def slug(self) -> str:
        """The last part of `type`."""
        return self.type.rsplit("/", 1)[-1]


class Failure(Exception):
    """Base of all failures.

    Attributes
    ----------
    status, slug, title, retryable : of the class
        HTTP status, stable identifier, short name, whether the same work may succeed later.
    recording_at_fault : bool
        True where the recording itself can never work. Failures for another cause (memory, time) are
        cleared when a new job asks for the same recording.
    """

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side"
    retryable: ClassVar[bool] = False
    recording_at_fault: ClassVar[bool] = False
    default_hint: ClassVar[str | None] = None

    def __init__(
        self, detail: str = "", *, hint: str | None = None, errors: list[dict[str, Any]] | None = None
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.hint = hint or self.default_hint
        self.errors = errors

    def __reduce__(self) -> tuple[Any, ...]:  # crosses process boundaries whole
        return _rebuild, (type(self), self.detail, self.hint, self.errors)

    def problem(self, instance: str | None = None) -> Problem:
        """This failure as an RFC 9457 problem."""
        return Problem(
            type=PROBLEM_BASE + self.slug,
            title=self.title,
            status=self.status,
            detail=self.detail,
            hint=self.hint,
            retryable=self.retryable,
            instance=instance,
            errors=self.errors,
        )


def _rebuild(cls: type[Failure], detail: str, hint: str | None, errors: list[dict[str, Any]] | None) -> Failure:
    return cls(detail, hint=hint, errors=errors)


# --- the recording can never work -----------------------------------------------------------------------------


class RecordingFailure(Failure):
    """The recording itself is at fault: refused, never retried."""

    status = 422
    slug = "recording"
    title = "This recording cannot be used"
    recording_at_fault = True


class EmptyUpload(RecordingFailure):
    """The upload has no bytes."""

    status = 400
    slug = "empty-upload"
    title = "The upload is empty"
    default_hint = "Send the video file itself."


class UnreadableVideo(RecordingFailure):
    """No allowed demuxer or decoder can read it."""

    slug = "unreadable-video"
    title = "This is not a video we can read"
    default_hint = "Send MP4, MOV, WebM, MKV or AVI as the camera wrote it."


class UnreadablePicture(Failure):
    """A picture that no allowed decoder can read."""

    status = 422
    slug = "unreadable-picture"
    title = "This is not a picture we can read"
    default_hint = "Send a JPEG, PNG or WebP of at most 16 million pixels."


class NoVideoStream(RecordingFailure):
    """A media file without moving pictures."""

    slug = "no-video-stream"
    title = "There is no video in this file"
    default_hint = "Send a file with a video track."


class NoFrames(RecordingFailure):
    """Opens, but not one frame decodes."""

    slug = "no-frames"
    title = "Not one frame of this video can be decoded"
    default_hint = "The file is probably cut short: export or upload it again."


class NotMoving(RecordingFailure):
    """A single picture."""

    slug = "not-a-video"
    title = "This is a picture, not a video"
    default_hint = "Record at least five seconds of video."


class TooShort(RecordingFailure):
    """Shorter than anything can be measured in."""

    slug = "too-short"
    title = "This video is too short"
    default_hint = "Record at least five seconds."


class TooLong(RecordingFailure):
    """Longer than the limit."""

    status = 413
    slug = "too-long"
    title = "This video is too long"
    default_hint = "Cut it, or raise the limit on duration."


class TooManyPixels(RecordingFailure):
    """Frames larger than the limit."""

    status = 413
    slug = "too-many-pixels"
    title = "The frames of this video are too large"
    default_hint = "Scale it down to 4K or less."


class TooLarge(RecordingFailure):
    """More bytes than the limit."""

    status = 413
    slug = "too-large"
    title = "This upload is too large"
    default_hint = "Cut the video, or raise the limit on uploads."


class UnsupportedCodec(RecordingFailure):
    """A codec or a pixel format for which no decoder is carried."""

    status = 415
    slug = "unsupported-codec"
    title = "The codec of this video is not supported"
    default_hint = "Export it as H.264 MP4."


# --- the request is wrong -------------------------------------------------------------------------------------


class BadParameters(Failure):
    """Parameters that no run could use."""

    status = 422
    slug = "bad-parameters"
    title = "A parameter is out of range or unknown"
    default_hint = "GET /v1/parameters lists names, units and ranges."


class BadRequest(Failure):
    """A request that is not well formed."""

    status = 400
    slug = "bad-request"
    title = "The request is not well formed"


class NotFound(Failure):
    """No such thing, or not yours."""

    status = 404
    slug = "not-found"
    title = "There is no such thing here"


class Erased(Failure):
    """The recording was erased."""

    status = 410
    slug = "erased"
    title = "This recording was erased"


class Conflict(Failure):
    """The state does not allow it, e.g. a result that is not there yet."""

    status = 409
    slug = "conflict"
    title = "That is not possible in this state"


class Unauthorized(Failure):
    """No token, or a wrong one."""

    status = 401
    slug = "unauthorized"
    title = "A valid API token is needed"
    default_hint = "Send `Authorization: Bearer <token>`."


class UnsupportedMedia(Failure):
    """A content type that is no video."""

    status = 415
    slug = "unsupported-media-type"
    title = "This content type is not accepted"
    default_hint = "Send multipart/form-data, application/json or a video/* body."


class Forbidden(Failure):
    """A page of another origin, or a name of ours that is not ours."""

    status = 403
    slug = "forbidden"
    title = "Requests from there are not accepted"
    default_hint = "Name the page's origin in PULSEMESH_CORS_ORIGINS."


class MethodNotAllowed(Failure):
    """An address that exists, another method."""

    status = 405
    slug = "method-not-allowed"
    title = "This address does not take that method"


class MissingScope(Failure):
    """A token that is valid, for something else."""

    status = 403
    slug = "missing-scope"
    title = "This token does not allow that"
    default_hint = "Use a token with the scope that `detail` names."


class LinkExpired(Failure):
    """A signed link whose time is over, or that was changed."""

    status = 403
    slug = "link-expired"
    title = "This link is not valid any more"
    default_hint = "POST /v1/links makes a new one."


class TusVersion(Failure):
    """A version of the tus protocol that is not spoken here."""

    status = 412
    slug = "tus-version"
    title = "This version of the tus protocol is not spoken here"
    default_hint = "Send `Tus-Resumable: 1.0.0`."


class WrongOffset(Failure):
    """A piece of an upload that does not begin where the upload ends."""

    status = 409
    slug = "wrong-offset"
    title = "The upload does not end where this piece begins"
    retryable = True
    default_hint = "HEAD says where it ends: go on from there."


class UploadIncomplete(Failure):
    """A recording whose upload has not come to its end."""

    status = 409
    slug = "upload-incomplete"
    title = "The upload of this recording has not come to its end"
    default_hint = "Send the rest first; HEAD says how much there is."


class ChecksumMismatch(Failure):
    """A piece of an upload that is not what its checksum says; 460 is the status of the tus protocol."""

    status = 460
    slug = "checksum-mismatch"
    title = "The bytes that came are not those of the checksum"
    retryable = True


class UploadStalled(Failure):
    """The client stopped sending."""

    status = 408
    slug = "upload-stalled"
    title = "The upload stopped"
    retryable = True


class Expired(Failure):
    """It was kept for its time, and no longer."""

    status = 410
    slug = "expired"
    title = "This is no longer kept"
    default_hint = "Send the clip again."


class KeyReused(Failure):
    """An Idempotency-Key that came with another request before."""

    status = 422
    slug = "idempotency-key-reused"
    title = "This Idempotency-Key belongs to another request"
    default_hint = "Use a new key for a new request."


class StillRunning(Failure):
    """The first request with this Idempotency-Key has no answer yet."""

    status = 409
    slug = "still-running"
    title = "The first request with this Idempotency-Key is still running"
    retryable = True


class RangeNotSatisfiable(Failure):
    """A Range beyond the end."""

    status = 416
    slug = "range-not-satisfiable"
    title = "That range lies outside the file"


# --- we failed ------------------------------------------------------------------------------------------------


class Busy(Failure):
    """Admission control: the queue is full."""

    status = 429
    slug = "busy"
    title = "Too much work is queued"
    retryable = True
    default_hint = "Try again after the seconds that Retry-After names."


class RateLimited(Failure):
    """More requests in a time than a tenant may send."""

    status = 429
    slug = "rate-limited"
    title = "Too many requests"
    retryable = True
    default_hint = "Try again after the seconds that Retry-After names."


class Unavailable(Failure):
    """The broker or the store cannot be reached."""

    status = 503
    slug = "unavailable"
    title = "A part of the mesh cannot be reached"
    retryable = True


class StorageFull(Failure):
    """No room for an upload, or for what is made of it."""

    status = 507
    slug = "storage-full"
    title = "There is no room for this recording now"
    retryable = True


class BlobIncomplete(Failure):
    """A manifest whose parts are not all there: typed, never a short read."""

    status = 503
    slug = "blob-incomplete"
    title = "A stored piece of this recording is missing"
    retryable = True


class OutOfMemory(Failure):
    """A task went over its memory limit."""

    status = 507
    slug = "out-of-memory"
    title = "This recording needs more memory than a worker may use"
    default_hint = "Try a smaller picture or shorter chunks."


class OutOfScratch(Failure):
    """A task wrote a file over its limit."""

    status = 507
    slug = "out-of-scratch"
    title = "This recording needs larger files than a worker may write"
    default_hint = "Use a shorter clip or a smaller picture."


class OutOfTime(Failure):
    """A task went over its time limit."""

    status = 504
    slug = "out-of-time"
    title = "A step of this job took too long"
    default_hint = "Try again, or use a shorter clip."


class MissingWeights(Failure):
    """The weights of a model are not where the settings say, or nowhere."""

    status = 503
    slug = "missing-weights"
    title = "The weights of a model are missing"


class WorkerCrashed(Failure):
    """A task killed its process again and again."""

    slug = "worker-crashed"
    title = "A step of this job crashed its worker"
    default_hint = "The recording may be damaged: re-encode it and try again."


class DeliveriesExhausted(Failure):
    """A task was handed out as often as is allowed and never ended."""

    slug = "deliveries-exhausted"
    title = "A step of this job was tried too often"
    default_hint = "Try again later."


class Internal(Failure):
    """A defect of ours."""


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
