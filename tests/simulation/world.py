"""All functions on a simulated AWS and Powens: who invokes whom, when, how often, and in which process.

Each invocation is a task in an execution environment of its own: two at once never share a container, one after the
other may, and a killed one takes its container with it. Queues, their consumers, the stream's source and the timeouts
are what `template.yaml` declares.
"""

import base64
import contextlib
import gzip
import io
import json
import os
import random
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from functools import cache
from typing import Any, Self
from unittest import mock

import botocore.client
from aws_lambda_powertools.event_handler.api_gateway import BaseRouter
from botocore.exceptions import BotoCoreError, ClientError

from functions.account_commands import app as account_commands
from functions.accounts_api import app as accounts_api
from functions.connection_refresh import app as connection_refresh
from functions.housekeeping import app as housekeeping
from functions.institution_catalogue import app as institution_catalogue
from functions.live_updates import app as live_updates
from functions.orphan_check import app as orphan_check
from functions.outbox_publisher import app as outbox_publisher
from functions.powens_webhook import app as powens_webhook
from shared import bootstrap
from shared.adapters import outbox
from shared.application import webview
from shared.bootstrap import Container, LiveContainer
from shared.domain.errors import AppError, BadToken
from shared.entrypoints.observability import logger
from tests.fakes.powens import CLIENT_ID, CLIENT_SECRET, USERS_TOKEN
from tests.fakes.queues import FifoQueue, Message, declared_queue
from tests.integration.world import (
    BUS,
    IDENTITY_KEY,
    ORIGIN,
    TABLE,
    WEBHOOK_SECRET,
    StreamReader,
    aws_client,
    resources,
    stream_readers,
)
from tests.simulation.aws import Aws
from tests.simulation.dynamodb import Table
from tests.simulation.engine import MICROSECONDS, START, Chance, Engine, Task
from tests.simulation.powens import SimulatedPowens, signed

MODULES: dict[str, Any] = {
    "accounts_api": accounts_api,
    "powens_webhook": powens_webhook,
    "account_commands": account_commands,
    "connection_refresh": connection_refresh,
    "outbox_publisher": outbox_publisher,
    "housekeeping": housekeeping,
    "orphan_check": orphan_check,
    "institution_catalogue": institution_catalogue,
    "live_updates": live_updates,
}
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_QUEUES = {
    "commands": ("CommandsQueue", "AccountCommandsFunction", "account_commands"),
    "refresh": ("RefreshQueue", "ConnectionRefreshFunction", "connection_refresh"),
}
SOON_SECONDS = 300
"""Within which an accepted hint is answered while nothing goes wrong."""
EXPIRE_EVERY = 6 * 3600
LATEST_EXPIRY = 48 * 3600
"""Seconds after which DynamoDB has deleted nearly everything that is expired."""
ORPHANS_FIRST = 18 * 3600
CATALOGUE_FIRST = 0.5
CATALOGUE_EVERY = 24 * 3600
"""Seldomer than in the template: in hours in which nothing has changed at Powens it would find nothing."""
DUE = ("OPERATION#", "RECONCILE#", "ERASURE#")
"""What waits for housekeeping in the index; the rest of it is only counted there."""


@dataclass(frozen=True)
class Reply:
    """What a device sees of an answer. `doubled`, which it cannot see: its request arrived twice."""

    status: int
    body: str
    doubled: bool = False
    location: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(eq=False)
class Worker:
    """One execution environment of a function."""

    function: str
    number: int
    container: Container | LiveContainer | None
    skew: timedelta


@dataclass
class Context:
    """The Lambda context of one invocation."""

    aws_request_id: str
    remaining: Callable[[], float]
    function_name: str = "function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-3:123456789012:function:function"

    def get_remaining_time_in_millis(self) -> int:
        return int(self.remaining() * 1000)


@cache
def timeouts() -> dict[str, int]:
    """Seconds, by function, as the template has them."""
    found = {}
    for function in MODULES:
        name = "".join(part.capitalize() for part in function.split("_")) + "Function"
        found[function] = resources()[name]["Properties"]["Timeout"]
    return found


ENVIRONMENT = {
    "TABLE_NAME": TABLE,
    "LIVE_ENDPOINT": "https://live.example.com/live",
    "JWT_ISSUER": "https://login.example.com",
    "JWT_AUDIENCE": "synced-accounts",
    "EVENT_BUS_NAME": BUS,
    "COMMANDS_QUEUE_URL": "https://sqs.eu-west-3.amazonaws.com/123456789012/commands.fifo",
    "REFRESH_QUEUE_URL": "https://sqs.eu-west-3.amazonaws.com/123456789012/refresh.fifo",
    "TOKEN_KEY_ID": "token-key",
    "POWENS_SECRET_ID": "powens",
    "POWENS_API_URL": "https://acme.biapi.pro/2.0",
    "POWENS_WEBVIEW_URL": "https://webview.powens.com",
    "POWENS_DOMAIN": "acme.biapi.pro",
    "POWENS_CALLS_PER_MINUTE": "0",
    "PUBLIC_URL": "https://api.example.com",
    "RETURN_TO_ALLOWED": f"{ORIGIN},http://localhost:8080,wealthapp://",
    "WEBHOOK_SECRETS": json.dumps({"current": WEBHOOK_SECRET}),
    "POWERTOOLS_SERVICE_NAME": "synced-accounts",
    "POWERTOOLS_METRICS_NAMESPACE": "SyncedAccounts",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-3",
}


class World:
    """One run's world. `engine` moves it; users and what happens at Powens are added by the plan."""

    def __init__(self, chance: Chance, calls_per_minute: int = 0, kinds: Collection[str] = ()) -> None:
        self.engine = Engine(chance)
        self.calls_per_minute = calls_per_minute
        self.chance = chance
        self.logs = io.StringIO()
        declared = resources()["Table"]["Properties"]
        [index] = declared["GlobalSecondaryIndexes"]
        keys = [key["AttributeName"] for key in index["KeySchema"]]
        self.table = Table(
            TABLE, (index["IndexName"], keys[0], keys[1]), lambda: self.engine.at / MICROSECONDS, self._lag, self._page
        )
        secret = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "identity_key": IDENTITY_KEY,
            "users_token": USERS_TOKEN,
        }
        self.aws = Aws(self.engine, self.table, BUS, json.dumps(secret))
        self.powens = SimulatedPowens(self.engine, kinds)
        self.powens.secrets |= {WEBHOOK_SECRET, IDENTITY_KEY}
        self.powens.webhook = self.webhook
        self.aws.on_event = self._tell_screens
        self.powens.broken = lambda promise: self.invariant(False, promise)
        self.queues = {name: self._queue(name) for name in _QUEUES}
        self.idle: dict[str, list[Worker]] = {function: [] for function in MODULES}
        self.running: dict[str, list[Task]] = {function: [] for function in MODULES}
        self.working_on: dict[str, list[Task]] = {}
        """Commands under way, by connection."""
        self.hinted: dict[int, int] = {}
        """For each connection at Powens, what its accepted hints are about: changes up to then, in microseconds."""
        self.outbox_dead: list[dict[str, Any]] = []
        self.soon: Callable[[int, int], None] = lambda connection, emitted: None
        self.dead_letters_expected = False
        self.unanswered_webhooks = 0
        self.housekeeping_done: list[int] = []
        self.catalogue_renewed: list[int] = []
        rule = resources()["LiveUpdatesFunction"]["Properties"]["Events"]["Changes"]["Properties"]
        self.told_of: frozenset[str] = frozenset(rule["Pattern"]["detail-type"])
        self.invocations = 0
        self._workers = 0
        self._ids = 0
        self._polls: dict[str, float] = {}
        self._reading: set[str] = set()
        self._read_to = {reader.name: 0 for reader in stream_readers()}
        """How far each reader of the stream has come."""
        self._house_at: int | None = None
        self._read_of = 0
        self.table.watch = self._written
        self.violations: list[str] = []
        self.watchers: list[Callable[[dict[str, Any] | None, dict[str, Any] | None], None]] = []
        self.expired = 0
        """Items that DynamoDB deleted for their `ttl`, late as ever."""
        self.engine.after(EXPIRE_EVERY, self._expire)
        self.engine.after(ORPHANS_FIRST, self._check_orphans)
        self.engine.after(CATALOGUE_FIRST, self._renew_catalogue)

    # --- what the template declares

    def _queue(self, name: str) -> FifoQueue:
        queue, consumer, _ = _QUEUES[name]
        url = ENVIRONMENT[f"{name.upper()}_QUEUE_URL"]
        made = declared_queue(resources(), name, queue, consumer, url, changed=self._pump)
        self.aws.queues[made.url] = made
        return made

    def _lag(self) -> float:
        self._read_of += 1
        return self.chance.between(0.0, 1.5, "lag", self._read_of)

    def _page(self) -> int | None:
        task = self.engine.current
        if task is None or not self.chance.happens("query answered in pages", f"{task.key}#{task.steps}"):
            return None
        return 2

    # --- ids, times

    def new_id(self) -> str:
        """A ULID of simulated time."""
        self._ids += 1
        task = self.engine.current
        milliseconds = round((START.timestamp() + self.engine.at / MICROSECONDS) * 1000)
        name = task.key if task is not None else ""
        halves = [int(self.chance.roll("ulid", half, self._ids, name) * (1 << 40)) for half in (1, 2)]
        number = (milliseconds << 80) + (halves[0] << 40) + halves[1]
        return "".join(_CROCKFORD[number >> 5 * place & 31] for place in range(25, -1, -1))

    def secret(self, size: int = 32) -> str:
        self._ids += 1
        # As long as the text of so many random bytes.
        value = f"{int(self.chance.roll('secret', self._ids) * (1 << 56)):014x}{self._ids:0{(size * 4 + 2) // 3 - 14}d}"
        self.powens.secrets.add(value)
        return value

    def container(self, function: str) -> Container | LiveContainer:
        task = self.engine.current
        assert task is not None
        worker: Worker = task.worker
        assert worker.function == function
        if worker.container is None:
            live = function == "live_updates"
            worker.container = self._new_live_container(worker) if live else self._new_container(worker)
        return worker.container

    def _new_live_container(self, worker: Worker) -> LiveContainer:
        container = LiveContainer.from_env()
        container.clock = lambda: self.engine.now + worker.skew
        container.verifier = Tokens()  # type: ignore[assignment]  # all that is used of the real one
        return container

    def _new_container(self, worker: Worker) -> Container:
        container = Container.from_env()
        container.clock = lambda: self.engine.now + worker.skew
        container.sleep = self.engine.wait
        container.queues = replace(container.queues, pause=self.engine.wait)
        container.bus = replace(container.bus, pause=self.engine.wait)
        container.budget = replace(container.budget, calls_per_minute=self.calls_per_minute)
        return container

    # --- invocations

    def invoke(
        self, function: str, event: dict[str, Any], name: str, on_end: Callable[[Task], None] = lambda task: None
    ) -> Task:
        """Run a function once, in a warm environment if one is idle."""
        key = f"{function}/{name}"
        self.invocations += 1
        idle = self.idle[function]
        if idle and self.chance.happens("cold restart", f"{key}/{len(self.running[function])}/{self.engine.at}"):
            idle.clear()
        if idle:
            worker = idle.pop()
        else:
            self._workers += 1
            skew = self.chance.between(-0.02, 0.02, "skew", function, self._workers) if self.chance.skewed else 0.0
            worker = Worker(function, self._workers, None, timedelta(seconds=skew))
        text = json.dumps(event)
        engine = self.engine
        handler = MODULES[function].lambda_handler

        def work() -> Any:
            task = engine.current
            assert task is not None
            engine.wait(0.004 if worker.container is not None else self.chance.between(0.2, 0.9, "cold", task.key))

            def remaining() -> float:
                assert task.deadline is not None
                return (task.deadline - engine.at) / MICROSECONDS

            return handler(json.loads(text), Context(aws_request_id=task.key, remaining=remaining))

        def ended(task: Task) -> None:
            self.running[function].remove(task)
            if task.finished:
                self.idle[function].append(worker)
            if task.error is not None:
                self.invariant(_expected(task.error), f"{function} fails with {task.error!r}")
            on_end(task)

        task = engine.start(
            key,
            work,
            seconds=timeouts()[function],
            on_end=ended,
            entered=_entered if function == "accounts_api" else None,
            worker=worker,
        )
        self.running[function].append(task)
        return task

    def request(self, event: dict[str, Any], name: str) -> Reply | None:
        """From a user's task: a request through the HTTP API; None when no answer came back."""
        engine, chance = self.engine, self.chance
        step = engine.current.step() if engine.current else ""
        engine.wait(chance.between(0.01, 0.08, "net", step))
        if chance.happens("user's request lost", step):
            engine.tell(f"the request of {name} is lost")
            engine.wait(5)
            return None
        task = self.invoke("accounts_api", event, name)
        doubled = chance.happens("user's request doubled", step)
        if doubled:
            engine.tell(f"the request of {name} arrives twice")
            self.invoke("accounts_api", event, name)
        engine.wait_for(task)
        if not task.finished or task.error is not None:
            return Reply(503, "", doubled)
        if chance.happens("user's answer lost", step):
            engine.tell(f"the answer to {name} is lost")
            engine.wait(5)
            return None
        engine.wait(chance.between(0.01, 0.08, "back", step))
        location = task.result["headers"].get("Location", "")
        return Reply(task.result["statusCode"], task.result.get("body") or "", doubled, location)

    def webhook(self, name: str, body: bytes, connection: int | None, emitted: int, attempt: int = 1) -> None:
        """Powens sends a webhook, again and later until it is accepted."""
        path = f"/webhooks/powens/{name}"
        headers = signed(path, body, self.engine.now)
        content, encoded = body.decode(), False
        key = f"{name}/{connection}/{emitted}/{attempt}"
        if self.chance.happens("webhook inflated on its way", key):
            headers["content-encoding"] = "gzip"
        elif self.chance.happens("webhook compressed", key):
            content, encoded = base64.b64encode(gzip.compress(body, mtime=0)).decode(), True
            headers["content-encoding"] = "gzip"
        event = {
            "rawPath": path,
            "pathParameters": {"event": name},
            "headers": headers,
            "body": content,
            "isBase64Encoded": encoded,
            "requestContext": {"requestId": f"webhook-{self.engine.at}", "http": {"method": "POST", "path": path}},
        }
        self.unanswered_webhooks += 1

        def answered(task: Task) -> None:
            self.unanswered_webhooks -= 1
            accepted = task.finished and task.error is None and 200 <= task.result["statusCode"] < 300
            if accepted and "queued" in task.result["body"]:
                self.invariant(
                    task.key in self.aws.webhooks_queued, f"{name} was answered {task.result['statusCode']} unqueued"
                )
            if accepted:
                if connection is not None:
                    self.hinted[connection] = max(self.hinted.get(connection, 0), emitted)
                    self.engine.after(SOON_SECONDS, lambda: self.soon(connection, emitted))
            elif attempt < 12:
                self.engine.after(
                    min(3600, 20 * 2**attempt), lambda: self.webhook(name, body, connection, emitted, attempt + 1)
                )

        self.invoke("powens_webhook", event, f"{name}/{connection}", answered)

    # --- queues

    def _pump(self, queue: FifoQueue) -> None:
        at = queue.next_visible()
        if at is None:
            return
        planned = self._polls.get(queue.name)
        if planned is not None and planned <= at:
            return
        self._polls[queue.name] = at

        def poll() -> None:
            if self._polls.get(queue.name) == at:
                del self._polls[queue.name]
                self._poll(queue)

        delay = at - self.aws.seconds() + 0.01
        self.engine.after(max(0.01, delay), poll)

    def _poll(self, queue: FifoQueue) -> None:
        function = _QUEUES[queue.name][2]
        while len(self.running[function]) < queue.concurrency:
            taken = queue.take(self.aws.seconds())
            if not taken:
                break
            self._deliver(queue, function, taken)
        self._pump(queue)

    def _deliver(self, queue: FifoQueue, function: str, taken: list[Message]) -> None:
        name = f"{taken[0].group}/{taken[0].receives}"
        event = {"Records": [message.record() for message in taken]}
        key = f"{taken[0].id}/{taken[0].receives}"
        copies = 2 if self.chance.happens("SQS delivers twice", key) else 1
        outcomes: list[Task] = []

        def ended(task: Task) -> None:
            if queue.name == "commands":
                self.working_on[taken[0].group].remove(task)
            outcomes.append(task)
            if len(outcomes) < copies:
                return
            for message in taken:
                if all(self._handled(done, message) for done in outcomes):
                    if self.chance.happens("SQS forgets a deletion", f"{key}/{message.id}"):
                        self.engine.tell(f"SQS will deliver {message.id} again although it was handled")
                    else:
                        queue.delete(message)
            self._pump(queue)

        if copies == 2:
            self.engine.tell(f"SQS delivers {taken[0].id} twice at once")
        for _ in range(copies):
            task = self.invoke(function, event, name, ended)
            if queue.name == "commands":
                self.working_on.setdefault(taken[0].group, []).append(task)

    def _handled(self, task: Task, message: Message) -> bool:
        if not task.finished or task.error is not None:
            return False
        return message.id not in {failure["itemIdentifier"] for failure in task.result["batchItemFailures"]}

    # --- the stream

    def _written(self, before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
        for watcher in self.watchers:
            watcher(before, after)
        for reader in stream_readers():
            if reader.name not in self._reading:
                self._reading.add(reader.name)
                wait = self.chance.between(0.05, 0.3, "stream", reader.name, self.engine.at)
                self.engine.after(wait, lambda reader=reader: self._read_stream(reader))  # type: ignore[misc]
        if after is not None and "due_sk" in after:
            self._plan_housekeeping()

    def _read_stream(self, reader: StreamReader) -> None:
        position = self._read_to[reader.name]
        taken = self.table.stream[position : position + reader.batch]
        self._read_to[reader.name] = position + len(taken)
        if not taken:
            self._reading.discard(reader.name)
            return
        due = [record for record in taken if reader.lets_through(record)]
        self._publish(
            reader, due, 0, self.engine.now, lambda: self.engine.after(0.02, lambda: self._read_stream(reader))
        )

    def _publish(
        self,
        reader: StreamReader,
        records: list[dict[str, Any]],
        attempt: int,
        read_at: datetime,
        then: Callable[[], None],
    ) -> None:
        """One batch of the shard, until it goes through; what follows waits. Halved when it fails."""
        if not records:
            then()
            return
        first = records[0]["dynamodb"]["Keys"]["sk"]["S"]

        def ended(task: Task) -> None:
            if task.finished and task.error is None:
                if self.chance.happens("stream delivers a batch again", task.key):
                    self.engine.tell(f"the stream delivers {len(records)} records again")
                    self._publish(reader, records, 0, read_at, then)
                else:
                    then()
            elif self.engine.now - read_at >= reader.patience:
                self.outbox_dead += records
                then()
            else:
                half = len(records) // 2
                pause = min(60.0, 0.5 * 2**attempt)
                following = attempt if half else attempt + 1
                self.engine.after(
                    pause,
                    lambda: self._publish(
                        reader,
                        records[:half],
                        following,
                        read_at,
                        lambda: self._publish(reader, records[half:], following, read_at, then),
                    ),
                )

        self.invoke("outbox_publisher", {"Records": records}, f"{first}", ended)

    # --- open screens

    def _tell_screens(self, event: dict[str, Any]) -> None:
        """The rule on the bus invokes the function, whose invocation is repeated as the template says."""
        if event["detail-type"] not in self.told_of:
            return
        repeats = resources()["LiveUpdatesFunction"]["Properties"]["EventInvokeConfig"]["MaximumRetryAttempts"]

        def begin(attempt: int) -> None:
            def ended(task: Task) -> None:
                if (not task.finished or task.error is not None) and attempt < repeats:
                    self.engine.after(60, lambda: begin(attempt + 1))

            self.invoke("live_updates", event, event["detail-type"], ended)

        self.engine.after(self.chance.between(0.05, 0.6, "rule", self.engine.at), lambda: begin(0))

    def open_socket(self, socket_id: str, user: str, until: int, hear: Callable[[str | None], None]) -> bool:
        """From a user's task: a screen opens a socket with a token that is good until then; whether it is open."""
        token = f"{user}.{until}"
        event = {
            "requestContext": {"routeKey": "$connect", "connectionId": socket_id},
            "headers": {"Sec-WebSocket-Protocol": f"{live_updates.PROTOCOL}, bearer.{token}"},
        }
        task = self.invoke("live_updates", event, f"open/{socket_id}")
        self.engine.wait_for(task)
        opened = task.finished and task.error is None and task.result["statusCode"] == 200
        if opened:
            self.engine.wait(self.chance.between(0.01, 0.8, "handshake", socket_id))
            self.aws.sockets[socket_id] = hear
        return opened

    def close_socket(self, socket_id: str) -> None:
        """A screen is left. API Gateway says so with its best effort."""
        self.aws.sockets.pop(socket_id, None)
        if self.chance.roll("best effort", socket_id) < 0.7:
            event = {"requestContext": {"routeKey": "$disconnect", "connectionId": socket_id}, "headers": {}}
            self.invoke("live_updates", event, f"close/{socket_id}")

    # --- housekeeping, every minute; minutes with nothing due are skipped, as it would find nothing

    def _plan_housekeeping(self) -> None:
        due = self.table.next_due(DUE)
        if due is None:
            return
        at = round((datetime.fromisoformat(due.split("#")[0]) - START).total_seconds() * MICROSECONDS)
        minute = 60 * MICROSECONDS
        planned = (max(at, self.engine.at) // minute + 1) * minute
        if self._house_at is not None and self.engine.at < self._house_at <= planned:
            return
        self._house_at = planned

        def tick() -> None:
            if self._house_at == planned:
                self._house_at = None
                self._keep_house()

        self.engine.after((planned - self.engine.at) / MICROSECONDS, tick)

    def _keep_house(self) -> None:
        def ended(task: Task) -> None:
            if task.finished and task.error is None:
                self.housekeeping_done.append(self.engine.at)

        if self.chance.happens("scheduler misses a minute", f"minute/{self.engine.at}"):
            self.engine.tell("the scheduler misses a minute")
        else:
            self.invoke("housekeeping", {"version": "0", "source": "aws.scheduler"}, "minute", ended)
        self._plan_housekeeping()

    # --- what comes by by itself

    def _expire(self) -> None:
        late = self.chance.between(0, LATEST_EXPIRY, "expiry", self.engine.at)
        self.expired += self.table.expire(START.timestamp() + self.engine.at / MICROSECONDS - late)
        self.engine.after(EXPIRE_EVERY, self._expire)

    def _check_orphans(self) -> None:
        self.invoke("orphan_check", {"version": "0", "source": "aws.scheduler"}, "day")
        self.engine.after(24 * 3600, self._check_orphans)

    def renew_catalogue(self) -> None:
        """As at the full hour; repeated as an asynchronous invocation is, then left to the next hour."""

        def ended(task: Task, attempt: int) -> None:
            if task.finished and task.error is None:
                self.catalogue_renewed.append(self.engine.at)
            else:
                self.engine.after(60 if attempt < 3 else 3600, lambda: begin(attempt + 1))

        def begin(attempt: int) -> None:
            event = {"version": "0", "source": "aws.scheduler"}
            self.invoke("institution_catalogue", event, "hour", lambda task: ended(task, attempt))

        begin(1)

    def _renew_catalogue(self) -> None:
        self.renew_catalogue()
        self.engine.after(CATALOGUE_EVERY, self._renew_catalogue)

    # --- invariants

    def invariant(self, holds: bool, otherwise: str) -> None:
        """Note what does not hold; the run then ends. Raised nowhere, as a task of the product might catch it."""
        if not holds and not self.violations:
            self.violations.append(otherwise)
            self.engine.tell(f"VIOLATED: {otherwise}")

    def run_for(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let time pass. Raises Violated as soon as an invariant does not hold."""
        self.engine.run_for(seconds, lambda: bool(self.violations) or until())
        if self.violations:
            raise Violated(self.violations[0])


class Tokens:
    """Stands for the issuer of tokens: a token is its user and when it expires, in microseconds."""

    def check(self, token: str) -> tuple[str, datetime]:
        user, until = token.split(".")
        expires = START + timedelta(microseconds=int(until))
        if expires <= _Installed.world.engine.now:
            raise BadToken("expired")
        return user, expires


class Violated(Exception):
    """An invariant does not hold."""


def _expected(error: BaseException) -> bool:
    """Whether a function may fail with it: an error of ours, or what AWS answered."""
    if isinstance(error, BaseExceptionGroup):
        return all(_expected(inner) for inner in error.exceptions)
    return isinstance(error, AppError | ClientError | BotoCoreError)


def _entered() -> Callable[[], None]:
    """What powertools keeps for one request in the process: another request's would be there otherwise."""
    event, context = getattr(BaseRouter, "current_event", None), getattr(BaseRouter, "lambda_context", None)
    kept = dict(accounts_api.app.context)

    def restore() -> None:
        router: Any = BaseRouter
        router.current_event, router.lambda_context = event, context
        accounts_api.app.context.clear()
        accounts_api.app.context.update(kept)

    return restore


class _Installed:
    """Where the process' patched places look for the world that runs now."""

    world: World


class SimulatedDatetime(datetime):
    """Stands in for `datetime` in the one handler that asks it for the time."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        task = _Installed.world.engine.current
        assert task is not None
        return cls.fromisoformat((_Installed.world.engine.now + task.worker.skew).isoformat())


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Patch what the product reaches the outside by, for as many worlds as are run inside."""
    every_client: Any = botocore.client.BaseClient

    class Identifier:
        def __init__(self) -> None:
            self.hex = _Installed.world.secret()

    class Secrets:
        @staticmethod
        def token_urlsafe(size: int) -> str:
            return _Installed.world.secret(size)

    def new_id() -> str:
        return _Installed.world.new_id()

    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, ENVIRONMENT))
        stack.enter_context(
            mock.patch.object(
                every_client,
                "_make_api_call",
                lambda client, operation, given: _Installed.world.aws.call(client, operation, given),  # noqa: PLW0108 - of now
            )
        )
        for target, name, value in (
            (Container, "client", lambda _, service: aws_client(service)),
            (bootstrap, "_client", lambda service, **_: aws_client(service)),
            (bootstrap, "new_id", new_id),
            (outbox, "uuid4", Identifier),
            (webview, "secrets", Secrets),
            (powens_webhook, "datetime", SimulatedDatetime),
            (powens_webhook, "_sqs", lambda: aws_client("sqs")),
        ):
            stack.enter_context(mock.patch.object(target, name, value))
        stack.enter_context(mock.patch("requests.sessions.HTTPAdapter", lambda: _Installed.world.powens))  # noqa: PT008
        for name, module in list(sys.modules.items()):
            if name.startswith("functions.") and callable(getattr(module, "container", None)):
                function = name.split(".")[1]
                made = lambda function=function: _Installed.world.container(function)  # noqa: E731
                stack.enter_context(mock.patch.object(module, "container", made))
        yield


@contextlib.contextmanager
def running(chance: Chance, calls_per_minute: int = 0, kinds: Collection[str] = ()) -> Iterator[World]:
    """A world that is the one of this process for a while. Its unfinished tasks are let go at the end."""
    world = World(chance, calls_per_minute, kinds)
    _Installed.world = world
    random.seed(int(chance.roll("random") * (1 << 56)))
    handler: Any = logger.registered_handler
    before, handler.stream = handler.stream, world.logs
    stdout, sys.stdout = sys.stdout, world.logs
    try:
        yield world
    finally:
        world.engine.close()
        handler.stream, sys.stdout = before, stdout
