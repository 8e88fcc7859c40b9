"""The Lambda plane: all functions of the stack, with as many processes as there are events at the same time.

An idle process is used again.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from local.runtime_api import PAYLOAD_LIMIT, Answer, Function, Worker

IDLE_SECONDS = 120.0  # that a worker is kept for, beyond the first of its function
PATIENCE_SECONDS = 0.3  # less than a start costs, for events that nobody waits for


class TooLarge(ValueError):
    """The event is larger than Lambda takes: the function was not called."""


class Plane:
    """All functions of the stack, by logical id. Lives in one event loop."""

    def __init__(self, *, most_workers: int = 10, note: Callable[[str, Answer], Awaitable[None]] | None = None) -> None:
        self._functions: dict[str, Function] = {}
        self._idle: dict[str, deque[Worker]] = {}
        self._busy: set[Worker] = set()
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._freed: dict[str, asyncio.Condition] = {}
        self._most = most_workers
        self._note = note

    def add(self, function: Function) -> None:
        self._functions[function.logical_id] = function
        self._idle[function.logical_id] = deque()
        self._slots[function.logical_id] = asyncio.Semaphore(self._most)
        self._freed[function.logical_id] = asyncio.Condition()

    @property
    def names(self) -> list[str]:
        return list(self._functions)

    def workers(self) -> list[dict[str, Any]]:
        """The processes that live now: `function` (logical id), `pid`, and whether each is `busy` with an event."""
        idle = {worker for workers in self._idle.values() for worker in workers}
        return [
            {"function": worker.function.logical_id, "pid": worker.pid, "busy": worker in self._busy}
            for worker in [*self._busy, *idle]
            if worker.healthy
        ]

    async def invoke(self, name: str, event: bytes, *, patient: bool = False) -> Answer:
        """Raises KeyError for an unknown function, TooLarge for an event above Lambda's limit.

        Lambda starts a process on a processor of its own when all are busy. Here a start takes the processor from what
        runs, so an event that is `patient` waits a moment for a process to become free.
        """
        if len(event) > PAYLOAD_LIMIT:
            raise TooLarge(name)
        async with self._slots[name]:
            if patient:
                await self._wait_for_a_free_one(name)
            worker = await self._lease(self._functions[name])
            try:
                answer = await worker.invoke(event)
            finally:
                self._busy.discard(worker)
                if worker.reusable and worker.function is self._functions[name]:
                    worker.idle_since = time.monotonic()
                    self._idle[name].append(worker)
                    async with self._freed[name]:
                        self._freed[name].notify()
                else:
                    await worker.stop()
        await self._let_go()
        if self._note is not None:
            await self._note(name, answer)
        return answer

    async def _wait_for_a_free_one(self, name: str) -> None:
        freed, idle = self._freed[name], self._idle[name]
        if idle or not any(worker.function.logical_id == name for worker in self._busy):
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS), freed:
                await freed.wait_for(lambda: bool(idle))

    async def put(self, function: Function) -> bool:
        """Add a function, or let it take the place of one that differs; whether anything changed."""
        name = function.logical_id
        if name not in self._functions:
            self.add(function)
        elif self._functions[name] != function:
            await self.replace(function)
        else:
            return False
        return True

    async def replace(self, function: Function) -> None:
        """Events go to processes of this function from now on; those of the one before end as soon as they are idle."""
        name = function.logical_id
        self._functions[name] = function
        idle = [*self._idle[name]]
        self._idle[name].clear()
        await asyncio.gather(*(worker.stop() for worker in idle))

    async def warm(self, name: str) -> None:
        """Start a worker ahead of its first event, as provisioned concurrency would."""
        worker = Worker(self._functions[name])
        await worker.start()
        self._idle[name].append(worker)

    async def stop(self) -> None:
        idle = [worker for workers in self._idle.values() for worker in workers]
        for workers in self._idle.values():
            workers.clear()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*(worker.stop() for worker in [*idle, *self._busy]))

    async def _let_go(self) -> None:
        """End what a burst left behind; one worker of each function stays."""
        now = time.monotonic()
        for idle in self._idle.values():
            # The longest idle is on the left.
            while len(idle) > 1 and now - idle[0].idle_since > IDLE_SECONDS:
                await idle.popleft().stop()

    async def _lease(self, function: Function) -> Worker:
        idle = self._idle[function.logical_id]
        while idle:
            # The last one used first, so that a burst's surplus stays idle and the caches of one stay warm.
            worker = idle.pop()
            if worker.reusable:
                self._busy.add(worker)
                return worker
            await worker.stop()
        worker = Worker(function)
        self._busy.add(worker)
        await worker.start()
        return worker
