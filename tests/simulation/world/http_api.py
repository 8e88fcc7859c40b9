"""Requests through the HTTP API that get lost or doubled, and webhooks that come until they are accepted."""

import base64
import gzip
import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from tests.simulation.engine import Chance, Task
from tests.simulation.world.processes import Processes
from tests.worlds.triggers import signed

SOON_SECONDS = 300
"""Within which an accepted hint is answered while nothing goes wrong."""


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


class HttpApi(Processes):
    """Requests of users, and webhooks."""

    def __init__(self, chance: Chance, calls_per_minute: int = 0, kinds: Collection[str] = ()) -> None:
        super().__init__(chance, calls_per_minute, kinds)
        self.hinted: dict[int, int] = {}
        """For each connection at Powens, what its accepted hints are about: changes up to then, in microseconds."""
        self.soon: Callable[[int, int], None] = lambda connection, emitted: None
        self.unanswered_webhooks = 0
        self.powens.webhook = self.webhook

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
                # Each attempt is signed at its own moment, so its hint is known by its signature.
                queued = hashlib.sha256(headers["bi-signature"].encode()).hexdigest() in self.aws.webhooks_queued
                self.invariant(queued, f"{name} was answered {task.result['statusCode']} unqueued")
            if accepted:
                if connection is not None:
                    self.hinted[connection] = max(self.hinted.get(connection, 0), emitted)
                    self.engine.after(SOON_SECONDS, lambda: self.soon(connection, emitted))
            elif attempt < 12:
                self.engine.after(
                    min(3600, 20 * 2**attempt), lambda: self.webhook(name, body, connection, emitted, attempt + 1)
                )

        self.invoke("powens_webhook", event, f"{name}/{connection}", answered)
