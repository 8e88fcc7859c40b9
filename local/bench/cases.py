"""What is measured: for each function an event that goes the usual way, and the AWS client it cannot do without."""

import base64
import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.http_api import Match, Request, event
from local.paths import ROOT
from local.template import Route

WEBHOOK_SECRET = "bench-secret"  # noqa: S105 - signs nothing but the events below
_NOW = dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class Case:
    """`client` is the boto3 service of the bare handler; `cold_limit` is a ratio.

    `deployed_as` is the function's name in the template, where that is not the folder's. `what` tells several events of
    one function apart.
    """

    function: str
    client: str
    event: Callable[[], dict[str, Any]]
    cold_limit: float
    deployed_as: str = ""
    what: str = ""

    @property
    def name(self) -> str:
        return f"{self.function} {self.what}".rstrip()

    @property
    def handler(self) -> str:
        return f"functions.{self.function}.app.lambda_handler"

    @property
    def logical_id(self) -> str:
        return "".join(word.capitalize() for word in (self.deployed_as or self.function).split("_")) + "Function"


def environment(endpoint: str) -> Mapping[str, str]:
    """As the template sets it, with the fake's address."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "STAGE": "dev",
        "TABLE_NAME": "bench",
        "EVENT_BUS_NAME": "bench",
        "COMMANDS_QUEUE_URL": f"{endpoint}/000000000000/commands.fifo",
        "REFRESH_QUEUE_URL": f"{endpoint}/000000000000/refresh.fifo",
        "OUTBOX_FAILURES_QUEUE_URL": f"{endpoint}/000000000000/outbox-failures",
        "TOKEN_KEY_ID": "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000",
        "POWENS_SECRET_ID": "bench",
        "POWENS_API_URL": f"{endpoint}/2.0",
        "POWENS_WEBVIEW_URL": endpoint,
        "POWENS_DOMAIN": "bench.example",
        "PUBLIC_URL": "https://bench.example",
        "RETURN_TO_ALLOWED": "https://bench.example",
        "WEBHOOK_SECRETS": json.dumps({"current": WEBHOOK_SECRET}),
        "WEBHOOK_TOLERANCE_SECONDS": "604800",
        "LIVE_ENDPOINT": endpoint,
        "JWT_ISSUER": "https://bench.example",
        "JWT_AUDIENCE": "bench",
        "POWERTOOLS_SERVICE_NAME": "synced-accounts",
        "POWERTOOLS_METRICS_NAMESPACE": "SyncedAccounts",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }


def _signed_webhook() -> dict[str, Any]:
    path = "/webhooks/powens/account-enabled"
    body = json.dumps({"id": 7, "id_user": 41, "id_connection": 77, "name": "Compte courant", "disabled": None})
    date = _NOW.isoformat()
    text = f"POST.{path}.{date}.{body}".encode()
    signature = base64.b64encode(hmac.digest(WEBHOOK_SECRET.encode(), text, hashlib.sha256)).decode()
    headers = [
        ("content-type", "application/json"),
        ("host", "bench.example"),
        ("bi-signature", signature),
        ("bi-signature-date", date),
    ]
    request = Request("POST", path, headers=headers, body=body.encode())
    route = Route("POST", "/webhooks/powens/{event}", "PowensWebhookFunction")
    return event(request, Match(route, {"event": "account-enabled"}), None, domain="bench.example", now=_NOW)


def _read(path: str) -> Callable[[], dict[str, Any]]:
    def made() -> dict[str, Any]:
        request = Request("GET", f"/v1/{path}", headers=[("host", "bench.example"), ("accept", "application/json")])
        route = Route("GET", "/v1/{proxy+}", "AccountsApiFunction", "Jwt")
        claims = {"sub": "bench", "iss": "https://bench.example", "aud": "bench"}
        return event(request, Match(route, {"proxy": path}), claims, domain="bench.example", now=_NOW)

    return made


the_list = _read("connections")


def _queue(queue: str, group: str, body: Mapping[str, Any]) -> dict[str, Any]:
    record = {
        "messageId": "1",
        "receiptHandle": "1",
        "body": json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1", "MessageGroupId": group, "SentTimestamp": "1772703667000"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{queue}.fifo",
        "awsRegion": "us-east-1",
    }
    return {"Records": [record]}


def _hint() -> dict[str, Any]:
    body = {
        "version": 1,
        "powens_user_id": 41,
        "powens_connection_id": 77,
        "origin": "webhook",
        "reason": "account-enabled",
        "received_at": _NOW.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "correlation_id": "bench",
    }
    return _queue("refresh", "41", body)


def _command() -> dict[str, Any]:
    body = {
        "version": 1,
        "user_id": "bench",
        "connection_id": "01J00000000000000000000000",
        "operation_id": "01J00000000000000000000001",
        "correlation_id": "bench",
    }
    return _queue("commands", "01J00000000000000000000000", body)


def _outbox() -> dict[str, Any]:
    example: dict[str, Any] = json.loads((ROOT / "events/outbox_publisher/event-and-command.json").read_text("utf-8"))
    # The event alone, so that one AWS client is made.
    return {"Records": example["Records"][:1]}


def _bus_event() -> dict[str, Any]:
    metadata = {"event_id": "01J00000000000000000000000", "schema_version": 1, "correlation_id": "bench"}
    data = {"user_id": "bench", "connection_id": "bench", "revision": 1, "accounts": []}
    return {
        "detail-type": "AccountsUpdated",
        "source": "synced-accounts",
        "detail": {"metadata": metadata, "data": data},
    }


CASES = (
    Case("powens_webhook", "sqs", _signed_webhook, cold_limit=1.2),
    Case("accounts_api", "dynamodb", the_list, cold_limit=1.65),
    Case("accounts_api", "dynamodb", _read("history"), cold_limit=2.0, what="routes"),
    Case("account_commands", "dynamodb", _command, cold_limit=1.7),
    Case("read_back", "dynamodb", _hint, cold_limit=1.7, deployed_as="connection_refresh"),
    Case("outbox_publisher", "events", _outbox, cold_limit=1.5),
    Case("housekeeping", "dynamodb", dict, cold_limit=1.7),
    Case("institution_catalogue", "dynamodb", dict, cold_limit=1.7),
    Case("live_updates", "dynamodb", _bus_event, cold_limit=1.4),
    Case("orphan_check", "dynamodb", dict, cold_limit=1.5),
)
