"""Invocations of functions, each a task in an execution environment of its own.

Two at once never share a container, one after the other may, and a killed one takes its container with it. Timeouts
are what `template.yaml` declares.
"""

import io
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import BaseRouter
from botocore.exceptions import BotoCoreError, ClientError

from functions.account_commands import app as account_commands
from functions.accounts_api import app as accounts_api
from functions.accounts_api import routes
from functions.housekeeping import app as housekeeping
from functions.institution_catalogue import app as institution_catalogue
from functions.live_updates import app as live_updates
from functions.orphan_check import app as orphan_check
from functions.outbox_publisher import app as outbox_publisher
from functions.powens_webhook import app as powens_webhook
from functions.read_back import app as read_back
from shared.bootstrap import Container
from shared.domain.errors import AppError, BadToken
from shared.live_bootstrap import LiveContainer
from tests.simulation.aws import SimulatedAws
from tests.simulation.dynamodb import SimulatedTable
from tests.simulation.engine import MICROSECONDS, START, Chance, Engine, Task
from tests.simulation.powens.powens import SimulatedPowens
from tests.worlds.deployment import BUS, ENVIRONMENT, IDENTITY_KEY, TABLE, WEBHOOK_SECRET, resources
from tests.worlds.powens.fake import CLIENT_ID, CLIENT_SECRET, USERS_TOKEN

MODULES: dict[str, Any] = {
    "accounts_api": accounts_api,
    "powens_webhook": powens_webhook,
    "account_commands": account_commands,
    "read_back": read_back,
    "outbox_publisher": outbox_publisher,
    "housekeeping": housekeeping,
    "orphan_check": orphan_check,
    "institution_catalogue": institution_catalogue,
    "live_updates": live_updates,
}
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SETTINGS = ENVIRONMENT | {
    "CONFIRM_CONNECTIONS_WITHIN_MINUTES": "60",
    "LIVE_ENDPOINT": "https://live.example.com/live",
    "JWT_ISSUER": "https://login.example.com",
    "JWT_AUDIENCE": "synced-accounts",
    "POWERTOOLS_SERVICE_NAME": "synced-accounts",
    "POWERTOOLS_METRICS_NAMESPACE": "SyncedAccounts",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-3",
}


class Violated(Exception):
    """An invariant does not hold."""


@dataclass(eq=False)
class Worker:
    """One execution environment of a function."""

    function: str
    number: int
    container: Container | LiveContainer | None
    skew: timedelta
    older: bool = False
    """Of the release before."""


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
    """Seconds, by the folder of the function, as the template has them."""
    functions = [r["Properties"] for r in resources().values() if r["Type"] == "AWS::Serverless::Function"]
    return {Path(function["CodeUri"]).name: function["Timeout"] for function in functions}


class Tokens:
    """Stands for the issuer of tokens: a token is its user and when it expires, in microseconds."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def check(self, token: str) -> tuple[str, datetime]:
        user, until = token.split(".")
        expires = START + timedelta(microseconds=int(until))
        if expires <= self._engine.now:
            raise BadToken("expired")
        return user, expires


def _expected(error: BaseException) -> bool:
    """Whether a function may fail with it: an error of ours, or what AWS answered."""
    if isinstance(error, BaseExceptionGroup):
        return all(_expected(inner) for inner in error.exceptions)
    return isinstance(error, AppError | ClientError | BotoCoreError)


def _entered() -> Callable[[], None]:
    """What powertools keeps for one request in the process: another request's would be there otherwise."""
    event, context = getattr(BaseRouter, "current_event", None), getattr(BaseRouter, "lambda_context", None)
    kept = dict(routes.app.context)

    def restore() -> None:
        router: Any = BaseRouter
        router.current_event, router.lambda_context = event, context
        routes.app.context.clear()
        routes.app.context.update(kept)

    return restore


class Processes:
    """Invocations, and what an invocation reaches: AWS, Powens, ids, secrets and the time of its process."""

    def __init__(self, chance: Chance, calls_per_minute: int = 0, kinds: Collection[str] = ()) -> None:
        self.engine = Engine(chance)
        self.calls_per_minute = calls_per_minute
        self.chance = chance
        self.logs = io.StringIO()
        declared = resources()["Table"]["Properties"]
        [index] = declared["GlobalSecondaryIndexes"]
        keys = [key["AttributeName"] for key in index["KeySchema"]]
        self.table = SimulatedTable(
            TABLE, (index["IndexName"], keys[0], keys[1]), lambda: self.engine.at / MICROSECONDS, self._lag, self._page
        )
        secret = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "identity_key": IDENTITY_KEY,
            "users_token": USERS_TOKEN,
        }
        self.aws = SimulatedAws(self.engine, self.table, BUS, json.dumps(secret))
        self.powens = SimulatedPowens(self.engine, kinds)
        self.powens.secrets |= {WEBHOOK_SECRET, IDENTITY_KEY}
        self.invocations = 0
        self.idle: dict[str, list[Worker]] = {function: [] for function in MODULES}
        self.running: dict[str, list[Task]] = {function: [] for function in MODULES}
        self.violations: list[str] = []
        self.powens.broken = lambda promise: self.invariant(False, promise)
        self._workers = 0
        self._ids = 0
        self._read_of = 0

    def _lag(self) -> float:
        self._read_of += 1
        return self.chance.between(0.0, 1.5, "lag", self._read_of)

    def _page(self) -> int | None:
        task = self.engine.current
        if task is None or not self.chance.happens("query answered in pages", f"{task.key}#{task.steps}"):
            return None
        return 2

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
        container.verifier = Tokens(self.engine)  # type: ignore[assignment]  # all that is used of the real one
        return container

    def _new_container(self, worker: Worker) -> Container:
        container = Container.from_env()
        container.clock = lambda: self.engine.now + worker.skew
        container.sleep = self.engine.wait
        container.queues = replace(container.queues, pause=self.engine.wait)
        container.bus = replace(container.bus, pause=self.engine.wait)
        container.budget = replace(container.budget, calls_per_minute=self.calls_per_minute)
        return container

    def invoke(
        self, function: str, event: dict[str, Any], name: str, on_end: Callable[[Task], None] = lambda task: None
    ) -> Task:
        """Run a function once, in a warm environment if one is idle."""
        key = f"{function}/{name}"
        self.invocations += 1
        idle = self.idle[function]
        if idle and self.chance.happens("cold restart", f"{key}/{len(self.running[function])}/{self.engine.at}"):
            idle.clear()
        if self.chance.quiet:
            idle[:] = [worker for worker in idle if not worker.older]
        if idle:
            worker = idle.pop()
        else:
            self._workers += 1
            skew = self.chance.between(-0.02, 0.02, "skew", function, self._workers) if self.chance.skewed else 0.0
            older = self.chance.two_releases and not self.chance.quiet
            older = older and self.chance.roll("release", function, self._workers) < 0.5
            self.powens.drawn["worker of the release before"] += older
            worker = Worker(function, self._workers, None, timedelta(seconds=skew), older)
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
