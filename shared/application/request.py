"""What a use case of the API knows about the request that it serves. Made once, where the request comes in."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """The `Idempotency-Key` as it was sent, and a digest of what was asked under it."""

    key: str = field(repr=False)
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who asks, the language of the answer, and what ties the request to its logs, its events and its repetitions.

    `idempotency` is None for a request without a key.
    """

    user_id: str
    correlation_id: str
    language: Literal["fr", "en"]
    idempotency: Idempotency | None = None
