"""The signature that Powens puts on webhooks whose authentication is `hmac_signature`."""

import base64
import hashlib
import hmac
from datetime import datetime


def signature_date(at: datetime) -> str:
    """UTC, ISO 8601 with microseconds and `Z`."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def sign(secret: str, method: str, endpoint: str, date: str, payload: bytes) -> str:
    """Value of `BI-Signature`: the key is the secret's own UTF-8 bytes, the text joins its four parts with dots."""
    text = f"{method.upper()}.{endpoint}.{date}.".encode() + payload
    return base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha256).digest()).decode()
