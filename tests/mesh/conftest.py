"""A real nats-server for each test module, and connections to it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from mesh.bus import Bus
from mesh.settings import MeshSettings
from pulsemesh.broker import Broker

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package; what they share is a module beside them

from mesh_kit import Mesh

HANDLERS = Path(__file__).with_name("worker_handlers.py")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that the tests of a module share."""
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker of one's own: to kill, or to change."""
    with Broker(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def settings_for(tmp_path: Path) -> Callable[..., MeshSettings]:
    """Settings for a broker, with leases short enough for tests."""

    def make(broker: Broker, **changes: object) -> MeshSettings:
        values: dict[str, object] = {
            "nats_url": broker.url,
            "nats_user": broker.user,
            "nats_password": broker.password,
            "connect_timeout_s": 10,
            "retry_s": 20,
            "ack_wait_s": 2,
            "slots": 2,
            "scratch": tmp_path / "scratch",
            "grace_s": 5,
        }
        return MeshSettings.model_validate(values | changes)

    return make


@pytest_asyncio.fixture
async def connect(settings_for: Callable[..., MeshSettings]) -> AsyncIterator[Callable[..., Awaitable[Bus]]]:
    """Connections that are closed after the test."""
    opened: list[Bus] = []

    async def make(broker: Broker, **changes: object) -> Bus:
        bus = await Bus.connect(settings_for(broker, **changes), on_closed=None)
        opened.append(bus)
        return bus

    yield make
    for bus in opened:
        await bus.close()


@pytest_asyncio.fixture
async def bus(broker: Broker, connect: Callable[..., Awaitable[Bus]]) -> Bus:
    """A connection to the module's broker."""
    return await connect(broker)


@pytest.fixture
def handler_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets child processes import `worker_handlers`."""
    monkeypatch.setenv("PYTHONPATH", str(HANDLERS.parent))


@pytest_asyncio.fixture
async def mesh(bus: Bus, handler_path: None) -> AsyncIterator[Mesh]:
    """A mesh on the module's broker, its queue empty."""
    await bus.purge("TASKS", "task.>")
    made = Mesh(bus)
    await made.jobs.start()
    yield made
    await made.close()
