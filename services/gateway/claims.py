"""Idempotency-Key: a request that is repeated is answered once, by whichever gateway gets it.

After draft-ietf-httpapi-idempotency-key-header-07. A claim is created before anything is stored, so of two equal
requests one works; it names the job, so that a gateway that dies in between leaves nothing to guess.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from mesh import subjects
from mesh.bus import NEW_SUBJECT, Bus, WrongSequence
from mesh.errors import BadRequest, Expired, KeyReused, StillRunning
from mesh.jobs import JobTable
from mesh.names import new_id

RUNNING_S = 600  # the longest that storing an upload may take; then its claim is forgotten
STARTING_S = 30  # and that starting a job on a recording that is there may take
_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")
_OPERATION = "KV-Operation"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    fingerprint: str
    job: str
    done: bool = False


@dataclass(frozen=True)
class Claim:
    """A request that may be made once.

    Attributes
    ----------
    job : str
        Id of the job that it makes, or made.
    made : bool
        Whether it was made before.
    """

    job: str
    made: bool
    subject: str = ""
    sequence: int = 0
    fingerprint: str = ""


class Claims:
    """Claims of all gateways, beside the table of jobs."""

    def __init__(self, bus: Bus, jobs: JobTable, keep_s: float) -> None:
        self._bus, self._jobs, self._keep_s = bus, jobs, keep_s

    async def open(self, key: str | None, fingerprint: str, tenant: str, running_s: int = RUNNING_S) -> Claim:
        """Claim a request before it is made; without a key nothing is claimed. Tenants have keys of their own.

        Raises
        ------
        BadRequest
            If the key is not 1-255 visible ASCII characters.
        KeyReused
            If the key came with another request.
        StillRunning
            If the request is being made just now.
        Expired
            If it was made, and its job is gone.
        Unavailable
            If the broker cannot be reached.
        """
        job = new_id("job")
        if key is None:
            return Claim(job, False)
        if not _KEY.match(key):
            raise BadRequest("an Idempotency-Key has 1 to 255 visible ASCII characters")
        subject = subjects.claim_subject(hashlib.sha256(f"{tenant} {key}".encode()).hexdigest())
        expect = NEW_SUBJECT
        while True:
            try:
                sequence = await self._put(subject, _Record(fingerprint=fingerprint, job=job), expect, running_s)
                return Claim(job, False, subject, sequence, fingerprint)
            except WrongSequence:
                found = await self._bus.last(subjects.JOBS, subject)
            if found is None or found.headers.get(_OPERATION):
                expect = found.sequence if found is not None else NEW_SUBJECT
                continue
            record = _Record.model_validate_json(found.data)
            if record.job == job:  # our own write, whose answer was lost
                return Claim(job, False, subject, found.sequence, fingerprint)
            return await self._repeated(record, fingerprint)

    async def _repeated(self, record: _Record, fingerprint: str) -> Claim:
        if record.fingerprint != fingerprint:
            raise KeyReused()
        if await self._jobs.find(record.job) is not None:
            return Claim(record.job, True)
        if record.done:
            raise Expired("the job of this Idempotency-Key is gone", hint="Use a new key.")
        raise StillRunning()

    async def done(self, claim: Claim) -> None:
        """The request was made: remember it. Raises Unavailable."""
        if claim.subject:
            record = _Record(fingerprint=claim.fingerprint, job=claim.job, done=True)
            await self._put(claim.subject, record, None, int(self._keep_s))

    async def release(self, claim: Claim) -> None:
        """The request failed: it may be tried again. Raises Unavailable."""
        if claim.subject:
            headers = {_OPERATION: "DEL", "Nats-TTL": "60s"}
            await self._bus.append(claim.subject, b"", headers=headers)

    async def _put(self, subject: str, record: _Record, expect: int | None, keep_s: int) -> int:
        headers = {"Nats-TTL": f"{keep_s}s"}
        return await self._bus.append(subject, record.model_dump_json().encode(), headers=headers, expect=expect)
