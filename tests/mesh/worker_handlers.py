"""Stage handlers for tests of the worker: they run in its child processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from mesh.contracts import Task
from mesh.errors import TooShort, Unavailable
from mesh.names import BlobName
from mesh.stages import Inputs, Output


def _own(task: Task, content: bytes) -> Output:
    name = BlobName.parse(task.output)
    return Output(name.kind, name.index, content)


def _count(task: Task) -> int:
    """How often this task was begun, counted in a file beside the workers' scratch folders."""
    folder = Path(os.environ["PULSEMESH_TEST_COUNTS"])
    path = folder / task.output.replace("/", "-")
    with path.open("a") as file:
        file.write("x")
    return path.stat().st_size


def copy(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Writes what it read."""
    yield _own(task, b"".join(blob.read() for blob in inputs.blobs))


def several(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Writes three files, one of them large, and its own blob last."""
    for number in range(3):
        path = inputs.scratch / f"part-{number}"
        path.write_bytes(bytes([number]) * (3 << 20 if number == 1 else 10))
        yield Output("chunk", str(number), path)
    yield _own(task, b"done")


def slow(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Takes 1.5 s."""
    _count(task)
    time.sleep(1.5)
    yield _own(task, b"slow")


def endless(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Never ends by itself."""
    _count(task)
    time.sleep(600)
    yield _own(task, b"never")


def short(task: Task, inputs: Inputs) -> Iterator[Output]:
    """A typed failure of the recording."""
    _count(task)
    raise TooShort("0.2 s of 5 s")


def crash(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Kills its process."""
    _count(task)
    os.kill(os.getpid(), signal.SIGSEGV)
    yield _own(task, b"never")


def crash_once(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Kills its process the first time."""
    if _count(task) == 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    yield _own(task, b"second try")


def killed_four_times(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Ends as if somebody killed its process, four times."""
    if _count(task) <= 4:
        os.kill(os.getpid(), signal.SIGKILL)
    yield _own(task, b"fifth try")


def hog(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Takes memory until it is stopped."""
    _count(task)
    held = []
    while True:
        held.append(b"x" * (16 << 20))
        time.sleep(0.002)
    yield _own(task, b"never")


def defect(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Raises what no handler should."""
    _count(task)
    raise ZeroDivisionError("a defect")
    yield _own(task, b"never")


def unavailable(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Can never be done now, maybe later."""
    _count(task)
    raise Unavailable("not now")
    yield _own(task, b"never")


def nothing(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Breaks the contract: its own blob is not written."""
    yield Output("file", "0", b"not mine")


def network(task: Task, inputs: Inputs) -> Iterator[Output]:
    """Whether it can reach anything."""
    import socket

    try:
        socket.create_connection(("127.0.0.1", 1), timeout=1).close()
    except ConnectionRefusedError:
        answer = b"reached"
    except OSError as error:
        answer = b"out of reach" if error.errno == 101 else repr(error).encode()
    else:
        answer = b"reached"
    yield _own(task, answer)
