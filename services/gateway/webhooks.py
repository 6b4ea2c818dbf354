"""Webhooks: who asked to be told is told when a job has ended, signed, at least once.

Signed after Standard Webhooks (https://www.standardwebhooks.com): `webhook-signature: v1,<base64 of HMAC-SHA256 over
"<id>.<timestamp>.<body>">` with the tenant's secret. The id is that of the job, so that whoever is told twice notices.
Any gateway delivers; a lease in the broker keeps two from doing it at once, and its record says how far it is.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict

from gateway.links import Signer
from mesh import subjects
from mesh.bus import NEW_SUBJECT, Bus, SubjectTaken, WrongSequence
from mesh.contracts import Job, JobView
from mesh.errors import BadParameters, Failure
from mesh.jobs import JobTable
from mesh.service import package_version

log = logging.getLogger(__name__)

ANSWER_S = 10.0  # a receiver answers at once and works later
LEASE_S = 60
LOOK_S = 1.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 3600.0
AT_ONCE = 16
SECRET_PREFIX = "whsec_"


def check_address(url: str, allowed: frozenset[str]) -> None:
    """Refuse an address that the gateway may not call: what a client names must not reach into our network.

    Parameters
    ----------
    allowed : frozenset of str
        Hosts, with their port where it is not the usual one.

    Raises
    ------
    BadParameters
        If it is no address, or its host is none that is allowed.
    """
    hint = "Whoever runs the gateway names the hosts in PULSEMESH_WEBHOOK_HOSTS."
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if parts.scheme not in ("https", "http") or not host or parts.username is not None or parts.fragment:
        raise _refused("it is no address like https://example.org/path", None)
    usual = {"https": 443, "http": 80}[parts.scheme]
    name = f"[{host}]" if ":" in host else host
    if (name if port in (None, usual) else f"{name}:{port}") not in allowed:
        raise _refused(f"the host {name[:100]!r} is not one that may be called", hint)


def _refused(detail: str, hint: str | None) -> BadParameters:
    failure = BadParameters(f"webhook: {detail}", errors=[{"pointer": "/webhook", "detail": detail}])
    failure.hint = hint
    return failure


def sign(secret: bytes, id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`."""
    digest = hmac.new(secret, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def payload(view: JobView) -> bytes:
    """What is told: that the job ended, how, and where its results are; never a measurement."""
    found = {
        "type": f"job.{view.state}",
        "timestamp": datetime.now(UTC).isoformat(),
        "data": view.model_dump(mode="json", exclude={"parameters", "progress"}, exclude_none=True),
    }
    return json.dumps(found).encode()


def pause_s(attempts: int) -> float:
    """Seconds until the next attempt after this many: 2, 4, 8, … up to an hour."""
    return float(min(FIRST_PAUSE_S * 2.0 ** (max(attempts, 1) - 1), LONGEST_PAUSE_S))


class _Record(BaseModel):
    """How far a delivery is; the broker forgets it after a day, with the job."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attempts: int = 0
    done: bool = False
    until: float = 0.0  # Unix time before which nobody tries


class Webhooks:
    """Delivers. Every gateway runs one.

    Parameters
    ----------
    present : callable
        The view of a job.
    keep_s : float
        How long a job is kept after its end; then nobody is told any more.
    """

    def __init__(
        self,
        bus: Bus,
        jobs: JobTable,
        signer: Signer,
        present: Callable[[Job], Awaitable[JobView]],
        allowed: frozenset[str],
        keep_s: float,
    ) -> None:
        self._bus, self._jobs, self._signer, self._present = bus, jobs, signer, present
        self._allowed, self._keep_s = allowed, keep_s
        self._due: dict[str, float] = {}  # Unix time of the next look at a job
        self._places = asyncio.Semaphore(AT_ONCE)
        jobs.on_change(self._see)

    def _see(self, job: Job | None, key: str) -> None:
        if job is not None and job.webhook is not None and job.outcome is not None:
            self._due.setdefault(job.id, 0.0)
        elif job is None:
            self._due.pop(key.removeprefix("job."), None)

    async def secret(self, tenant: str) -> str:
        """What a tenant checks signatures with: `whsec_` and base64. Raises Unavailable."""
        return SECRET_PREFIX + base64.b64encode(await self._signer.derived(f"webhook {tenant}")).decode()

    async def run(self) -> None:
        """For ever."""
        for job in self._jobs.list():
            self._see(job, "")
        async with httpx.AsyncClient(timeout=ANSWER_S, follow_redirects=False, trust_env=False) as http:
            running: set[asyncio.Task[None]] = set()
            try:
                while True:
                    now = time.time()
                    for id in [id for id, when in self._due.items() if when <= now]:
                        self._due[id] = now + LEASE_S  # this gateway leaves it alone meanwhile
                        task = asyncio.create_task(self._try(http, id))
                        running.add(task)
                        task.add_done_callback(running.discard)
                    await asyncio.sleep(LOOK_S)
            finally:
                for task in running:
                    task.cancel()

    async def _try(self, http: httpx.AsyncClient, id: str) -> None:
        job = self._jobs.get(id)
        if job is None or job.webhook is None:
            self._due.pop(id, None)
            return
        try:
            async with self._places:
                await self._deliver(http, job)
        except Failure as failure:
            log.warning("a webhook waits", extra={"job": id, "failure": failure.slug})
            self._due[id] = time.time() + FIRST_PAUSE_S

    async def _deliver(self, http: httpx.AsyncClient, job: Job) -> None:
        subject = subjects.webhook_subject(job.id)
        found = await self._bus.last(subjects.JOBS, subject)
        record = _Record.model_validate_json(found.data) if found is not None else _Record()
        if record.done:
            self._due.pop(job.id, None)
            return
        if record.until > time.time():
            self._due[job.id] = record.until
            return
        leased = record.model_copy(update={"until": time.time() + LEASE_S, "attempts": record.attempts + 1})
        try:
            sequence = await self._put(subject, leased, found.sequence if found is not None else NEW_SUBJECT)
        except (WrongSequence, SubjectTaken):
            return  # another gateway does it
        told = await self._tell(http, job)
        until = time.time() + pause_s(leased.attempts)
        with contextlib.suppress(WrongSequence, SubjectTaken):  # we took longer than our lease
            await self._put(subject, leased.model_copy(update={"done": told, "until": until}), sequence)
        if told:
            self._due.pop(job.id, None)
        else:
            self._due[job.id] = until

    async def _put(self, subject: str, record: _Record, expect: int) -> int:
        headers = {"Nats-TTL": f"{max(int(self._keep_s), LEASE_S) + LEASE_S}s"}
        return await self._bus.append(subject, record.model_dump_json().encode(), headers=headers, expect=expect)

    async def _tell(self, http: httpx.AsyncClient, job: Job) -> bool:
        assert job.webhook is not None
        try:
            check_address(job.webhook, self._allowed)  # the hosts may have been changed since
        except BadParameters:
            log.warning("a webhook is not allowed any more", extra={"job": job.id})
            return True
        body = payload(await self._present(job))
        timestamp = int(time.time())
        secret = await self._signer.derived(f"webhook {job.tenant}")
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"pulsemesh/{package_version()}",
            "webhook-id": f"msg_{job.id}",
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(secret, f"msg_{job.id}", timestamp, body),
        }
        try:
            # the answer's body is nobody's business, and may be endless
            async with asyncio.timeout(ANSWER_S):
                async with http.stream("POST", job.webhook, content=body, headers=headers) as answer:
                    told = answer.is_success or answer.status_code == 410  # gone: it wants no more
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            log.info("a webhook did not answer", extra={"job": job.id, "error": type(error).__name__})
            return False
        if not told:
            log.info("a webhook refused", extra={"job": job.id, "status": answer.status_code})
        return told
