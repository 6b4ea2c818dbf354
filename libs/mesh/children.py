"""Persistent child processes under our own supervisor: what crashes, hangs or eats memory in one takes no other along.

(An executor pool of the standard library breaks whole when one of its children dies.)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from mesh.child import LENGTH, MAX_FRAME
from mesh.contracts import Task
from mesh.errors import Failure, OutOfMemory, OutOfTime, Problem, WorkerCrashed, from_problem
from mesh.names import BlobName
from mesh.settings import usable_cores

WATCH_S = 0.05  # how often the resident size is looked at: a child can take some 100 MB in this time
START_S = 60.0  # for a child to import what it needs
# One thread a task: tasks are what runs in parallel, and a sum's order never depends on the machine
THREADS = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")}


class ChildDied(Exception):
    """The child ended before its work did.

    Attributes
    ----------
    reason : str
        `crash`, `memory`, `time`, or `killed` by somebody else: an operator, or the kernel that ran out of memory.
    """

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(f"{reason} ({code})")
        self.reason = reason
        self.code = code


class HandlerError(Exception):
    """The handler raised what is no failure of ours: a defect."""

    def __init__(self, error: str, message: str, places: list[str]) -> None:
        super().__init__(f"{error}: {message}")
        self.error, self.message, self.places = error, message, places


@dataclass(frozen=True)
class Limits:
    """Of one task."""

    wall_s: float
    memory_bytes: int


class Child:
    """One child process; runs one piece of work at a time."""

    def __init__(self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._process, self._reader, self._writer = process, reader, writer
        self._watched = psutil.Process(process.pid)
        self._killed_for: str | None = None
        self.isolated = False
        self.peak_bytes = 0

    @classmethod
    async def spawn(cls, modules: Sequence[str], *, file_bytes: int) -> Child:
        """Start a child and wait until it has imported `modules`.

        Raises
        ------
        ChildDied
            If it does not come up.
        """
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "mesh.child", str(theirs.fileno()), str(os.getpid()), str(file_bytes)]
        process = subprocess.Popen(  # noqa: ASYNC220 - some ms; a thread of a pool may not be its parent (see sandbox)
            [*command, *modules],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=os.environ | THREADS,
            start_new_session=True,  # Ctrl-C in a terminal is for the parent
        )
        theirs.close()
        try:
            reader, writer = await asyncio.open_connection(sock=ours)
        except BaseException:
            ours.close()
            process.kill()
            process.wait()
            raise
        child = cls(process, reader, writer)
        try:
            async with asyncio.timeout(START_S):
                child.isolated = bool((await child._receive())["isolated"])
        except BaseException:
            await child.close()
            raise
        return child

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can take work."""
        return self._process.poll() is None and self._killed_for is None

    def resident_bytes(self) -> int:
        """Resident size now, 0 when it is gone."""
        try:
            return int(self._watched.memory_info().rss)
        except psutil.Error:
            return 0

    def kill(self, reason: str = "stopped") -> None:
        """End it with SIGKILL."""
        self._killed_for = self._killed_for or reason
        if self._process.poll() is None:
            self._process.kill()

    async def close(self) -> None:
        """End it and wait for its end."""
        self.kill()
        self._writer.close()
        await asyncio.shield(asyncio.to_thread(self._process.wait))  # reaped whatever happens to us
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _receive(self) -> dict[str, Any]:
        try:
            (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
            if length > MAX_FRAME:
                raise ChildDied("crash")
            message = json.loads(await self._reader.readexactly(length))
            if not isinstance(message, dict):
                raise ChildDied("crash")
            return message
        except (asyncio.IncompleteReadError, OSError, ValueError) as error:
            reason = self._killed_for
            self.kill("crash")  # no effect where it is dying already: the code says of what
            code = await asyncio.to_thread(self._process.wait)
            raise ChildDied(reason or ("killed" if code == -signal.SIGKILL else "crash"), code) from error

    async def _watch(self, limits: Limits) -> None:
        deadline = time.monotonic() + limits.wall_s
        while True:
            resident = self.resident_bytes()
            self.peak_bytes = max(self.peak_bytes, resident)
            if resident > limits.memory_bytes:
                return self.kill("memory")
            if time.monotonic() > deadline:
                return self.kill("time")
            await asyncio.sleep(WATCH_S)

    async def _request(self, limits: Limits, **request: Any) -> AsyncGenerator[dict[str, Any], None]:
        """Send a request; the answers up to the last. The child computes on while an answer is dealt with.

        Leaving early kills the child.
        """
        answers: asyncio.Queue[dict[str, Any] | Exception] = asyncio.Queue()
        self.peak_bytes = 0

        async def read() -> None:
            try:
                while True:
                    answer = await self._receive()
                    await answers.put(answer)
                    if "output" not in answer:
                        return
            except ChildDied as died:
                await answers.put(died)

        # processor time is a second fence behind the wall clock: libraries may use threads of their own
        data = pickle.dumps(request | {"cpu_s": limits.wall_s * usable_cores()})
        watching = asyncio.create_task(self._watch(limits))
        reading = asyncio.create_task(read())
        reading.add_done_callback(lambda _: watching.cancel())
        finished = False
        try:
            self._writer.write(LENGTH.pack(len(data)) + data)
            with contextlib.suppress(OSError):  # the reader finds out why
                await self._writer.drain()
            while not finished:
                answer = await answers.get()
                if isinstance(answer, Exception):
                    finished = True
                    raise answer
                finished = "output" not in answer
                yield answer
        finally:
            if not finished:
                self.kill()
            for task in (watching, reading):
                task.cancel()
            await asyncio.gather(watching, reading, return_exceptions=True)

    async def run(
        self, task: Task, inputs: Sequence[tuple[str, Path]], scratch: Path, limits: Limits, handler: str | None = None
    ) -> AsyncGenerator[tuple[BlobName, Path], None]:
        """Run the handler of a task: names and files (under `scratch`) of its outputs as they come.

        Raises
        ------
        Failure
            What the handler raised.
        HandlerError
            If it raised anything else, or broke its contract.
        ChildDied
            If it crashed, or was killed over a limit.
        """
        request = {
            "kind": "task",
            "task": task.model_dump_json(),
            "inputs": [(name, str(path)) for name, path in inputs],
            "scratch": str(scratch),
            "handler": handler,
        }
        async with contextlib.aclosing(self._request(limits, **request)) as answers:
            async for answer in answers:
                if "output" in answer:
                    yield BlobName.parse(answer["output"]), _inside(Path(answer["path"]), scratch)
                else:
                    _raise(answer)

    async def call(self, function: str, args: Sequence[Any], limits: Limits) -> Any:
        """Run `module:function`; its result as JSON values. Raises as `run`."""
        async with contextlib.aclosing(self._request(limits, kind="call", function=function, args=args)) as answers:
            async for answer in answers:
                _raise(answer)
                return answer["result"]
        raise ChildDied("crash")


def _inside(path: Path, folder: Path) -> Path:
    """The child may have been taken over: nothing outside its folder leaves through it."""
    if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
        raise HandlerError("PermissionError", "an output lies outside the task's folder", [])
    return path


def _raise(answer: dict[str, Any]) -> None:
    if "failure" in answer:
        raise from_problem(Problem.model_validate(answer["failure"]))
    if "error" in answer:
        raise HandlerError(str(answer["error"]), str(answer["message"]), [str(p) for p in answer["places"]])


def failure_of(died: ChildDied) -> Failure:
    """The typed failure that the death of a child is to a user."""
    return {"memory": OutOfMemory, "time": OutOfTime}.get(died.reason, WorkerCrashed)()
