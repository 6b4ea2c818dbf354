"""Metrics and logs of all services: every metric's name stands here, and nothing in either shows a person."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from mesh.trace_context import current_trace

# From a lookup to a long encode
SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


class Telemetry:
    """The metrics of one service, in a registry of its own (several services may share a process).

    Attributes
    ----------
    phase_seconds : Histogram[stage, phase]
        Of a task: `wait` in the queue, `read` inputs, `compute`, `write` outputs (what was not hidden by computing).
    tasks : Counter[stage, end]
        `done`, `skipped` (its output existed), `dropped` (no longer wanted), `failed`, `returned` (to be tried again).
    failures : Counter[stage, slug]
        Failure blobs written.
    retries : Counter[stage, cause]
        Attempts that had to be made again.
    bytes : Counter[stage, direction]
        `in` and `out`.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        r = self.registry
        self.phase_seconds = Histogram(
            "pulsemesh_task_phase_seconds", "Time of a task by phase", ["stage", "phase"], buckets=SECONDS, registry=r
        )
        self.tasks = Counter("pulsemesh_tasks", "Tasks by how they ended", ["stage", "end"], registry=r)
        self.failures = Counter("pulsemesh_task_failures", "Tasks that failed for good", ["stage", "slug"], registry=r)
        self.retries = Counter("pulsemesh_task_retries", "Attempts made again", ["stage", "cause"], registry=r)
        self.bytes = Counter("pulsemesh_task_bytes", "Blob bytes of tasks", ["stage", "direction"], registry=r)
        self.running = Gauge("pulsemesh_tasks_running", "Tasks running now", ["stage"], registry=r)
        self.slots = Gauge("pulsemesh_slots", "Tasks that can run at once", registry=r)
        self.children_restarts = Counter(
            "pulsemesh_children_restarts", "Child processes replaced", ["reason"], registry=r
        )
        self.child_peak_bytes = Gauge(
            "pulsemesh_child_peak_bytes", "Largest resident size of a child in its last task", ["stage"], registry=r
        )
        self.dead_letters = Counter("pulsemesh_dead_letters", "Tasks handed out too often", ["stage"], registry=r)
        self.connected = Gauge("pulsemesh_broker_connected", "1 while the broker can be reached", registry=r)
        self.connections = Gauge("pulsemesh_broker_connections", "Connections made so far", registry=r)

    def phase(self, stage: str, phase: str, seconds: float) -> None:
        """Observe how long a phase of a task took; clocks of two machines may differ, so never less than 0."""
        self.phase_seconds.labels(stage, phase).observe(max(seconds, 0.0))

    def render(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self.registry)


class GatewayMetrics:
    """What the gateway measures on top, in the registry of its `Telemetry`.

    Attributes
    ----------
    requests : Counter[route, method, status]
        By the template of the route, never by its address: addresses hold ids.
    request_seconds : Histogram[route, method]
        Until the last byte of the answer; streams of events are left out.
    queued : Gauge[stage]
        Tasks that wait or run.
    jobs_ended : Counter[outcome]
        Ended by this gateway.
    job_seconds : Histogram[outcome]
        From the request to the end.
    removed : Counter[what]
        `intermediates`, `results`, `orphans`, `parts`: what retention removed.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        r = telemetry.registry
        route = ["route", "method"]
        self.requests = Counter("pulsemesh_http_requests", "Requests", [*route, "status"], registry=r)
        self.request_seconds = Histogram(
            "pulsemesh_http_request_seconds", "Time of a request", route, buckets=SECONDS, registry=r
        )
        self.in_flight = Gauge("pulsemesh_http_in_flight", "Requests running now", registry=r)
        self.live_sessions = Gauge("pulsemesh_live_sessions", "Live sessions kept now", registry=r)
        self.live_seconds = Histogram(
            "pulsemesh_live_reading_seconds",
            "From the newest frame's arrival to its reading",
            buckets=SECONDS,
            registry=r,
        )
        self.event_streams = Gauge("pulsemesh_event_streams", "Streams of events open now", registry=r)
        self.uploads = Gauge("pulsemesh_uploads_running", "Uploads running now", registry=r)
        self.upload_bytes = Counter("pulsemesh_upload_bytes", "Bytes of uploads received", registry=r)
        self.refused = Counter("pulsemesh_submissions_refused", "Jobs refused at the door", ["slug"], registry=r)
        self.active_jobs = Gauge("pulsemesh_jobs_active", "Jobs of the mesh that have not ended", registry=r)
        self.jobs_ended = Counter("pulsemesh_jobs_ended", "Jobs ended by this gateway", ["outcome"], registry=r)
        self.job_seconds = Histogram(
            "pulsemesh_job_seconds", "From request to end", ["outcome"], buckets=SECONDS, registry=r
        )
        self.queued = Gauge("pulsemesh_queued_tasks", "Tasks that wait or run", ["stage"], registry=r)
        self.stage_slots = Gauge("pulsemesh_stage_slots", "Slots of all workers by stage", ["stage"], registry=r)
        self.published = Counter("pulsemesh_tasks_published", "Tasks queued by this gateway", ["stage"], registry=r)
        self.pass_seconds = Histogram(
            "pulsemesh_coordinator_pass_seconds", "One look at a recording", buckets=SECONDS, registry=r
        )
        self.removed = Counter("pulsemesh_retention_removed", "What was removed in time", ["what"], registry=r)


_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: a fixed message, the values as fields, the trace where there is one."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if trace := current_trace():
            line["trace_id"] = trace
        line.update({key: value for key, value in vars(record).items() if key not in _STANDARD})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """For people: time, level, service, message, fields."""

    def __init__(self, service: str) -> None:
        super().__init__(f"%(asctime)s %(levelname)-7s {service:<9} %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{key}={value}" for key, value in vars(record).items() if key not in _STANDARD)
        return f"{super().format(record)} {fields}".rstrip()


def configure_logging(service: str, level: str, *, as_json: bool = True) -> None:
    """Send all logs of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service) if as_json else TextFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"  # addresses of clients belong to no log
    logging.getLogger("nats").setLevel(logging.CRITICAL)  # the bus says it in its own words
