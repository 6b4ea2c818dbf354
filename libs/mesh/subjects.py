"""Subjects, streams and consumers of the mesh. `provision()` alone creates and changes them.

| stream   | subjects                                                        | holds                                |
|----------|-----------------------------------------------------------------|--------------------------------------|
| TASKS    | `task.<stage>.<recording>.<digest>.<index>`                     | a work queue, one subject a task     |
| BLOBS    | `blob.<recording>.m.<kind>.<digest>.<index>`                    | manifests (a small blob lies inside) |
|          | `blob.<recording>.p.<kind>.<digest>.<index>.<attempt>.<number>` | parts of larger blobs                |
| KV_JOBS  | `$KV.JOBS.job.<id>`, `$KV.JOBS.erased.<recording>`              | jobs, tombstones                     |
|          | `$KV.JOBS.claim.<key>`                                          | requests that are answered once      |
|          | `$KV.JOBS.secret.<name>`                                        | keys that all gateways share         |
|          | `$KV.JOBS.webhook.<job>`                                        | who calls a webhook, how far it is   |
| EVENTS   | `event.<job>.<type>`                                            | what a client may see again          |
| (none)   | `request.<kind>`                                                | requests that are answered at once   |
| DEAD     | the advisories on exhausted deliveries of TASKS                 | tasks that nothing else would see    |
"""

from __future__ import annotations

from typing import Any

from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.client import JetStreamContext
from nats.js.errors import NotFoundError

from mesh.contracts import Task
from mesh.errors import Unavailable
from mesh.graph import STAGES
from mesh.names import BlobName
from mesh.settings import MeshSettings

TASKS, BLOBS, JOBS, EVENTS, DEAD = "TASKS", "BLOBS", "KV_JOBS", "EVENTS", "DEAD"
DEAD_CONSUMER = "deadletters"
BLOB_EVENTS = "blob.*.m.>"
MAX_DELIVERIES = f"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{TASKS}.*"
DEAD_DAYS = 7  # a gateway that is away longer than this has other troubles


def task_subject(task: Task) -> str:
    """Subject of a task: that of its output, so the same work is queued once whoever asks."""
    output = BlobName.parse(task.output)
    return f"task.{task.stage}.{output.recording}.{output.digest}.{task.index}"


def manifest_subject(name: BlobName) -> str:
    """Subject of a blob's manifest."""
    return f"blob.{name.recording}.m.{name.kind}.{name.digest}.{name.index}"


def part_subject(name: BlobName, attempt: str, number: int | str) -> str:
    """Subject of one part of a blob."""
    return f"blob.{name.recording}.p.{name.kind}.{name.digest}.{name.index}.{attempt}.{number}"


def name_of(subject: str) -> BlobName:
    """The blob that a manifest's or a part's subject belongs to."""
    tokens = subject.split(".")
    return BlobName(tokens[1], *tokens[3:6])


def prefix_filters(prefix: str) -> list[str]:
    """Subject filters of all manifests and then of all parts whose name starts with whole tokens `prefix`."""
    recording, *rest = prefix.strip("/").split("/")
    if not recording or len(rest) > 3:
        raise ValueError(f"{prefix!r} is not the beginning of a blob's name")
    for token in (recording, *rest):
        BlobName(token, token, token, token)  # nothing that is no token, above all no wildcard, reaches a filter
    tail = "".join(f".{token}" for token in rest)
    exact = len(rest) == 3
    return [f"blob.{recording}.m{tail}" + ("" if exact else ".>"), f"blob.{recording}.p{tail}.>"]


def job_subject(job: str) -> str:
    """Where a job's state of record lies."""
    return f"$KV.JOBS.job.{job}"


def tombstone_subject(recording: str) -> str:
    """Where the tombstone of an erased recording lies."""
    return f"$KV.JOBS.erased.{recording}"


def claim_subject(key: str) -> str:
    """Where the claim of an idempotent request lies; `key` is a token."""
    return f"$KV.JOBS.claim.{key}"


def request_subject(kind: str) -> str:
    """Where requests of a kind are sent that are answered at once; no stream keeps them."""
    return f"request.{kind}"


def secret_subject(name: str) -> str:
    """Where a key lies that all gateways share."""
    return f"$KV.JOBS.secret.{name}"


def webhook_subject(job: str) -> str:
    """Where it is kept how far the webhook of a job is."""
    return f"$KV.JOBS.webhook.{job}"


def event_subject(job: str, type: str) -> str:
    """Subject of an event of a job."""
    return f"event.{job}.{type}"


def streams(settings: MeshSettings) -> list[StreamConfig]:
    """What the streams have to be."""
    common: dict[str, Any] = {
        "storage": StorageType.FILE,
        "num_replicas": settings.replicas,
        "allow_direct": True,
        "duplicate_window": 1.0,  # message ids are not used: a write is repeated under an expected sequence
    }
    return [
        StreamConfig(
            name=TASKS,
            subjects=["task.>"],
            retention=RetentionPolicy.WORK_QUEUE,
            discard=DiscardPolicy.NEW,  # the default drops the oldest work in silence
            discard_new_per_subject=True,
            max_msgs_per_subject=1,  # publishing a task again is refused while it is queued or running
            max_msgs=settings.tasks_max,
            **common,
        ),
        StreamConfig(
            name=BLOBS,
            subjects=["blob.>"],
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.NEW,
            discard_new_per_subject=True,
            max_msgs_per_subject=1,
            max_bytes=settings.blobs_max_bytes or -1,
            max_age=settings.blobs_max_age_s,
            **common,
        ),
        StreamConfig(
            name=JOBS,
            subjects=["$KV.JOBS.>"],  # laid out as a NATS key-value bucket, so that its tools can read it
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.NEW,
            max_msgs_per_subject=1,
            max_bytes=settings.jobs_max_bytes,
            allow_rollup_hdrs=True,
            deny_delete=True,
            allow_msg_ttl=True,
            **common,
        ),
        StreamConfig(
            name=EVENTS,
            subjects=["event.>"],
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.OLD,
            max_bytes=64 << 20,
            max_age=settings.events_max_age_s,
            **common,
        ),
        StreamConfig(
            name=DEAD,
            subjects=[MAX_DELIVERIES],
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.OLD,
            max_msgs=100_000,
            max_age=DEAD_DAYS * 86400.0,
            **common,
        ),
    ]


def consumers(settings: MeshSettings) -> list[tuple[str, ConsumerConfig]]:
    """What the durable consumers have to be, with the stream of each."""
    found = [
        (
            TASKS,
            ConsumerConfig(
                durable_name=stage,
                filter_subject=f"task.{stage}.>",
                deliver_policy=DeliverPolicy.ALL,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=settings.ack_wait_s,
                max_deliver=settings.max_deliver,
                max_ack_pending=10_000,  # a task put back with a delay keeps its place here
            ),
        )
        for stage in STAGES
    ]
    dead = ConsumerConfig(
        durable_name=DEAD_CONSUMER,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=30.0,
        max_deliver=-1,
    )
    return [*found, (DEAD, dead)]


def _drift(wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    return sorted(key for key, value in wanted.items() if value is not None and found.get(key) != value)


async def provision(js: JetStreamContext, settings: MeshSettings) -> list[str]:
    """Make every stream and consumer what it has to be; calling it again changes nothing.

    Returns
    -------
    list of str
        What was created or changed.

    Raises
    ------
    Unavailable
        If the broker refuses a change, e.g. of a stream's storage.
    """
    changed: list[str] = []
    for stream in streams(settings):
        assert stream.name is not None
        wanted = stream.as_dict()
        try:
            found = (await js.stream_info(stream.name)).config.as_dict()
        except NotFoundError:
            await js.add_stream(stream)
            changed.append(stream.name)
            continue
        if drift := _drift(wanted, found):
            await js.update_stream(stream)
            after = (await js.stream_info(stream.name)).config.as_dict()
            if still := _drift(wanted, after):
                raise Unavailable(f"the broker keeps other values of {', '.join(still)} for the stream {stream.name}")
            changed.append(f"{stream.name}: {', '.join(drift)}")
    for where, consumer in consumers(settings):
        assert consumer.durable_name is not None
        wanted = consumer.as_dict()
        label = f"{where}/{consumer.durable_name}"
        try:
            config = (await js.consumer_info(where, consumer.durable_name)).config
            found = config.as_dict() if config is not None else {}
        except NotFoundError:
            await js.add_consumer(where, consumer)
            changed.append(label)
            continue
        # subscribing to a durable that exists keeps its old settings in silence: only this updates them
        if drift := _drift(wanted, found):
            info = await js.add_consumer(where, consumer)
            still = _drift(wanted, info.config.as_dict() if info.config is not None else {})
            if still:
                raise Unavailable(f"the broker keeps other values of {', '.join(still)} for the consumer {label}")
            changed.append(f"{label}: {', '.join(drift)}")
    return changed
