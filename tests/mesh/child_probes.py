"""Functions that tests run in a limited child."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import tempfile
import time
from pathlib import Path

from mesh.contracts import Measurement
from mesh.errors import TooShort


def answer() -> int:
    """Something simple."""
    return 42


def measure(value: float) -> Measurement:
    """A model."""
    return Measurement(value=value, unit="1/min", status="ok")


def refuse() -> None:
    """A typed failure."""
    raise TooShort("0.2 s", hint="record more")


def segfault() -> None:
    """Dies as a decoder does."""
    os.kill(os.getpid(), signal.SIGSEGV)


def leave() -> None:
    """Ends without a word."""
    os._exit(0)


def write_too_much() -> None:
    """Writes more than a file may hold."""
    with tempfile.TemporaryFile() as file:
        for _ in range(3):
            file.write(bytes(1 << 20))
            file.flush()


def find_the_disk_full() -> None:
    """As a write to a full disk fails."""
    with Path("/dev/full").open("wb", buffering=0) as file:
        file.write(b"x")


def sleep() -> None:
    """Hangs."""
    time.sleep(60)


def spin() -> None:
    """Hangs, and is busy."""
    while True:
        pass


def grow() -> None:
    """Eats memory."""
    held = []
    while True:
        held.append(b"x" * (8 << 20))
        time.sleep(0.002)


def raise_memory_error() -> None:
    """What an allocation that is too large raises."""
    raise MemoryError


def divide() -> float:
    """A defect."""
    return 1 / 0


def limits() -> dict[str, int]:
    """What this process may."""
    return {
        "core": resource.getrlimit(resource.RLIMIT_CORE)[1],
        "file": resource.getrlimit(resource.RLIMIT_FSIZE)[1],
        "no_new_privileges": ctypes.CDLL(None).prctl(39, 0, 0, 0, 0),  # PR_GET_NO_NEW_PRIVS
        "threads": int(os.environ["OMP_NUM_THREADS"]),
    }


def write(path: str, size: int) -> str:
    """Writes a file."""
    try:
        Path(path).write_bytes(b"x" * size)
    except OSError as error:
        return f"OSError {error.errno}"
    return "written"


def connect() -> str:
    """Looks for a network."""
    try:
        socket.create_connection(("127.0.0.1", 1), timeout=1).close()
    except OSError as error:
        return f"OSError {error.errno}"
    return "connected"
