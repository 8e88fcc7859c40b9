"""Sends the events to the registered webhooks, and again those that were not accepted.

Each webhook has a queue and one sender, so that a slow consumer stalls its own webhook and no other. A payload that is
not accepted goes to the webhook's backlog; the flusher tries the backlogs again at every run and leaves a webhook alone
until the next run after ten failures in a row or two timeouts.
"""

import asyncio
import json
import random
import time
from collections import deque
from collections.abc import Coroutine, Iterable
from dataclasses import replace

from powens_sandbox.errors import ApiError, not_found
from powens_sandbox.faults import Faults
from powens_sandbox.logbook import Logbook
from powens_sandbox.views.formats import Json
from powens_sandbox.webhooks.hooks import Hook, Hooks
from powens_sandbox.webhooks.sending import Attempt, Payload, Sender
from powens_sandbox.world.clock import Clock
from powens_sandbox.world.model import Event
from powens_sandbox.world.world import World

FAILURES_IN_A_ROW = 10
TIMEOUTS_IN_A_RUN = 2
_LARGE_BODY = 100_000


class Deliveries:
    def __init__(self, world: World, faults: Faults, clock: Clock) -> None:
        self.world = world
        self.faults = faults
        self.clock = clock
        self.hooks = Hooks(world.settings, world.views, clock)
        settings = world.settings
        self.log: Logbook[Attempt] = Logbook(
            settings.log_entries, settings.log_bytes, lambda entry: len(entry.body or ""), _strip
        )
        self.sender = Sender(world, self.hooks, self.log)
        self._random = random.Random(settings.seed)
        self._queues: dict[int, deque[Payload]] = {}
        self._backlogs: dict[int, deque[Payload]] = {}
        self._held: list[tuple[Payload, Hook]] = []
        self._senders: dict[int, asyncio.Task[None]] = {}
        # Deliveries that wait for their time; they end when everything is forgotten.
        self._tasks: set[asyncio.Task[None]] = set()
        self._flushing: asyncio.Task[None] | None = None
        self._strict: deque[tuple[Payload, Hook]] = deque()
        self._strict_sender: asyncio.Task[None] | None = None
        self.lost = 0
        self.overflowed = 0

    # Life

    async def start(self) -> None:
        self._flushing = asyncio.ensure_future(self._flusher())

    async def stop(self) -> None:
        tasks = [
            *([self._flushing] if self._flushing else []),
            *self._tasks,
            *self._senders.values(),
            *([self._strict_sender] if self._strict_sender else []),
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.sender.stop()

    def reset(self) -> None:
        for queue in (*self._queues.values(), *self._backlogs.values()):
            queue.clear()
        for task in self._tasks:
            task.cancel()
        self._held.clear()
        self._strict.clear()
        self.sender.forget_tokens()
        self.log.clear()
        self.lost = self.overflowed = 0
        self.hooks.register_first()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def waiting(self) -> int:
        """Payloads that are not accepted yet."""
        queued = sum(len(queue) for queue in (*self._queues.values(), *self._backlogs.values()))
        return self.sender.under_way + queued + len(self._strict) + len(self._held)

    # From an event to a queue

    def dispatch(self, events: Iterable[Event]) -> None:
        """Queue what happened for every webhook of its event."""
        for event in events:
            for hook in self.hooks.of_event(event.name):
                if hook.user_id not in (None, event.user_id):
                    continue
                # The body is all that is kept of what may be megabytes.
                self._accept(Payload(replace(event, data={}), hook.id, _body(event)), hook)

    def send_test(self, hook: Hook) -> None:
        event = Event(0, hook.event, 0, {"test": True}, self.clock.now())
        self._accept(Payload(event, hook.id, _body(event)), hook)

    def _accept(self, payload: Payload, hook: Hook) -> None:
        settings = self.world.settings
        if settings.webhook_loss and self._random.random() < settings.webhook_loss:
            self._lose(payload, hook, "lost")
            return
        fault = self.faults.strike("webhook", payload.event.name)
        delay = settings.webhook_delay
        copies = 1
        match fault.kind if fault else None:
            case "drop":
                self._lose(payload, hook, "drop")
                return
            case "reorder":
                # It waits until another event has been queued before it.
                self._held.append((payload, hook))
                self._spawn(self._release_later(payload, fault.seconds if fault else 1))
                return
            case "duplicate":
                copies = 2
            case "delay" | "latency":
                delay += fault.seconds if fault else 0
            case "status" | "timeout" as kind:
                self._fail_without_sending(payload, hook, kind, fault.status if fault else 500)
                return
            case "garbage":
                payload.body = b"<html>\x00 not what was promised"
            case "empty":
                payload.body = b""
        if settings.webhook_duplicates and self._random.random() < settings.webhook_duplicates:
            copies = 2
        for _ in range(copies):
            if settings.webhook_order == "shuffled":
                spread = delay + self._random.random() * settings.webhook_shuffle_window
                self._spawn(self._send_later(payload, hook, spread, alone=True))
            elif delay:
                self._spawn(self._send_later(payload, hook, delay, alone=False))
            else:
                self._queue(payload, hook)
        held, self._held = self._held, []
        for earlier, its_hook in held:
            self._queue(earlier, its_hook)

    async def _send_later(self, payload: Payload, hook: Hook, seconds: float, *, alone: bool) -> None:
        await asyncio.sleep(seconds)
        if alone:
            await self._first_attempt(payload, hook)
        else:
            self._queue(payload, hook)

    async def _release_later(self, payload: Payload, seconds: float) -> None:
        # Nothing may ever follow; then being late is all that reordering can mean.
        await asyncio.sleep(max(seconds, 0.05))
        for position, (held, hook) in enumerate(self._held):
            if held is payload:
                del self._held[position]
                self._queue(payload, hook)
                return

    def _queue(self, payload: Payload, hook: Hook) -> None:
        if self.world.settings.webhook_order == "strict":
            self._strict.append((payload, hook))
            if len(self._strict) > self.world.settings.backlog_entries:
                self._strict.popleft()
                self.overflowed += 1
            if self._strict_sender is None or self._strict_sender.done():
                self._strict_sender = asyncio.ensure_future(self._drain_strict())
            return
        self._bounded(self._queues.setdefault(hook.id, deque()), payload)
        sender = self._senders.get(hook.id)
        if sender is None or sender.done():
            self._senders[hook.id] = asyncio.ensure_future(self._drain(hook))

    async def _drain(self, hook: Hook) -> None:
        queue = self._queues[hook.id]
        while queue:
            await self._first_attempt(queue.popleft(), hook)

    async def _drain_strict(self) -> None:
        while self._strict:
            await self._first_attempt(*self._strict.popleft())

    async def _first_attempt(self, payload: Payload, hook: Hook) -> None:
        if (await self.sender.send(payload, hook)).outcome != "accepted":
            self._keep(payload)

    def _keep(self, payload: Payload) -> None:
        self._bounded(self._backlogs.setdefault(payload.hook_id, deque()), payload)

    def _bounded(self, queue: deque[Payload], payload: Payload) -> None:
        """Append; the oldest payloads go when there are too many, or too large ones."""
        settings = self.world.settings
        queue.append(payload)
        # Bodies are small but for first synchronisations: adding up is only needed when this one is large.
        size = sum(len(item.body) for item in queue) if len(payload.body) > _LARGE_BODY else 0
        while len(queue) > 1 and (len(queue) > settings.backlog_entries or size > settings.backlog_bytes):
            oldest = queue.popleft()
            size -= len(oldest.body)
            self.overflowed += 1

    def _lose(self, payload: Payload, hook: Hook, outcome: str) -> None:
        self.lost += 1
        self.log.add(self.sender.line(payload, hook, outcome))

    def _fail_without_sending(self, payload: Payload, hook: Hook, outcome: str, status: int) -> None:
        payload.attempts += 1
        line = self.sender.line(payload, hook, "refused" if outcome == "status" else outcome)
        line.status = status if outcome == "status" else None
        self.log.add(line)
        self._keep(payload)

    # The flusher

    async def _flusher(self) -> None:
        last = time.monotonic()
        while True:
            # The interval may be changed while this waits: it looks again at least twice a second.
            await asyncio.sleep(min(self.world.settings.webhook_retry_interval, 0.5))
            if time.monotonic() - last >= self.world.settings.webhook_retry_interval:
                await self.flush()
                last = time.monotonic()

    async def flush(self) -> None:
        """One run over all backlogs."""
        await asyncio.gather(*(self._flush_hook(hook_id) for hook_id in list(self._backlogs)))

    async def _flush_hook(self, hook_id: int) -> None:
        backlog = self._backlogs[hook_id]
        try:
            hook = self.hooks.get(hook_id)
        except ApiError:
            del self._backlogs[hook_id]
            return
        failures = timeouts = 0
        for _ in range(len(backlog)):
            if not backlog:
                return
            payload = backlog.popleft()
            line = await self.sender.send(payload, hook)
            if line.outcome == "accepted":
                failures = 0
                continue
            self._keep(payload)
            failures += 1
            timeouts += line.outcome == "timeout"
            if failures >= FAILURES_IN_A_ROW or timeouts >= TIMEOUTS_IN_A_RUN:
                return

    # For people

    def attempts_of(self, hook: Hook) -> list[Json]:
        return [
            {
                "id": line.id,
                "id_webhook": hook.id,
                "id_webhook_data": line.event_id,
                "response_code": line.status,
                "response_date": self.world.views.moment(line.at),
                "timestamp": self.world.views.moment(line.at),
                "next_try": None,
            }
            for line in self.log.newest()
            if line.hook_id == hook.id
        ]

    def redeliver(self, attempt_id: int) -> None:
        """Send the payload of a logged attempt once more. Raises ApiError 404 when the log has lost it."""
        for line in self.log.newest():
            if line.id == attempt_id and line.payload is not None:
                hook = self.hooks.get(line.hook_id)
                self._queue(Payload(line.payload.event, hook.id, line.payload.body), hook)
                return
        raise not_found("delivery")


def _body(event: Event) -> bytes:
    data = event.data if "test" in event.data and event.id == 0 else {**event.data, "id_webhook_data": event.id}
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _strip(line: Attempt) -> None:
    line.body = None
    line.payload = None
