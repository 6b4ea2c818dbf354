"""What the client does, without I/O: retries, uploads that resume (tus 1.0.0), downloads that resume."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import httpx

from pulsemesh_client.effects import Call, Fetch, FilePart, Flow, Pause, Progress
from pulsemesh_client.errors import Damaged, Refused, Unreachable, WaitTimeout, refusal
from pulsemesh_client.models import File, Job

TUS = {"Tus-Resumable": "1.0.0"}
PIECE_TYPE = "application/offset+octet-stream"
LATER = frozenset({429, 502, 503, 504})
RECORDING = re.compile(r"rec_[0-9a-z]{26}\Z")
PLAIN_NAME = re.compile(r"\w[\w.-]{0,99}")  # what a gateway may write into our folder


@dataclass(frozen=True)
class Patience:
    """How long the client tries.

    Attributes
    ----------
    away_s : float
        For a gateway that cannot be reached, after it was reached once.
    busy_s : float
        For one that says that it has too much to do.
    connect_tries : int
        For one that was never reached.
    """

    away_s: float = 60.0
    busy_s: float = 600.0
    connect_tries: int = 2


def check(answer: httpx.Response) -> httpx.Response:
    """The answer, unless it is a refusal. Raises Refused."""
    if answer.status_code < 400:
        return answer
    data = None
    with contextlib.suppress(ValueError):
        data = json.loads(answer.content)
    raise refusal(answer.status_code, data, answer.text)


def retry_after_s(answer: httpx.Response) -> float:
    """What the gateway asks for in seconds, 0.2 to 30."""
    try:
        return min(max(float(answer.headers.get("Retry-After") or 2), 0.2), 30.0)
    except ValueError:  # an HTTP date: no need to be exact
        return 5.0


class Flows:
    """What can be done with a gateway."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._reached = False

    # --- one request, patiently

    def request(self, call: Call, pause_s: float | None = None) -> Flow[httpx.Response]:
        """A request that may be repeated, until it is answered.

        Raises
        ------
        Refused
            What the gateway refuses.
        Unreachable
            If it cannot be reached.
        """
        began, tries = time.monotonic(), 0
        while True:
            try:
                answer: httpx.Response = yield call
            except httpx.TransportError as error:
                tries += 1
                self._give_up(error, began, tries)
                yield Pause(min(0.3 * tries, 2.0))
                continue
            self._reached = True
            if answer.status_code in LATER and time.monotonic() - began < self._limit(answer):
                yield Pause(retry_after_s(answer) if pause_s is None else pause_s)
                continue
            return check(answer)

    def _limit(self, answer: httpx.Response) -> float:
        return self._patience.busy_s if answer.status_code in (429, 503) else self._patience.away_s

    def _give_up(self, error: httpx.TransportError, since: float, tries: int) -> None:
        never = not self._reached and isinstance(error, httpx.ConnectError) and tries >= self._patience.connect_tries
        if never or time.monotonic() - since > self._patience.away_s:
            where = error.request.url
            at = f"{where.scheme}://{where.netloc.decode()}"
            raise Unreachable(f"the gateway at {at} cannot be reached: {error or type(error).__name__}") from error

    def get(self, path: str, **params: Any) -> Flow[Any]:
        """JSON of a GET. Raises as `request`."""
        given = {name: value for name, value in params.items() if value is not None}
        answer = yield from self.request(Call("GET", path, params=given))
        return answer.json()

    # --- uploads

    def upload(self, clip: Path, progress: Progress | None = None) -> Flow[str]:
        """Send a clip, going on where a broken connection left it; the id of its recording.

        Raises
        ------
        Refused
            What the gateway refuses: with the last piece what a first look at the clip shows.
        Unreachable
            If it cannot be reached, or no byte gets through for `Patience.away_s`.
        OSError
            If the file cannot be read.
        """
        size = clip.stat().st_size

        def tell(sent: int) -> None:
            if progress is not None:
                progress(sent, size)

        headers = TUS | {"Upload-Length": str(size)}
        created = yield from self.request(Call("POST", "/v1/uploads", headers=headers))
        address = str(created.headers["Location"])
        offset, stuck_since, tries = 0, time.monotonic(), 0
        while offset < size:
            part = FilePart(clip, offset, size, tell)
            headers = TUS | {
                "Upload-Offset": str(offset), "Content-Type": PIECE_TYPE, "Content-Length": str(size - offset),
            }  # fmt: skip
            pause = 0.0
            try:
                answer: httpx.Response = yield Call("PATCH", address, headers=headers, body=part)
                if answer.status_code < 400:
                    offset = int(answer.headers["Upload-Offset"])
                    tell(offset)
                    continue
                if answer.status_code not in {*LATER, 408, 409}:
                    check(answer)
                pause = retry_after_s(answer) if answer.status_code in LATER else 0.0
            except httpx.TransportError as error:
                tries += 1
                self._give_up(error, stuck_since, tries)
            if time.monotonic() - stuck_since > self._patience.busy_s:
                raise Unreachable("the upload does not go on")
            yield Pause(max(pause, min(0.2 * tries, 2.0)))
            head = yield from self.request(Call("HEAD", address, headers=TUS))
            if int(head.headers["Upload-Offset"]) > offset:
                stuck_since, tries = time.monotonic(), 0
            offset = int(head.headers["Upload-Offset"])
            tell(offset)
        return address.rsplit("/", 1)[1]

    # --- jobs

    def submit(
        self,
        clip: Path | str,
        parameters: Mapping[str, Any] | None,
        *,
        progress: Progress | None,
        webhook: str | None,
    ) -> Flow[Job]:
        """Start a job on a clip, or on a recording that is there. Raises as `upload`."""
        recording = clip if isinstance(clip, str) and RECORDING.match(clip) else None
        if recording is None:
            recording = yield from self.upload(Path(clip), progress)
        call = Call(
            "POST",
            "/v1/jobs",
            headers={"Idempotency-Key": secrets.token_hex(16)},  # so that it may be repeated
            params={"webhook": webhook} if webhook is not None else {},
            json={"recording": recording, "parameters": dict(parameters or {})},
        )
        until = time.monotonic() + self._patience.busy_s
        while True:
            try:
                answer = yield from self.request(call)
                return Job.parse(answer.json())
            except Refused as refused:
                if refused.problem is None or refused.problem.slug != "still-running" or time.monotonic() > until:
                    raise
            yield Pause(0.5)

    def job(self, job: str) -> Flow[Job]:
        """A job as it is now. Raises as `request`."""
        answer = yield from self.request(Call("GET", f"/v1/jobs/{job}"), 0.3)
        return Job.parse(answer.json())

    def jobs(self, recording: str | None) -> Flow[list[Job]]:
        """All jobs, newest first. Raises as `request`."""
        found: list[Job] = []
        cursor: str | None = None
        while True:
            page = yield from self.get("/v1/jobs", limit=100, cursor=cursor, recording=recording)
            found += [Job.parse(view) for view in page["jobs"]]
            cursor = page["next"]
            if cursor is None:
                return found

    def next_view(self, job: str, last: Job | None, every_s: float, until: float | None) -> Flow[Job]:
        """The next view of a job that is watched. Raises WaitTimeout, and as `request`."""
        if last is not None:
            if until is not None and time.monotonic() > until:
                raise WaitTimeout(f"{job} is {last.state}")
            yield Pause(every_s)
        return (yield from self.job(job))

    def delete(self, path: str) -> Flow[None]:
        """DELETE; what is gone already is no error. Raises as `request`."""
        yield from self.request(Call("DELETE", path))

    # --- results

    def files(self, job: str) -> Flow[list[File]]:
        """Files of a result; one that has no plain name is left out. Raises as `request`."""
        listed = yield from self.get(f"/v1/jobs/{job}/files")
        return [File.parse(found) for found in listed["files"] if PLAIN_NAME.fullmatch(found["name"])]

    def download(self, job: str, name: str, target: IO[bytes], progress: Progress | None = None) -> Flow[None]:
        """Write a file of a result to `target`, going on where a broken connection left it.

        Raises
        ------
        Damaged
            If what came is not what its digest says.
        Refused, Unreachable
            As `request`.
        """
        hasher = hashlib.sha256()
        done, size, etag = 0, 0, ""

        def began(answer: httpx.Response) -> None:
            nonlocal done, size, etag, hasher
            if answer.status_code == 200 and done:  # another file, or a proxy that knows no ranges: from the beginning
                target.seek(0)
                target.truncate()
                hasher, done = hashlib.sha256(), 0
            size = done + int(answer.headers.get("Content-Length") or 0)
            etag = answer.headers.get("ETag", "")

        def sink(piece: bytes) -> None:
            nonlocal done
            target.write(piece)
            hasher.update(piece)
            done += len(piece)
            if progress is not None:
                progress(done, size)

        since, tries = time.monotonic(), 0
        while True:
            headers = {"Range": f"bytes={done}-", "If-Range": etag} if done and etag else {}
            before = done
            try:
                path = f"/v1/jobs/{job}/files/{quote(name, safe='')}"
                answer: httpx.Response = yield Fetch(path, headers, began, sink)
            except httpx.TransportError as error:
                if done > before:
                    since, tries = time.monotonic(), 0
                tries += 1
                self._give_up(error, since, tries)
                yield Pause(min(0.3 * tries, 2.0))
                continue
            self._reached = True
            if answer.status_code in LATER and time.monotonic() - since < self._limit(answer):
                yield Pause(min(retry_after_s(answer), 1.0))
                continue
            check(answer)
            if re.fullmatch(r'"[0-9a-f]{64}"', etag) and hasher.hexdigest() != etag.strip('"'):
                raise Damaged(f"{name} is not what its digest says")
            return
