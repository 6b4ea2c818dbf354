"""Settings that all services share, from environment variables `PULSEMESH_…`.

A service with settings of its own derives from `MeshSettings`.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1 << 20
GIB = 1 << 30


def usable_cores() -> int:
    """Cores that this process may run on: a container's share, not the host's."""
    return len(os.sched_getaffinity(0))


class MeshSettings(BaseSettings):
    """What every service needs to know. Units stand in the names or in the comments."""

    model_config = SettingsConfigDict(env_prefix="PULSEMESH_", extra="ignore", frozen=True)

    # --- broker
    nats_url: str = "nats://127.0.0.1:4222"  # several addresses are separated by commas
    nats_user: str | None = None
    nats_password: SecretStr | None = None
    nats_token: SecretStr | None = None
    connect_timeout_s: float = Field(default=30.0, gt=0)  # a broker that starts together with us needs a moment
    request_timeout_s: float = Field(default=5.0, gt=0)  # of one request; a healthy broker answers in milliseconds
    retry_s: float = Field(default=60.0, ge=0)  # how long a write is repeated over a restart of the broker
    read_retry_s: float = Field(default=10.0, ge=0)  # and a read; then whoever asked gets 503
    replicas: int = Field(default=1, ge=1, le=5)  # of streams; 3 on a cluster

    # --- work queue
    ack_wait_s: float = Field(default=10.0, ge=1)  # a lost worker's task is handed out again after this
    max_deliver: int = Field(default=10, ge=2)  # then the task has failed for good
    tasks_max: int = Field(default=100_000, ge=1)  # messages; more is answered with 429
    events_max_age_s: float = Field(default=3600.0, gt=0)  # how long a client may be away and still resume
    slots: int = Field(default_factory=usable_cores, ge=1)  # tasks at once: one a core, each runs on one thread

    # --- blobs
    blobs: str = "jetstream"  # or the address of a directory or a bucket: file:///…, s3://…, gs://…, az://…
    # Of the stream BLOBS; full is answered with 429. The broker reserves it on its disk at once, so by default the
    # broker's own limit (max_file_store, three quarters of the disk that is free) is the only one.
    blobs_max_bytes: int | None = Field(default=None, ge=MIB)
    blobs_max_age_s: float = Field(default=14 * 86400.0, gt=0)  # a backstop only: expiry is a purge per recording
    jobs_max_bytes: int = Field(default=64 * MIB, ge=MIB)  # some 60,000 jobs

    # --- tasks
    scratch: Path = Field(default_factory=lambda: Path(tempfile.gettempdir()))  # inputs and outputs of running tasks
    cache_bytes: int = Field(default=512 * MIB, ge=0)  # of recently read blobs, under `scratch`
    cache_seconds: float = Field(default=600.0, ge=0)  # and not longer than this: they show people
    child_memory_bytes: int = Field(default=1 * GIB, ge=64 * MIB)  # resident; above it the child is killed
    child_file_bytes: int = Field(default=16 * GIB, ge=MIB)  # the largest file that a child may write
    task_seconds: float = Field(default=120.0, gt=0)  # wall clock of a task, and on top of it …
    task_seconds_per_input: float = Field(default=20.0, ge=0)  # … for each blob that it reads …
    task_seconds_per_mib: float = Field(default=5.0, ge=0)  # … and for each MiB of them
    grace_s: float = Field(default=20.0, ge=0)  # to finish running tasks after SIGTERM; orchestrators allow 30

    # --- service
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)  # 0: any free one
    port_file: Path | None = None  # where the port is written once it is served
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_json: bool = True
