"""What the chaos breaks: functions whose processes are killed, and every fault of the sandbox."""

from typing import Any

VICTIMS = (
    "AccountCommandsFunction",
    "ConnectionRefreshFunction",
    "OutboxPublisherFunction",
    "AccountsApiFunction",
    "PowensWebhookFunction",
)
"""Functions whose processes are killed: those that somebody or something waits for."""
CALLS = ("", "GET /2.0/users/", "POST /2.0/users/")
"""Beginnings of the calls that a fault of the API may wait for, unless it names its own under `calls`."""
FAULTS: tuple[dict[str, Any], ...] = (
    *({"target": "api", "kind": "status", "status": status} for status in (500, 502, 503, 401)),
    {"target": "api", "kind": "status", "status": 409, "code": "connectionLocked"},
    {"target": "api", "kind": "status", "status": 429, "retry_after": 1},
    {"target": "api", "kind": "status", "status": 500, "after": True},
    {"target": "api", "kind": "latency", "seconds": 1},
    {"target": "api", "kind": "delay", "seconds": 0.5},
    {"target": "api", "kind": "timeout", "seconds": 2},
    {"target": "api", "kind": "timeout", "seconds": 1, "after": True},
    *({"target": "api", "kind": kind} for kind in ("garbage", "drop", "duplicate")),
    # To a forced synchronisation an empty answer is a yes, and a Powens that lies is not what this is about.
    {"target": "api", "kind": "empty", "calls": ("GET /2.0/", "POST /2.0/users/")},
    {"target": "webview", "kind": "status", "status": 503},
    {"target": "webview", "kind": "latency", "seconds": 0.5},
    {"target": "webview", "kind": "delay", "seconds": 0.5},
    {"target": "webview", "kind": "timeout", "seconds": 1},
    *({"target": "webview", "kind": kind} for kind in ("garbage", "empty", "drop")),
    {"target": "webhook", "kind": "status", "status": 500},
    {"target": "webhook", "kind": "latency", "seconds": 1},
    {"target": "webhook", "kind": "delay", "seconds": 2},
    {"target": "webhook", "kind": "timeout", "seconds": 1},
    *({"target": "webhook", "kind": kind} for kind in ("garbage", "empty", "drop", "duplicate", "reorder")),
)
"""Every kind of fault that the sandbox has, for each of its doors."""
MOST_WAITING = {"api": 3, "webview": 1, "webhook": 3}
"""How many faults wait for their victim at once: a visit of the Powens space is half a dozen calls."""


def name_of(fault: dict[str, Any]) -> str:
    status = f" {fault['status']}" if fault["kind"] == "status" else ""
    return f"{fault['target']} {fault['kind']}{status}{' after the effect' if fault.get('after') else ''}"
