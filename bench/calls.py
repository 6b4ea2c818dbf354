"""The few HTTP calls that the benches make."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx

ENDED = ("succeeded", "failed", "cancelled")


class Calls:
    """A gateway, as a client sees it."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=120)

    def __enter__(self) -> Calls:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def submit(self, clip: Path, **parameters: Any) -> dict[str, Any]:
        """POST a clip; the job."""
        with clip.open("rb") as file:
            answer = self.http.post(
                "/v1/jobs",
                files={"video": (clip.name, file, "video/mp4")},
                data={"parameters": json.dumps(parameters)},
            )
        answer.raise_for_status()
        job: dict[str, Any] = answer.json()
        return job

    def again(self, recording: str, **parameters: Any) -> dict[str, Any]:
        """POST another job on a recording that is there."""
        answer = self.http.post("/v1/jobs", json={"recording": recording, "parameters": parameters})
        answer.raise_for_status()
        job: dict[str, Any] = answer.json()
        return job

    def job(self, job_id: str) -> dict[str, Any]:
        """The job now."""
        answer = self.http.get(f"/v1/jobs/{job_id}")
        answer.raise_for_status()
        view: dict[str, Any] = answer.json()
        return view

    def wait(self, job_id: str, *, timeout_s: float = 600, every_s: float = 0.02) -> dict[str, Any]:
        """Wait until the job has ended; what it is then."""
        until = time.monotonic() + timeout_s
        while (view := self.job(job_id))["state"] not in ENDED:
            if time.monotonic() > until:
                raise TimeoutError(f"{job_id} is {view['state']} after {timeout_s} s: {view['progress']}")
            time.sleep(every_s)
        return view

    def file(self, job_id: str, name: str) -> bytes:
        """A file of the result."""
        answer = self.http.get(f"/v1/jobs/{job_id}/files/{name}")
        answer.raise_for_status()
        return answer.content

    def erase(self, recording: str) -> None:
        """Erase a recording."""
        self.http.delete(f"/v1/recordings/{recording}").raise_for_status()
