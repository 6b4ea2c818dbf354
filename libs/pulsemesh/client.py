"""The HTTP calls that the command makes to a gateway."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

import httpx
from pydantic import ValidationError

from mesh.contracts import JobView, State
from mesh.errors import Problem
from pulsemesh import interruption

ENDED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)
AWAY_S = 60.0  # a gateway that restarts is waited for this long
BUSY_S = 600.0  # and one that has too much to do this long
POLL_S = 0.15
PLAIN_NAME = re.compile(r"\w[\w.-]{0,99}")  # what a gateway may have written into our folder
PIECE = 1 << 18


class GatewayRefusal(Exception):
    """The gateway answered with a problem.

    Attributes
    ----------
    status : int
    problem : Problem or None
        None where something else than a gateway answered.
    """

    def __init__(self, status: int, problem: Problem | None, text: str = "") -> None:
        super().__init__(
            one_line(problem) if problem else f"the gateway answered {status}: {' '.join(text.split())[:200]}"
        )
        self.status, self.problem = status, problem


class GatewayAway(Exception):
    """The gateway cannot be reached, or was away for too long."""


def one_line(problem: Problem) -> str:
    """A problem as one line for a person."""
    said = problem.title if problem.detail in ("", problem.title) else f"{problem.title}: {problem.detail}"
    said = said.rstrip(". ")
    for error in problem.errors or []:
        detail = error.get("detail") or error.get("msg")
        pointer = str(error.get("pointer", "")).lstrip("#/")
        if detail:
            said += f"; {pointer}: {detail}" if pointer else f"; {detail}"
    hint = f". {problem.hint}" if problem.hint else ""
    return " ".join(f"{said}{hint}".split())


class _Watched:
    """A file that tells how much of it was read."""

    def __init__(self, file: IO[bytes], tell: Callable[[int], None]) -> None:
        self._file, self._tell = file, tell

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._tell(self._file.tell())
        return piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class GatewayClient:
    """A gateway, as the command sees it.

    Parameters
    ----------
    url : str
        Its address.
    token : str, optional
        The API token.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=url.rstrip("/"), headers=headers, timeout=httpx.Timeout(60.0, connect=10.0), trust_env=False
        )

    def __enter__(self) -> GatewayClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def submit(self, video: Path, parameters: dict[str, Any], sent: Callable[[int], None] = lambda _: None) -> JobView:
        """Upload a clip and start a job on it, streaming.

        A broken connection is tried again under the same `Idempotency-Key`; a gateway that has too much to do is
        asked again after the time that it names.

        Parameters
        ----------
        sent : callable
            Called with the bytes that were sent so far.

        Raises
        ------
        GatewayRefusal
            If the gateway does not take it.
        GatewayAway
            If it cannot be reached.
        """
        kind = CONTENT_TYPES.get(video.suffix.lower(), "video/mp4")
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        fields = {"parameters": json.dumps(parameters)} if parameters else {}
        busy_until = time.monotonic() + BUSY_S
        tries = 0
        while True:
            try:
                with video.open("rb") as file:
                    video_field = (video.name, cast("IO[bytes]", _Watched(file, sent)), kind)
                    answer = self._http.post("/v1/jobs", data=fields, files={"video": video_field}, headers=headers)
            except httpx.TransportError as error:
                tries += 1
                if tries >= 4 or (isinstance(error, httpx.ConnectError) and tries >= 2):
                    raise GatewayAway(f"the gateway at {self._http.base_url} cannot be reached: {error}") from error
                time.sleep(0.5 * tries)
                continue
            if answer.status_code in (429, 503) and time.monotonic() < busy_until:
                time.sleep(min(_seconds(answer.headers.get("Retry-After")), 30.0))
                continue
            _refuse(answer)
            return JobView.model_validate_json(answer.content)

    def job(self, job: str) -> JobView:
        """The job now. Raises as `submit`."""
        return JobView.model_validate_json(self._patiently("GET", f"/v1/jobs/{job}").content)

    def watch(self, job: str) -> Iterator[JobView]:
        """The job again and again until it has ended; that view is the last. Raises as `submit`."""
        while True:
            view = self.job(job)
            yield view
            if view.state in ENDED:
                return
            interruption.check()
            time.sleep(POLL_S)

    def files(self, job: str) -> list[str]:
        """Names of the result's files; one that is no plain name is left out. Raises as `submit`."""
        listed = self._patiently("GET", f"/v1/jobs/{job}/files").json()["files"]
        return [file["name"] for file in listed if PLAIN_NAME.fullmatch(file["name"])]

    def download(self, job: str, name: str, path: Path) -> bool:
        """Write a file of the result to `path`, streaming; False if the result has no such file. Raises as `submit`."""
        until = time.monotonic() + AWAY_S
        while True:
            try:
                with self._http.stream("GET", f"/v1/jobs/{job}/files/{name}") as answer:
                    if answer.status_code == 404:
                        return False
                    if answer.status_code >= 400:
                        answer.read()
                        if answer.status_code != 503 or time.monotonic() > until:
                            _refuse(answer)
                    else:
                        with path.open("wb") as file:
                            for piece in answer.iter_bytes(PIECE):
                                file.write(piece)
                        return True
            except httpx.TransportError as error:
                if time.monotonic() > until:
                    raise GatewayAway(f"the gateway went away: {error}") from error
            time.sleep(0.3)

    def cancel(self, job: str) -> None:
        """Cancel a job if the gateway can be reached; says nothing if not."""
        try:
            self._http.delete(f"/v1/jobs/{job}", timeout=5.0)
        except httpx.TransportError:
            return

    def _patiently(self, method: str, path: str) -> httpx.Response:
        until = time.monotonic() + AWAY_S
        while True:
            try:
                answer = self._http.request(method, path)
                if answer.status_code not in (429, 502, 503, 504) or time.monotonic() > until:
                    _refuse(answer)
                    return answer
            except httpx.TransportError as error:
                if time.monotonic() > until:
                    raise GatewayAway(f"the gateway at {self._http.base_url} went away: {error}") from error
            time.sleep(0.3)


CONTENT_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".avi": "video/x-msvideo",
}


def _seconds(text: str | None) -> float:
    try:
        return max(float(text or 2), 0.2)
    except ValueError:  # an HTTP date: no need to be exact
        return 5.0


def _refuse(answer: httpx.Response) -> None:
    if answer.status_code < 400:
        return
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        raise GatewayRefusal(answer.status_code, None, answer.text) from None
    raise GatewayRefusal(answer.status_code, problem)
