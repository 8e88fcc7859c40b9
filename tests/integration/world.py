"""All functions together in one process: moto's AWS, the fake Powens, and what carries messages between them.

What the template says of the table, the queues, their consumers and the stream's filter is read from it, not repeated.
Time moves only when a clock is read (a millisecond), when something sleeps, and when everything waits for a message.
"""

import contextlib
import io
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import pytest

from functions.account_commands import app as account_commands
from functions.accounts_api import app as accounts_api
from functions.accounts_api.container import container
from functions.housekeeping import app as housekeeping
from functions.institution_catalogue import app as institution_catalogue
from functions.orphan_check import app as orphan_check
from functions.outbox_publisher import app as outbox_publisher
from functions.powens_webhook import app as powens_webhook
from functions.read_back import app as read_back
from shared.bootstrap import Container
from shared.domain.connection import connection_id
from shared.domain.errors import AppError
from tests.integration.aws import Aws, TickingClock
from tests.worlds.deployment import BUS, ENVIRONMENT, IDENTITY_KEY, ORIGIN, TABLE, WEBHOOK_SECRET, aws_client, resources
from tests.worlds.powens.fake import CLIENT_ID, CLIENT_SECRET, FakePowens
from tests.worlds.powens.model import Connection
from tests.worlds.queues import FifoQueue, declared_queue
from tests.worlds.stream import stream_readers
from tests.worlds.triggers import api_event, event_file, signed

FUNCTIONS = (
    account_commands,
    accounts_api,
    read_back,
    housekeeping,
    institution_catalogue,
    orphan_check,
    outbox_publisher,
)


@dataclass
class Context:
    """The Lambda context, with `seconds` left."""

    seconds: float = 25.0
    function_name: str = "function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-3:123456789012:function:function"
    aws_request_id: str = "f0e1d2c3-0000-4000-8000-000000000001"

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


@dataclass(frozen=True)
class Reply:
    """What the API answered. `json` is None for a body that is none."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body, parse_float=Decimal)


class World:
    """`alice` is a user of the platform; at Powens she becomes user 41."""

    def __init__(self) -> None:
        self.clock = TickingClock()
        self.aws = Aws(self.clock)
        self.powens = FakePowens(self.clock)
        self.powens.secrets |= {WEBHOOK_SECRET, IDENTITY_KEY}
        self.logs = io.StringIO()
        self.context = Context()
        self.handlers: dict[str, Callable[[dict[str, Any], Any], Any]] = {
            "commands": account_commands.lambda_handler,
            "refresh": read_back.lambda_handler,
        }
        template = resources()
        self.environment = self._provide(template)
        self.commands = self._queue(template, "CommandsQueue", "AccountCommandsFunction", "COMMANDS_QUEUE_URL")
        self.refresh = self._queue(template, "RefreshQueue", "ConnectionRefreshFunction", "REFRESH_QUEUE_URL")
        self._readers = stream_readers()
        self._deliveries = 0
        self.published_batches: list[int] = []

    # --- what the template provides

    def _provide(self, template: Mapping[str, Any]) -> dict[str, str]:
        table = template["Table"]["Properties"]
        names = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
        self.dynamodb = aws_client("dynamodb")
        self.dynamodb.create_table(TableName=TABLE, **{name: table[name] for name in names})
        key = aws_client("kms").create_key()["KeyMetadata"]["Arn"]
        aws_client("events").create_event_bus(Name=BUS)
        secret = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "identity_key": IDENTITY_KEY}
        aws_client("secretsmanager").create_secret(Name="powens", SecretString=json.dumps(secret))
        return ENVIRONMENT | {"TOKEN_KEY_ID": key}

    def _queue(self, template: Mapping[str, Any], name: str, consumer: str, variable: str) -> FifoQueue:
        queue = declared_queue(template, name, name, consumer, self.environment[variable])
        self.aws.queues[queue.url] = queue
        return queue

    def prepare(self, container: Container) -> None:
        """Give a function's container the world's time."""
        container.clock = self.clock
        container.sleep = self.clock.sleep
        container.queues = replace(container.queues, pause=self.clock.sleep)
        container.bus = replace(container.bus, pause=self.clock.sleep)

    # --- invocations

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """Do not count AWS calls: it is the test that looks."""
        before = self.aws.outside
        self.aws.outside = True
        try:
            yield
        finally:
            self.aws.outside = before

    @contextlib.contextmanager
    def invoking(self, function: str = "") -> Iterator[None]:
        """Count AWS calls and keep what is printed, for as long as functions run."""
        before = self.aws.outside, self.aws.function
        self.aws.outside, self.aws.function = False, function
        try:
            with contextlib.redirect_stdout(self.logs):
                yield
        finally:
            self.aws.outside, self.aws.function = before

    def invoke(self, handler: Callable[[dict[str, Any], Any], Any], event: dict[str, Any]) -> Any:
        # Empty for a test's own handler.
        function = handler.__module__.partition("functions.")[2].partition(".")[0]
        with self.invoking(function):
            # Through JSON, as in Lambda.
            return handler(json.loads(json.dumps(event)), self.context)

    def api(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        user: str | None = "alice",
        query: str = "",
        raw: str | None = None,
        **headers: str,
    ) -> Reply:
        """A request through the HTTP API. Header names with `_` for `-`; `raw` is a body as it is."""
        event = api_event(method, path, body, user=user, query=query, raw=raw, **headers)
        answer = self.invoke(accounts_api.lambda_handler, event)
        # Lambda's and API Gateway's own limits of what an answer may be.
        assert all(isinstance(value, str) for value in answer["headers"].values())
        assert not answer.get("multiValueHeaders")
        lowered = {name.lower(): value for name, value in answer["headers"].items()}
        return Reply(answer["statusCode"], lowered, answer.get("body") or "")

    def webhook(self, name: str, connection: Connection, **fields: object) -> None:
        """Powens reports something about a connection, signed."""
        body = json.dumps({"id": 912, "id_user": connection.user, "id_connection": connection.id} | fields).encode()
        if name.startswith("connection-"):
            shown = {"id": connection.id, "id_user": connection.user}
            body = json.dumps({"user": {"id": connection.user}, "connection": shown}).encode()
        path = f"/webhooks/powens/{name}"
        headers = signed(path, body, self.clock())
        event = event_file("powens_webhook/account-enabled") | {
            "rawPath": path,
            "pathParameters": {"event": name},
            "body": body.decode(),
        }
        event["headers"] |= headers
        self._deliveries += 1
        context = Context(aws_request_id=f"delivery-{self._deliveries}")
        with self.invoking():
            answer = powens_webhook.lambda_handler(event, context)
        assert answer["statusCode"] == 200, answer

    def keep_house(self) -> None:
        self.invoke(housekeeping.lambda_handler, event_file("housekeeping/every-minute"))

    def refresh_catalogue(self, **event: object) -> Any:
        """As the schedule does, or as an operator with `event`."""
        return self.invoke(
            institution_catalogue.lambda_handler, event or event_file("institution_catalogue/every-hour")
        )

    # --- what carries messages

    def publish(self) -> None:
        """The stream's event sources: what the filter of each lets through, again until it goes through."""
        records = self.aws.stream.copy()
        self.aws.stream.clear()
        for reader in self._readers:
            due = [record for record in records if reader.lets_through(record)]
            for _ in range(12):
                if not due:
                    break
                self.published_batches.append(len(due))
                try:
                    self.invoke(outbox_publisher.lambda_handler, {"Records": due})
                    break
                except AppError:
                    self.published_batches.append(-1)
            else:
                raise AssertionError(f"the reader {reader.name} gave up")

    def deliver(self, name: str) -> bool:
        """Hand one batch of a queue to its consumer, if there is one that is visible."""
        queue = self.commands if name == "commands" else self.refresh
        taken = queue.take(self.clock.now.timestamp())
        if not taken:
            return False
        answer = self.invoke(self.handlers[name], {"Records": [message.record() for message in taken]})
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for message in taken:
            if message.id not in failed:
                queue.delete(message)
        return True

    def settle(self, *, within: timedelta = timedelta(minutes=30)) -> None:
        """Carry messages until none is left, letting time pass while all of them wait."""
        last = self.clock.now + within
        for _ in range(2000):
            self.publish()
            if self.deliver("commands") or self.deliver("refresh"):
                continue
            waiting = [at for queue in self.aws.queues.values() if (at := queue.next_visible()) is not None]
            if not waiting or min(waiting) > last.timestamp():
                return
            self.clock.advance(seconds=max(0.001, min(waiting) - self.clock.now.timestamp()))
        raise AssertionError("never quiet")

    # --- what tests start from and look at

    def open_webview(self, user: str = "alice", **body: object) -> Reply:
        request = {"flow": "connect", "return_to": f"{ORIGIN}/accounts"} | body
        return self.api("POST", "/v1/webview-sessions", request, user=user)

    def open_webview_with(self, key: str, *, user: str = "alice") -> Reply:
        """With an `Idempotency-Key`."""
        request = {"flow": "connect", "return_to": f"{ORIGIN}/accounts"}
        return self.api("POST", "/v1/webview-sessions", request, user=user, idempotency_key=key)

    def come_back(self, opened: Reply, query: str = "") -> Reply:
        state = dict(parse_qsl(opened.json["url"].partition("?")[2]))["state"]
        return self.api("GET", "/v1/webview-return", query=f"state={state}{query}", user=None)

    def confirm(self, returned: Reply, *, user: str = "alice") -> Reply:
        """The app sends back the code that the browser came back with."""
        code = dict(parse_qsl(urlsplit(returned.headers["location"]).query))["return_code"]
        return self.api("POST", "/v1/webview-confirmations", {"return_code": code}, user=user)

    def connect(
        self,
        *accounts: int,
        user: str = "alice",
        connection_id: int = 77,
        disabled: tuple[int, ...] = (),
        uuid: str | None = None,
        kind: str = "checking",
    ) -> Connection:
        """Through the Webview: a connection with these accounts, by Powens id, ticked unless in `disabled`.

        Each is at an institution of its own, unless `uuid` says at which. `kind` is Powens' type of the accounts.
        """
        opened = self.open_webview(user)
        assert opened.status == 201, opened.body
        powens_user = max(self.powens.users) if self.powens_user(user) is None else self.powens_user(user)
        assert powens_user is not None
        uuid = uuid or f"338178e6-3d01-564f-9a7b-{connection_id:012d}"
        connection = self.powens.add_connection(powens_user, "Banque du Test", connection_id=connection_id, uuid=uuid)
        for account_id in accounts:
            self.powens.add_account(connection, account_id, disabled=account_id in disabled, type=kind)
        returned = self.come_back(opened, f"&connection_id={connection_id}")
        assert returned.status == 303
        self.settle()
        if "return_code=" in returned.headers["location"]:
            assert self.confirm(returned, user=user).status == 200
            self.settle()
        return connection

    def powens_user(self, user: str) -> int | None:
        with self.looking():
            access = container().powens_user_store.access(user)
        return access.powens_user_id if access else None

    def held(self, connection: Connection, *, user: str = "alice") -> Any:
        """The connection as the API shows it."""
        reply = self.api("GET", f"/v1/connections/{connection_id(connection.id)}", user=user)
        assert reply.status == 200, reply.body
        return reply.json

    def ids(self, connection: Connection) -> dict[int, str]:
        """Our account ids by the Powens ids under which the accounts are known now."""
        with self.looking():
            held = container().connection_store.connection("alice", connection_id(connection.id))
        assert held is not None
        return {account.powens_id: account.id for account in held.accounts}

    def choose(self, connection: Connection, *powens_ids: int, **headers: str) -> Reply:
        """Confirm a selection: exactly these accounts."""
        ids = self.ids(connection)
        body = {"enabled_account_ids": [ids[powens_id] for powens_id in powens_ids]}
        return self.api("PUT", f"/v1/connections/{connection_id(connection.id)}/selection", body, **headers)

    def operation(self, reply: Reply) -> Any:
        """The operation that `reply` announced, as it is now."""
        return self.api("GET", f"/v1/operations/{reply.json['id']}").json

    def enabled(self, connection: Connection) -> set[int]:
        """Powens ids of the accounts that the API shows as enabled."""
        names = {our_id: powens_id for powens_id, our_id in self.ids(connection).items()}
        return {names[account["id"]] for account in self.held(connection)["accounts"] if account["enabled"]}

    def at_powens(self, connection: Connection) -> set[int]:
        return {account.id for account in connection.accounts.values() if not account.disabled}

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Details of the events on the bus."""
        return [event["detail"] for event in self.aws.bus if kind in (None, event["detail-type"])]

    def meanwhile(self, act: Callable[[], object]) -> None:
        """Another device acts at the last moment before the next transaction."""

        def first(_: dict[str, Any]) -> object:
            act()
            return None

        self.aws.fault("TransactWriteItems", first)

    def forget(self) -> None:
        """Start counting anew."""
        self.aws.calls.clear()
        self.aws.bus.clear()
        self.powens.log.clear()
        for queue in self.aws.queues.values():
            queue.returned.clear()

    def items(self) -> list[dict[str, Any]]:
        """Everything in the table."""
        with self.looking():
            pages = self.dynamodb.get_paginator("scan").paginate(TableName=TABLE)
            return [item for page in pages for item in page["Items"]]

    def lines(self) -> list[dict[str, Any]]:
        """The log, metrics included."""
        return [json.loads(line) for line in self.logs.getvalue().splitlines()]

    def metric(self, name: str) -> int:
        return sum(
            int(sum(value) if isinstance(value := line[name], list) else value) for line in self.lines() if name in line
        )


class WorldTime(datetime):
    """Stands in for `datetime` where a module asks it for the time."""

    clock: TickingClock

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        at = cls.clock().astimezone(tz or UTC)
        return cls.fromisoformat(at.isoformat())


class KilledError(BaseException):
    """The process is gone: nothing catches it."""


def killed_at(patch: pytest.MonkeyPatch, world: World, number: int, *, after: bool = False) -> None:
    """The process is killed around its AWS call of this number, counted from 0. Raises KilledError there."""
    real, calls = world.aws.call, itertools.count()

    def call(*given: Any) -> Any:
        if world.aws.outside or next(calls) < number:
            return real(*given)
        if after:
            real(*given)
        raise KilledError

    patch.setattr(world.aws, "call", call)
