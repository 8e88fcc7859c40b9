"""Headers of every answer. By itself, as the webhook imports nothing that takes time."""

SECURITY_HEADERS = {
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
}
"""For this host only: what lies below it is not ours to bind (RFC 6797)."""
