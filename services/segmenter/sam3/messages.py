"""Messages between a worker's child and the process that holds SAM 3: a head in JSON, and memory that both see.

Pictures go as planes in sealed, nameless memory whose descriptor travels over a Unix socket: nothing is copied twice,
nothing is left behind by whoever is killed, and nothing that a child sends is ever run (a child opens files from
outside and may have been taken over). Linux only.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LENGTH = struct.Struct("<I")
MAX_HEAD = 16 << 20
MAX_BYTES = 2 << 30  # of planes or masks in one message
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW


class BrokenMessage(Exception):
    """The other side hung up in the middle, or sent what cannot be read."""


def share(arrays: Sequence[NDArray[Any]]) -> int:
    """Copy arrays, one behind the other, into new memory.

    Returns
    -------
    int
        A descriptor that the caller closes; the memory's size cannot change any more.
    """
    size = sum(array.nbytes for array in arrays)
    descriptor = os.memfd_create("sam3", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, max(size, 1))
        with mmap.mmap(descriptor, max(size, 1)) as memory:
            start = 0
            for array in arrays:
                place = np.frombuffer(memory, array.dtype, array.size, start).reshape(array.shape)
                np.copyto(place, array)
                del place  # a map with a view of it cannot be closed
                start += array.nbytes
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def attach(descriptor: int, size: int) -> NDArray[np.uint8]:
    """The bytes of memory that another process shared; writing to them changes nothing for it.

    Parameters
    ----------
    descriptor : int
        Closed here.
    size : int
        Bytes that must be there.

    Returns
    -------
    uint8[size]

    Raises
    ------
    BrokenMessage
        If it is no memory of that size that stays so: a map of a file that shrinks would end this process.
    """
    try:
        sealed = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & _SEALS == _SEALS
        if not sealed or os.fstat(descriptor).st_size < size or not 0 <= size <= MAX_BYTES:
            raise BrokenMessage("what was shared is not what was announced")
        memory = mmap.mmap(descriptor, max(size, 1), access=mmap.ACCESS_COPY)
    except (OSError, ValueError) as error:
        raise BrokenMessage("what was shared is no memory") from error
    finally:
        os.close(descriptor)
    return np.frombuffer(memory, np.uint8, size)


def send(connection: socket.socket, head: dict[str, Any], descriptor: int | None = None) -> None:
    """Send a message; the descriptor stays the caller's."""
    data = json.dumps(head, separators=(",", ":")).encode()
    length = LENGTH.pack(len(data))
    if descriptor is None:
        connection.sendall(length)
    else:
        sent = socket.send_fds(connection, [length], [descriptor])
        connection.sendall(length[sent:])
    connection.sendall(data)


def receive(connection: socket.socket) -> tuple[dict[str, Any], int | None] | None:
    """The next message and the descriptor that came with it, which the caller closes; None at the end.

    Raises
    ------
    BrokenMessage
        If it ends in the middle or is no message.
    """
    start, descriptors, _, _ = socket.recv_fds(connection, LENGTH.size, 1)
    if not start:
        return None
    descriptor = descriptors[0] if descriptors else None
    try:
        length = LENGTH.unpack(start + _exactly(connection, LENGTH.size - len(start)))[0]
        if length > MAX_HEAD:
            raise BrokenMessage(f"a head of {length} bytes")
        head = json.loads(_exactly(connection, length))
        if not isinstance(head, dict):
            raise BrokenMessage("a head that is no object")
    except (BrokenMessage, ValueError) as error:
        if descriptor is not None:
            os.close(descriptor)
        raise error if isinstance(error, BrokenMessage) else BrokenMessage("a head that is no JSON") from error
    return head, descriptor


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            raise BrokenMessage("it ended in the middle")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
