"""A service as a process: its endpoints, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from mesh_kit import new_job, new_task, until

from mesh.bus import Bus
from mesh.graph import blob_name
from mesh.jetstream_blobs import JetStreamBlobs
from mesh.names import BlobName
from mesh.telemetry import JsonFormatter, Telemetry
from mesh.trace_context import current_trace, new_traceparent, span, trace_id
from pulsemesh.broker import Broker

pytestmark = pytest.mark.mesh

SERVICE = """
from mesh.service import create_app, run
app = create_app("segmenter", handlers={"skin": "worker_handlers:slow", "mask": "worker_handlers:copy",
                                        "people": "worker_handlers:copy"}, info=lambda: {"arrays": "numpy"})
run("segmenter", app)
"""


class Service:
    """A service's process."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.port_file = folder / "port"
        self.log = folder / "log"
        self._environment = os.environ | {
            "PULSEMESH_PORT": "0",
            "PULSEMESH_PORT_FILE": str(self.port_file),
            "PULSEMESH_SLOTS": "1",
            "PULSEMESH_ACK_WAIT_S": "2",
            "PULSEMESH_SCRATCH": str(folder),
            "PULSEMESH_GRACE_S": "5",
            "PULSEMESH_CONNECT_TIMEOUT_S": "5",
            "PYTHONPATH": str(Path(__file__).parent),
            "PULSEMESH_TEST_COUNTS": str(folder),
        } | environment  # fmt: skip

    async def start(self) -> asyncio.subprocess.Process:
        """Start it."""
        with self.log.open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", SERVICE, env=self._environment, stderr=log
            )
        return self.process

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body."""

        def fetch() -> tuple[int, str]:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port_file.read_text()}{path}", timeout=5) as found:
                    return found.status, found.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read().decode()

        return await asyncio.to_thread(fetch)

    def lines(self) -> list[dict[str, object]]:
        """Its log."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


async def test_a_service_serves_and_drains(
    broker: Broker, connect: Callable[..., Awaitable[Bus]], tmp_path: Path
) -> None:
    service = Service(tmp_path, broker.environment())
    process = await service.start()
    try:
        await until(service.port_file.exists)
        assert (await service.get("/healthz"))[0] == 200
        assert await service.get("/readyz") == (200, '{"ready":true}')
        info = json.loads((await service.get("/info"))[1])
        assert (info["service"], info["stages"], info["slots"]) == ("segmenter", ["skin", "mask", "people"], 1)
        assert info["arrays"] == "numpy"
        assert info["broker"] == {"connected": True, "version": broker.version}
        bus = await connect(broker)
        blobs, job = JetStreamBlobs(bus), new_job()
        await blobs.create(blob_name(job, "upload"), b"clip")
        task = new_task(job, "skin")
        with span(new_traceparent("ab" * 16)):
            await bus.publish_task(task)
        await until(lambda: list(tmp_path.glob("*skin*")))
        process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        assert (await service.get("/readyz"))[0] == 503, "still answers while it drains"
        assert 'pulsemesh_tasks_running{stage="skin"} 1.0' in (await service.get("/metrics"))[1]
        assert await asyncio.wait_for(process.wait(), 15) == 0
        assert await blobs.read(BlobName.parse(task.output)) == b"slow", "what ran was finished"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert {line["service"] for line in service.lines()} == {"segmenter"}
    assert list(tmp_path.glob("pulsemesh-*")) == [], "nothing is left in scratch"  # noqa: ASYNC240


async def test_without_a_broker_it_does_not_start(own_broker: Broker, tmp_path: Path) -> None:
    environment = own_broker.environment()
    own_broker.kill()
    service = Service(tmp_path, environment | {"PULSEMESH_CONNECT_TIMEOUT_S": "1"})
    process = await service.start()
    assert await asyncio.wait_for(process.wait(), 20) not in (0, None)
    assert "cannot be reached" in service.log.read_text()


def test_metrics_of_two_services_share_a_process() -> None:
    one, two = Telemetry("ppg"), Telemetry("magnifier")
    one.tasks.labels("trace", "done").inc()
    assert b'pulsemesh_tasks_total{end="done",stage="trace"} 1.0' in one.render()
    assert b'stage="trace"' not in two.render()


def test_trace_context_is_passed_on() -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    with span(f"00-{trace}-b7ad6b7169203331-01") as header:
        assert trace_id(header) == current_trace() == trace
        assert header.split("-")[2] != "b7ad6b7169203331", "a span of its own"
    for bad in (None, "", "00-zz-1-01", f"00-{'0' * 32}-b7ad6b7169203331-01", f"00-{trace}-{'0' * 16}-01"):
        assert trace_id(bad) is None
        with span(bad) as header:
            assert trace_id(header)


def test_a_log_line_is_one_object(caplog: pytest.LogCaptureFixture) -> None:
    import logging

    logging.getLogger("mesh.test").warning("a task failed", extra={"task": "rec/skin/d/0", "deaths": {"crash": 1}})
    line = json.loads(JsonFormatter("ppg").format(caplog.records[-1]))
    assert (line["message"], line["task"], line["deaths"]) == ("a task failed", "rec/skin/d/0", {"crash": 1})
    assert (line["level"], line["service"]) == ("warning", "ppg")
