"""A pool of warm children, replaced when they die or have grown."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, TypeVar

from pydantic import TypeAdapter

from mesh.children import Child, ChildDied, HandlerError, Limits, failure_of
from mesh.errors import Internal

log = logging.getLogger(__name__)

T = TypeVar("T")


def stage_modules(stages: Sequence[str], handlers: dict[str, str] | None = None) -> list[str]:
    """Modules of the handlers of `stages`: imported when a child starts, not when the first task comes."""
    table = {entry.name: entry.value for entry in entry_points(group="pulsemesh.stages")} | (handlers or {})
    return sorted({table[stage].partition(":")[0] for stage in stages if stage in table})


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
    _started: bool = False
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def start(self) -> None:
        """Start all children; nothing where they were started already. `call` does it if nobody has.

        Raises
        ------
        ChildDied
            If one does not come up, e.g. for a module that cannot be imported.
        """
        async with self._starting:
            if self._started:
                return
            for child in await asyncio.gather(*(self._spawn() for _ in range(self.size))):
                self._free.put_nowait(child)
            self._started = True

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
            await self.start()
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
        return await pool.call(function, *args, returns=returns, wall_s=wall_s)
    finally:
        await pool.close()
