"""Failures of a request: what was asked for is wrong, or not allowed, or not there."""

from __future__ import annotations

from mesh.errors.failure import Failure


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
