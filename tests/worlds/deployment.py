"""What both worlds of all functions are deployed with: resources of the template, settings of the functions."""

import json
from functools import cache
from typing import Any

import boto3

from local.intrinsics import load
from local.paths import TEMPLATE

WEBHOOK_SECRET = "webhook-secret-31c7"
IDENTITY_KEY = "identity-key-a2f8"
TABLE = "accounts-table"
BUS = "synced-accounts-test"
ORIGIN = "https://app.example.com"
ENVIRONMENT = {
    "TABLE_NAME": TABLE,
    "EVENT_BUS_NAME": BUS,
    "COMMANDS_QUEUE_URL": "https://sqs.eu-west-3.amazonaws.com/123456789012/commands.fifo",
    "REFRESH_QUEUE_URL": "https://sqs.eu-west-3.amazonaws.com/123456789012/refresh.fifo",
    "OUTBOX_FAILURES_QUEUE_URL": "https://sqs.eu-west-3.amazonaws.com/123456789012/outbox-failures",
    "TOKEN_KEY_ID": "token-key",
    "POWENS_SECRET_ID": "powens",
    "POWENS_API_URL": "https://acme.biapi.pro/2.0",
    "POWENS_WEBVIEW_URL": "https://webview.powens.com",
    "POWENS_DOMAIN": "acme.biapi.pro",
    "PUBLIC_URL": "https://api.example.com",
    "POWENS_CALLS_PER_MINUTE": "0",
    "RETURN_TO_ALLOWED": f"{ORIGIN},http://localhost:8080,wealthapp://",
    "WEBHOOK_SECRETS": json.dumps({"current": WEBHOOK_SECRET}),
}
"""Settings of the functions, as environment variables; 0 calls per minute is no budget at all."""


@cache
def aws_client(service: str) -> Any:
    """One client for all tests: to make one reads megabytes of service descriptions."""
    session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="eu-west-3")
    return session.client(service)  # type: ignore[call-overload]


@cache
def _template() -> dict[str, Any]:
    return load(TEMPLATE.read_text("utf-8"))


def resources() -> dict[str, Any]:
    """What the template declares."""
    declared: dict[str, Any] = _template()["Resources"]
    return declared


def default(parameter: str) -> Any:
    """Of a parameter of the template."""
    return _template()["Parameters"][parameter]["Default"]
