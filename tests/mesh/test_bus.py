"""The connection: what is refused, what survives a restart of the broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable

import pytest
from mesh_kit import new_job, new_task, until
from nats.js.api import ConsumerConfig

from mesh import subjects
from mesh.bus import NEW_SUBJECT, Bus, WrongSequence
from mesh.contracts import Task
from mesh.errors import Busy, Unavailable
from mesh.names import new_id
from mesh.puller import Puller
from mesh.settings import MeshSettings
from pulsemesh.broker import Broker, BrokerError, check_version

pytestmark = pytest.mark.mesh

Connect = Callable[..., Awaitable[Bus]]


async def test_provisioning_again_changes_nothing(bus: Bus) -> None:
    assert await bus.provision() == []


async def test_a_consumer_that_drifted_is_set_right(own_broker: Broker, connect: Connect) -> None:
    bus = await connect(own_broker)
    await bus.js.add_consumer(
        subjects.TASKS,
        ConsumerConfig(durable_name="mask", filter_subject="task.mask.>", ack_wait=55.0, max_deliver=3),
    )
    changed = await bus.provision()
    assert len(changed) == 1
    assert changed[0].startswith("TASKS/mask: ")
    info = await bus.js.consumer_info(subjects.TASKS, "mask")
    assert (info.config.ack_wait, info.config.max_deliver) == (2.0, 10)


async def test_other_settings_update_streams(own_broker: Broker, connect: Connect) -> None:
    first = await connect(own_broker)
    assert (await first.js.stream_info(subjects.TASKS)).config.max_msgs == 100_000
    await connect(own_broker, tasks_max=7)
    assert (await first.js.stream_info(subjects.TASKS)).config.max_msgs == 7


async def test_a_task_is_queued_once(bus: Bus) -> None:
    task = new_task(new_job(), "trace")
    assert await bus.publish_task(task)
    assert not await bus.publish_task(task)
    assert not await bus.publish_task(task.model_copy(update={"job": new_id("job")})), "same work, whoever asks"
    assert await bus.publish_task(new_task(new_job(), "trace"))
    message = await Puller(bus, subjects.TASKS, "trace").next()
    assert message is not None
    assert Task.model_validate_json(message.data) == task
    assert not await bus.publish_task(task), "running"
    await message.ack_sync()
    assert await bus.publish_task(task), "ended"
    await bus.purge_tasks(task.recording)
    assert not [subject for subject in await bus.subjects(subjects.TASKS, "task.>") if task.recording in subject]


async def test_a_full_queue_is_busy(own_broker: Broker, connect: Connect) -> None:
    bus = await connect(own_broker, tasks_max=2)
    tasks = [new_task(new_job(), "mask") for _ in range(3)]
    assert await bus.publish_task(tasks[0])
    assert await bus.publish_task(tasks[1])
    with pytest.raises(Busy):
        await bus.publish_task(tasks[2])
    assert not await bus.publish_task(tasks[0]), "queued already, which is not the same as full"
    assert await bus.queued() == {"mask": 2}


async def test_compare_and_set(bus: Bus) -> None:
    key = f"$KV.JOBS.job.{new_id('job')}"
    sequence = await bus.append(key, b"1", expect=NEW_SUBJECT)
    with pytest.raises(WrongSequence) as caught:
        await bus.append(key, b"2", expect=NEW_SUBJECT)
    assert not caught.value.repeated
    assert await bus.append(key, b"2", expect=sequence) > sequence


async def test_nobody_there(settings_for: Callable[..., MeshSettings], own_broker: Broker) -> None:
    settings = settings_for(own_broker, connect_timeout_s=0.5)
    own_broker.kill()
    with pytest.raises(Unavailable, match="cannot be reached"):
        await Bus.connect(settings, on_closed=None)


async def test_a_wrong_password_is_told_at_once(broker: Broker, settings_for: Callable[..., MeshSettings]) -> None:
    with pytest.raises(Unavailable, match="Authorization"):
        async with asyncio.timeout(5):
            await Bus.connect(settings_for(broker, nats_password="wrong", connect_timeout_s=60), on_closed=None)


async def test_an_old_server_is_refused(settings_for: Callable[..., MeshSettings], broker: Broker) -> None:
    """A server that says it is 2.9.10, as Debian 12 has it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        info = {"server_id": "OLD", "version": "2.9.10", "headers": True, "max_payload": 1 << 20, "proto": 1}
        writer.write(f"INFO {json.dumps(info)}\r\n".encode())
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                if line.startswith(b"PING"):
                    writer.write(b"PONG\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(Unavailable, match="too old") as caught:
        await Bus.connect(settings_for(broker, nats_url=f"nats://127.0.0.1:{port}"), on_closed=None)
    assert "2.12" in (caught.value.hint or "")
    server.close()


@pytest.mark.parametrize(("version", "fine"), [("2.11.4", False), ("2.12.0", True), ("v2.15.1", True), ("2.9.10", False), ("x", False)])  # fmt: skip  # noqa: E501
def test_versions_of_the_broker(version: str, fine: bool) -> None:
    with contextlib.nullcontext() if fine else pytest.raises(BrokerError):
        check_version(version)


async def test_writes_survive_a_killed_broker(own_broker: Broker, connect: Connect) -> None:
    bus = await connect(own_broker)
    job, first = new_id("job"), own_broker.server_id
    for number in range(20):
        await bus.publish_event(job, "progress", str(number).encode())
    own_broker.kill()
    writing = asyncio.create_task(bus.publish_event(job, "progress", b"20"))
    await asyncio.sleep(0.3)
    assert not bus.connected
    await asyncio.to_thread(own_broker.start)
    await asyncio.wait_for(writing, 10)
    assert own_broker.server_id != first
    assert bus.server_id == own_broker.server_id
    assert (await bus.subjects(subjects.EVENTS, f"event.{job}.>")) == {f"event.{job}.progress": 21}


async def test_events_are_replayed_and_followed_over_a_restart(own_broker: Broker, connect: Connect) -> None:
    bus = await connect(own_broker)
    job = new_id("job")
    ids = [await bus.publish_event(job, "progress", str(number).encode()) for number in range(5)]
    seen: list[tuple[int, bytes]] = []

    async def follow() -> None:
        async for event in bus.events(job, after=ids[1]):
            seen.append((event.id, event.data))  # noqa: PERF401 - seen by others while it goes on

    following = asyncio.create_task(follow())
    await until(lambda: len(seen) == 3)
    own_broker.kill()
    await asyncio.to_thread(own_broker.start)
    ids += [await bus.publish_event(job, "progress", str(number).encode()) for number in range(5, 8)]
    await until(lambda: len(seen) >= 6)
    following.cancel()
    assert seen == [(ids[number], str(number).encode()) for number in range(2, 8)]


async def test_a_broker_that_lost_its_store_is_provisioned_again(own_broker: Broker, connect: Connect) -> None:
    import shutil

    bus = await connect(own_broker)
    task = new_task(new_job(), "mask")
    assert await bus.publish_task(task)
    own_broker.kill()
    shutil.rmtree(own_broker.store / "jetstream")
    await asyncio.to_thread(own_broker.start)
    assert await bus.publish_task(task), "waits until the streams are there again"


async def test_closing_for_good_is_told(own_broker: Broker, settings_for: Callable[..., MeshSettings]) -> None:
    told: list[str] = []
    bus = await Bus.connect(settings_for(own_broker), on_closed=lambda: told.append("closed"))
    own_broker.kill()
    own_broker.password = "another"
    await asyncio.to_thread(own_broker.start)
    await until(lambda: told)
    await bus.close()
    with pytest.raises(Unavailable):
        await bus.request("$JS.API.INFO", limit_s=0.2)
