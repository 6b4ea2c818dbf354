"""The child process that runs handlers: `python -m mesh.child <descriptor> <parent> <file bytes> <modules>`.

Speaks length-prefixed frames over a socket. The parent sends pickles; the child answers in JSON alone, so that a child
that was taken over by what it decodes has nothing to take over its parent with.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import pickle
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mesh import sandbox

LENGTH = struct.Struct("<I")
MAX_FRAME = 64 << 20


def load(dotted: str) -> Callable[..., Any]:
    """The function that `module:function` names."""
    module, _, name = dotted.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


class _Parent:
    """Our end of the socket."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._file = self._socket.makefile("rb")

    def receive(self) -> dict[str, Any] | None:
        head = self._file.read(LENGTH.size)
        if len(head) < LENGTH.size:
            return None
        message: dict[str, Any] = pickle.loads(self._file.read(LENGTH.unpack(head)[0]))
        return message

    def send(self, **message: Any) -> None:
        self.send_json(json.dumps(message).encode())

    def send_json(self, data: bytes) -> None:
        self._socket.sendall(LENGTH.pack(len(data)) + data)


def _run_task(parent: _Parent, request: dict[str, Any]) -> None:
    from mesh.contracts import Task
    from mesh.names import BlobName
    from mesh.stages import Input, Inputs, load_handler, run_handler

    task = Task.model_validate_json(request["task"])
    scratch = Path(request["scratch"])
    blobs = [Input(BlobName.parse(name), Path(path)) for name, path in request["inputs"]]
    handler = load(request["handler"]) if request["handler"] else load_handler(task.stage)
    for number, (name, source) in enumerate(run_handler(handler, task, Inputs(blobs, scratch))):
        if isinstance(source, bytes):
            path = scratch / f".output-{number}"
            path.write_bytes(source)
            source = path
        parent.send(output=str(name), path=str(source))
    parent.send(done=True)


def _call(parent: _Parent, request: dict[str, Any]) -> None:
    from pydantic_core import to_json

    result = load(request["function"])(*request["args"])
    parent.send_json(b'{"result":' + to_json(result) + b"}")


def _serve(parent: _Parent, request: dict[str, Any]) -> None:
    from mesh.errors import Failure, OutOfMemory, OutOfScratch, StorageFull

    full = {errno.EFBIG: OutOfScratch, errno.ENOSPC: StorageFull, errno.EDQUOT: StorageFull}
    sandbox.allow_cpu(request["cpu_s"])
    try:
        (_run_task if request["kind"] == "task" else _call)(parent, request)
    except Failure as failure:
        parent.send(failure=failure.problem().model_dump())
    except MemoryError:
        parent.send(failure=OutOfMemory().problem().model_dump())
    except OSError as error:
        if error.errno in full:
            parent.send(failure=full[error.errno]().problem().model_dump())
        else:
            _send_error(parent, error)
    except Exception as error:  # noqa: BLE001 - the border of the process: whatever it is goes to the parent
        _send_error(parent, error)


def _send_error(parent: _Parent, error: Exception) -> None:
    # where it happened, never what it was about: values may show a person
    places = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
    parent.send(error=type(error).__name__, message=str(error)[:500], places=places[-12:])


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)  # where the kernel did not tell us


def main(arguments: list[str]) -> None:
    """Serve tasks until the parent hangs up."""
    descriptor, parent_pid, file_bytes = (int(text) for text in arguments[:3])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent decides when we end
    sandbox.die_with_parent(parent_pid)
    isolated = sandbox.limit(file_bytes=file_bytes)
    threading.Thread(target=_watch_parent, args=(parent_pid,), daemon=True).start()
    import mesh.contracts
    import mesh.stages  # noqa: F401 - before the first task asks for it

    for module in arguments[3:]:
        importlib.import_module(module)
    parent = _Parent(descriptor)
    parent.send(ready=True, isolated=isolated)
    while (request := parent.receive()) is not None:
        _serve(parent, request)


if __name__ == "__main__":
    main(sys.argv[1:])
