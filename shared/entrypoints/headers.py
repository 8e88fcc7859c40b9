"""What HTTP is here for every function. By itself, as what imports it imports nothing that takes time."""

from typing import Any

JSON = "application/json"
PUBLIC_PATHS = frozenset({"/health", "/v1/openapi.json", "/v1/webview-return"})
"""What is answered without knowing who asks."""
READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SECURITY_HEADERS = {
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
}
"""For this host only: what lies below it is not ours to bind (RFC 6797)."""


def secured(answer: dict[str, Any]) -> dict[str, Any]:
    """The resolver's answer, which nobody may store unless it says otherwise: nearly all name somebody's accounts."""
    return {**answer, "headers": {"Cache-Control": "no-store", **SECURITY_HEADERS, **answer["headers"]}}
