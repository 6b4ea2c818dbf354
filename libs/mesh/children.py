"""Persistent child processes under our own supervisor: what crashes, hangs or eats memory in one takes no other along.

(An executor pool of the standard library breaks whole when one of its children dies.)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

import psutil
from pydantic import TypeAdapter

from mesh.child import LENGTH, MAX_FRAME
from mesh.contracts import Task
from mesh.errors import Failure, Internal, OutOfMemory, OutOfTime, Problem, WorkerCrashed, from_problem
from mesh.names import BlobName
from mesh.settings import usable_cores

log = logging.getLogger(__name__)

T = TypeVar("T")
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


def stage_modules(stages: Sequence[str], handlers: dict[str, str] | None = None) -> list[str]:
    """Modules of the handlers of `stages`: imported when a child starts, not when the first task comes."""
    table = {entry.name: entry.value for entry in entry_points(group="pulsemesh.stages")} | (handlers or {})
    return sorted({table[stage].partition(":")[0] for stage in stages if stage in table})


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


@dataclass
class ChildPool:
    """Warm children, replaced when they die or have grown.

    Attributes
    ----------
    size : int
        How many work at once.
    modules : list of str
        What they import at their start.
    on_end : callable, optional
        Called with the reason whenever one ended that was not meant to.
    """

    size: int
    modules: list[str]
    memory_bytes: int
    file_bytes: int
    on_end: Callable[[str], None] | None = None
    _free: asyncio.Queue[Child | None] = field(default_factory=asyncio.Queue, repr=False)
    _all: set[Child] = field(default_factory=set, repr=False)
    _replacing: set[asyncio.Task[None]] = field(default_factory=set, repr=False)
    _closed: bool = False

    async def start(self) -> None:
        """Start all children.

        Raises
        ------
        ChildDied
            If one does not come up, e.g. for a module that cannot be imported.
        """
        for child in await asyncio.gather(*(self._spawn() for _ in range(self.size))):
            self._free.put_nowait(child)

    async def _spawn(self) -> Child:
        child = await Child.spawn(self.modules, file_bytes=self.file_bytes)
        self._all.add(child)
        if self._closed:
            await self._remove(child)
        return child

    async def _remove(self, child: Child) -> None:
        self._all.discard(child)
        await child.close()

    @property
    def children(self) -> list[Child]:
        """Those that live."""
        return [child for child in self._all if child.alive]

    @contextlib.asynccontextmanager
    async def child(self) -> AsyncIterator[Child]:
        """A child of one's own for a while.

        Raises
        ------
        ChildDied
            If none can be started.
        """
        child = await self._free.get()
        try:
            if child is None or not child.alive:  # it could not be replaced before, or died while idle
                if child is not None:
                    await self._remove(child)
                    child = None
                child = await self._spawn()
            yield child
        finally:
            if child is not None and child.alive and child.resident_bytes() < 0.6 * self.memory_bytes:
                self._free.put_nowait(child)
            elif self._closed:
                pass
            else:
                replacing = asyncio.create_task(self._replace(child))
                self._replacing.add(replacing)
                replacing.add_done_callback(self._replacing.discard)

    async def _replace(self, child: Child | None) -> None:
        if child is not None:
            if self.on_end is not None:
                self.on_end(child._killed_for or ("crash" if not child.alive else "grown"))
            await self._remove(child)
        try:
            self._free.put_nowait(await self._spawn())
        except (ChildDied, OSError, TimeoutError) as error:
            log.error("a child process does not come up", extra={"error": repr(error)})
            await asyncio.sleep(1)
            self._free.put_nowait(None)

    async def call(
        self,
        function: str,
        *args: Any,
        returns: type[T],
        wall_s: float = 10.0,
        memory_bytes: int | None = None,
    ) -> T:
        """Run a function in a limited child and wait for its result.

        Parameters
        ----------
        function : str
            `module:function`. Its result has to be what JSON can say (a model, a dataclass, plain values).
        *args
            Whatever can be pickled.
        returns : type
            What the result is validated as: nothing that the child says is trusted.

        Raises
        ------
        Failure
            What the function raised; OutOfMemory, OutOfTime, WorkerCrashed; Internal for any other exception.
        """
        limits = Limits(wall_s, memory_bytes or self.memory_bytes)
        try:
            async with self.child() as child:
                result = await child.call(function, args, limits)
        except ChildDied as died:
            raise failure_of(died) from died
        except HandlerError as error:
            log.error("a limited call failed", extra={"function": function, "error": error.error, "at": error.places})
            raise Internal() from error
        return TypeAdapter(returns).validate_json(json.dumps(result))

    async def close(self) -> None:
        """End all children."""
        self._closed = True
        for task in list(self._replacing):
            task.cancel()
        await asyncio.gather(*self._replacing, return_exceptions=True)
        await asyncio.gather(*(self._remove(child) for child in list(self._all)))


async def run_limited(
    function: str, *args: Any, returns: type[T], wall_s: float = 10.0, memory_bytes: int = 1 << 30
) -> T:
    """Run `module:function` in a child started for it alone. See `ChildPool.call`."""
    pool = ChildPool(1, [function.partition(":")[0]], memory_bytes, 1 << 30)
    try:
        await pool.start()
        return await pool.call(function, *args, returns=returns, wall_s=wall_s)
    except ChildDied as died:
        raise failure_of(died) from died
    finally:
        await pool.close()
