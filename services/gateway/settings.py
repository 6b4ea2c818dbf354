"""Settings of the gateway: limits on what comes in, how long it is kept, who may ask."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from gateway.principals import read_tokens
from media.limits import Limits
from mesh.settings import GIB, MeshSettings

_LOCAL_NAMES = frozenset({"localhost", "ip6-localhost"})
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host in _LOCAL_NAMES


class ClipSettings(MeshSettings):
    """What a recording may be; the stage `split` holds clips to it too."""

    max_seconds: float = Field(default=1800.0, gt=0)  # of the file's own time
    min_seconds: float = Field(default=0.5, ge=0)  # nothing can be measured in less
    max_pixels: int = Field(default=3840 * 2160, ge=1)  # width times height: 4K UHD, in any orientation

    @property
    def limits(self) -> Limits:
        """What a clip may be at most."""
        return Limits(max_seconds=self.max_seconds, min_seconds=self.min_seconds, max_pixels=self.max_pixels)


class GatewaySettings(ClipSettings):
    """Units stand in the names or in the comments."""

    # --- who may ask
    # SHA-256 of each token that is accepted, in hexadecimal, separated by commas: two while one replaces the other
    api_token_sha256: str = ""
    # JSON list of {sha256, tenant, scopes}: more tokens, for tenants that do not see each other; read again on changes
    api_tokens_file: Path | None = None
    rate_requests: int = Field(default=3600, ge=0)  # of a tenant with a token, a minute and gateway; 0: no limit
    rate_submissions: int = Field(default=120, ge=0)  # of these, new uploads and jobs
    link_s: float = Field(default=900.0, gt=0, le=86400)  # life of a signed link: as long as one watches a clip
    webhook_hosts: str = ""  # that may be called when a job ends, separated by commas: `example.org,example.net:8443`
    cors_origins: str = ""  # of web pages that may ask, separated by commas: `https://example.org`

    # --- uploads
    upload_bytes: int = Field(default=2 * GIB, ge=1)
    probe_s: float = Field(default=5.0, gt=0)  # wall clock; it works for 1.5 s at most, a busy machine takes longer

    # --- requests
    upload_idle_s: float = Field(default=60.0, gt=0)  # without a byte an upload is given up
    idempotency_s: float = Field(default=86400.0, ge=60)  # how long an Idempotency-Key is remembered
    events_life_s: float = Field(default=600.0, gt=0)  # of one stream of events; the client then comes back
    keep_alive_s: float = Field(default=15.0, gt=0)  # proxies end streams that are silent for 30-60 s
    events_streams: int = Field(default=500, ge=1)  # at once; each holds a connection and a consumer

    # --- live sessions
    live_sessions: int = Field(default=50, ge=1)  # at once; each has at most half a MiB of colours and one of video
    live_keep_s: float = Field(default=10.0, ge=0)  # a session outlives a dropped connection by this
    live_every_s: float = Field(default=1.0, gt=0)  # between readings

    # --- admission: beyond these a POST is answered with 429
    max_active_jobs: int = Field(default=200, ge=1)  # a job has at least two tasks of each stage in the queues
    max_queued_tasks: int = Field(default=5000, ge=1)
    max_uploads: int = Field(default=16, ge=1)  # at once: each may fill the scratch folder with `upload_bytes`
    retry_after_s: int = Field(default=10, ge=1)

    # --- retention
    keep_uploads_s: float = Field(default=3600.0, ge=0)  # uploads and intermediates, after the recording's last job
    keep_results_s: float = Field(default=86400.0, ge=0)  # results and jobs, after the job ended
    retention_every_s: float = Field(default=60.0, gt=0)

    # --- coordination
    reconcile_s: float = Field(default=2.0, gt=0)  # the slow timer: heals a wiped queue and lost events

    @field_validator("api_token_sha256")
    @classmethod
    def _check_digests(cls, text: str) -> str:
        digests = [part.strip().lower() for part in text.split(",") if part.strip()]
        if any(not _DIGEST.match(digest) for digest in digests):
            raise ValueError("each must be the SHA-256 of a token, 64 hexadecimal digits, never the token itself")
        return ",".join(digests)

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, text: str) -> str:
        origins = [part.strip().rstrip("/") for part in text.split(",") if part.strip()]
        if any(not re.match(r"https?://[^/*\s]+\Z", origin) for origin in origins):
            raise ValueError("each must be an origin like https://example.org; a wildcard is not accepted")
        return ",".join(origins)

    @field_validator("api_tokens_file")
    @classmethod
    def _check_tokens(cls, path: Path | None) -> Path | None:
        if path is not None:
            read_tokens(path)
        return path

    @model_validator(mode="after")
    def _guard(self) -> Self:
        if not is_loopback(self.host) and not self.token_digests and self.api_tokens_file is None:
            raise ValueError(
                f"bound to {self.host} the gateway can be reached from other machines and needs an API token: set "
                'PULSEMESH_API_TOKEN_SHA256 to its SHA-256 (printf %s "$TOKEN" | sha256sum), '
                "or PULSEMESH_HOST to 127.0.0.1"
            )
        if self.keep_results_s < self.keep_uploads_s:
            raise ValueError("keep_results_s must not be below keep_uploads_s: a result belongs to its recording")
        return self

    @property
    def token_digests(self) -> tuple[str, ...]:
        """SHA-256 of the tokens that are accepted; none needed if empty."""
        return tuple(filter(None, self.api_token_sha256.split(",")))

    @property
    def keep_unused_s(self) -> float:
        """How long a recording without jobs is kept after its last byte came."""
        return max(self.keep_uploads_s, 600.0)

    @property
    def callable_hosts(self) -> frozenset[str]:
        """Hosts, with their port where it is not the usual one, that a webhook may be at."""
        return frozenset(part.strip().lower() for part in self.webhook_hosts.split(",") if part.strip())

    @property
    def origins(self) -> tuple[str, ...]:
        """Origins of other pages that may ask."""
        return tuple(filter(None, self.cors_origins.split(",")))
