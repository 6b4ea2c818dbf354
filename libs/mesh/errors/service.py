"""Failures of ours: memory, time, room, or a fault; most may pass."""

from __future__ import annotations

from mesh.errors.failure import Failure


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
