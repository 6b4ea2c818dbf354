"""The client for asyncio: the methods of `Client`, awaited."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from pulsemesh_client.client import POLL_S, http_options, job_id
from pulsemesh_client.effects import Call, Effect, Fetch, Flow, Pause, Progress
from pulsemesh_client.flows import Flows, Patience
from pulsemesh_client.models import File, Job, Link, RecordingInfo, Result
from pulsemesh_client.waves import Waves, parse_waves

T = TypeVar("T")


class AsyncClient:
    """A gateway, for asyncio. Parameters, and what each method does and raises: see `Client`."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        patience: Patience | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(transport=transport, **http_options(url, token))
        self._flows = Flows(patience or Patience())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    # --- the driver

    async def _perform(self, effect: Effect) -> Any:
        if isinstance(effect, Pause):
            await asyncio.sleep(effect.seconds)
            return None
        if isinstance(effect, Fetch):
            async with self._http.stream("GET", effect.path, headers=effect.headers) as answer:
                if answer.status_code >= 400:
                    await answer.aread()
                else:
                    effect.began(answer)
                    async for piece in answer.aiter_bytes():
                        effect.sink(piece)
            return answer
        return await self._http.request(
            effect.method,
            effect.path,
            headers=effect.headers,
            params=effect.params or None,
            json=effect.json,
            content=aiter(effect.body) if effect.body is not None else None,
        )

    async def _run(self, flow: Flow[T]) -> T:
        try:
            effect = next(flow)
            while True:
                try:
                    outcome = await self._perform(effect)
                except httpx.TransportError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(outcome)
        except StopIteration as stop:
            found: T = stop.value
            return found
        finally:
            flow.close()

    # --- uploads and jobs

    async def upload(self, clip: Path | str, *, progress: Progress | None = None) -> str:
        """See `Client.upload`."""
        return await self._run(self._flows.upload(Path(clip), progress))

    async def submit(
        self,
        clip: Path | str,
        parameters: Mapping[str, Any] | None = None,
        *,
        progress: Progress | None = None,
        webhook: str | None = None,
    ) -> Job:
        """See `Client.submit`."""
        return await self._run(self._flows.submit(clip, parameters, progress=progress, webhook=webhook))

    async def job(self, job: Job | str) -> Job:
        """See `Client.job`."""
        return await self._run(self._flows.job(job_id(job)))

    async def jobs(self, recording: str | None = None) -> list[Job]:
        """See `Client.jobs`."""
        return await self._run(self._flows.jobs(recording))

    async def watch(
        self, job: Job | str, *, timeout_s: float | None = None, every_s: float = POLL_S
    ) -> AsyncIterator[Job]:
        """See `Client.watch`."""
        until = time.monotonic() + timeout_s if timeout_s is not None else None
        view: Job | None = None
        while view is None or not view.ended:
            view = await self._run(self._flows.next_view(job_id(job), view, every_s, until))
            yield view

    async def wait(
        self,
        job: Job | str,
        *,
        timeout_s: float | None = None,
        every_s: float = POLL_S,
        progress: Callable[[Job], None] | None = None,
    ) -> Job:
        """See `Client.wait`."""
        async for view in self.watch(job, timeout_s=timeout_s, every_s=every_s):
            if progress is not None:
                progress(view)
        return view

    async def cancel(self, job: Job | str) -> None:
        """See `Client.cancel`."""
        await self._run(self._flows.delete(f"/v1/jobs/{job_id(job)}"))

    # --- results

    async def result(self, job: Job | str) -> Result:
        """See `Client.result`."""
        return Result.parse(await self._run(self._flows.get(f"/v1/jobs/{job_id(job)}/result")))

    async def waves(self, job: Job | str) -> dict[str, Waves]:
        """See `Client.waves`."""
        return parse_waves((await self.read(job, "pulse.csv")).decode())

    async def files(self, job: Job | str) -> list[File]:
        """See `Client.files`."""
        return await self._run(self._flows.files(job_id(job)))

    async def read(self, job: Job | str, name: str) -> bytes:
        """See `Client.read`."""
        buffer = io.BytesIO()
        await self._run(self._flows.download(job_id(job), name, buffer))
        return buffer.getvalue()

    async def download(self, job: Job | str, name: str, path: Path | str, *, progress: Progress | None = None) -> None:
        """See `Client.download`."""
        with await asyncio.to_thread(Path(path).open, "wb") as target:
            await self._run(self._flows.download(job_id(job), name, target, progress))

    async def download_all(self, job: Job | str, folder: Path | str) -> list[Path]:
        """See `Client.download_all`."""
        target = Path(folder)
        await asyncio.to_thread(target.mkdir, parents=True, exist_ok=True)
        paths = []
        for file in await self.files(job):
            await self.download(job, file.name, target / file.name)
            paths.append(target / file.name)
        return paths

    # --- the rest

    async def recording(self, recording: str) -> RecordingInfo:
        """See `Client.recording`."""
        return RecordingInfo.parse(await self._run(self._flows.get(f"/v1/recordings/{recording}")))

    async def erase(self, recording: str) -> None:
        """See `Client.erase`."""
        await self._run(self._flows.delete(f"/v1/recordings/{recording}"))

    async def link(self, path: str, seconds: int | None = None) -> Link:
        """See `Client.link`."""
        call = Call("POST", "/v1/links", json={"path": path, "seconds": seconds})
        found = (await self._run(self._flows.request(call))).json()
        return Link(str(self._http.base_url.join(found["href"])), datetime.fromisoformat(found["expires_at"]))

    async def parameters(self) -> dict[str, Any]:
        """See `Client.parameters`."""
        found: dict[str, Any] = await self._run(self._flows.get("/v1/parameters"))
        return found
