"""What wakes a function: the payloads in `events/`, requests through the HTTP API, the signature of a webhook."""

import base64
import hashlib
import hmac
import json
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from tests.worlds.deployment import WEBHOOK_SECRET

EVENTS = Path(__file__).parents[2] / "events"


def event_file(name: str) -> dict[str, Any]:
    """A trigger's payload from `events/`, as `function/case`."""
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text("utf-8"))
    return loaded


def api_event(
    method: str,
    path: str,
    body: object = None,
    *,
    user: str | None = "alice",
    query: str = "",
    raw: str | None = None,
    **headers: str,
) -> dict[str, Any]:
    """An event as the HTTP API hands it over, payload 2.0; `user` None for a route without authorizer."""
    event = event_file("accounts_api/list-connections" if user is not None else "accounts_api/health")
    event |= {"rawPath": path, "rawQueryString": query}
    if query:
        event["queryStringParameters"] = dict(parse_qsl(query, keep_blank_values=True))
    event["requestContext"]["http"] |= {"method": method, "path": path}
    if user is not None:
        event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] = user
    event["headers"] |= {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None or raw is not None:
        event["body"] = json.dumps(body) if raw is None else raw
    return event


def signed(path: str, body: bytes, at: datetime) -> dict[str, str]:
    """The headers of a webhook that Powens sends at `at`."""
    date = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    said = f"POST.{path}.{date}.".encode() + body
    signature = base64.b64encode(hmac.new(WEBHOOK_SECRET.encode(), said, hashlib.sha256).digest()).decode()
    return {"bi-signature": signature, "bi-signature-date": date}
