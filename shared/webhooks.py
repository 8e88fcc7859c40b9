"""What a webhook of Powens proves and whom it is about. Standard library only: the ingress starts in milliseconds.

A webhook is a hint (ADR 0003): nothing of its content is applied, so all that is taken from it is two numbers.
"""

import base64
import hashlib
import hmac
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.domain.errors import BadSignature

# Read at most, once decompressed: several times what Powens documents.
LARGEST_BODY_BYTES = 32 * 1024 * 1024
# Decompressed at most to check a signature, without being kept.
LARGEST_CHECKED_BYTES = 2 * LARGEST_BODY_BYTES
# As long as nobody is known to have signed a body, a bomb ends here: this many times what came. Lists of transactions
# shrink to a tenth or a twentieth, bombs to a thousandth.
MOST_INFLATION = 50
# Whatever it is of what came: decompressing so little costs less than the rest of the request.
_ALWAYS_CHECKED_BYTES = 64 * 1024
_CHUNK_BYTES = 1024 * 1024
_GZIP = b"\x1f\x8b"
# Clocks differ; nothing else dates a signature in the future.
FUTURE_TOLERANCE = timedelta(minutes=5)

EVENTS_WITH_HINT = frozenset(
    {
        "user-deleted",
        "user-synced",
        "connection-synced",
        "connection-deleted",
        "accounts-fetched",
        "account-synced",
        "account-categorized",
        "account-found",
        "account-enabled",
        "account-disabled",
        "account-ownerships-found",
    }
)
# Its documented payload holds transactions alone, which name their account and not its user. An `account-synced` of the
# same synchronisation has come before it.
EVENTS_WITHOUT_USER = frozenset({"account-categorized"})
# Documents, payments and the like, and users who have no connection yet: what they tell shows on no account.
EVENTS_WITHOUT_HINT = frozenset(
    {
        "user-created",
        "transaction-attachments-found",
        "transactions-clustered",
        "subscription-found",
        "subscription-synced",
        "payment-state-updated",
        "connection-certificate-available",
    }
)

# Everything else is dropped while it is parsed: the first synchronisation brings years of transactions.
_USED_KEYS = frozenset(
    {
        "id",
        "id_user",
        "id_connection",
        "user",
        "connection",
        "connections",
        "accounts",
        "account_ownerships",
        "transactions",
    }
)


@dataclass(frozen=True, slots=True)
class About:
    """Whom a webhook is about, in Powens' ids. No connection: all of the user's."""

    user_id: int
    connection_id: int | None


class Unusable(Exception):
    """Signed by Powens, yet naming nobody: sending it again cannot mend it."""


def secrets_from(setting: str) -> tuple[str, ...]:
    """The secrets that may have signed, out of `{"current": "...", "previous": "..."}`; none without a current one.

    `previous` may be left out. Whatever else the setting holds counts as no secret: then every webhook is refused.
    """
    try:
        read = json.loads(setting)
    except ValueError:
        return ()
    current, previous = (read.get("current"), read.get("previous")) if isinstance(read, dict) else (None, None)
    if not isinstance(current, str) or not current.strip():
        return ()
    return (current, previous) if isinstance(previous, str) and previous.strip() else (current,)


def verified_body(
    *,
    secrets: Sequence[str],
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
    tolerance: timedelta,
    query: str = "",
) -> bytes:
    """The body, decompressed, of a request that Powens signed.

    `path` and `query` are those of the address registered at Powens. Header names in any case. Raises BadSignature
    (`bad_signature`, or `stale_signature` for a good one that is older than `tolerance` or from the future), Unusable
    when what Powens signed cannot be decompressed or is larger than LARGEST_BODY_BYTES.
    """
    named = {name.lower(): value for name, value in headers.items()}
    date, signature = named.get("bi-signature-date", ""), named.get("bi-signature", "").strip()
    if not secrets or not date or not signature:
        raise BadSignature("no secret, date or signature")
    endpoints = (path, f"{path}?{query}") if query else (path,)
    said = [f"{method}.{endpoint}.{date}.".encode(errors="replace") for endpoint in endpoints]
    # Whether Powens signs before or after it compresses is not documented, nor whether it signs a query.
    as_sent, decompressed = _Signatures(secrets, said), _Signatures(secrets, said)
    as_sent.update(body)
    signed = as_sent.include(signature)
    # The header says how Powens sent it, not whether something on the way has inflated it and left the header on.
    if not body.startswith(_GZIP):
        plain: bytes | Unusable = body
    else:
        plain = _inflated(body, None if signed else decompressed)
        signed = signed or decompressed.include(signature)
    if not signed:
        raise BadSignature("the signature is not Powens'")
    _refuse_stale(date, now, tolerance)
    if isinstance(plain, Unusable):
        raise plain
    return plain


def about(event: str, body: bytes) -> About | None:
    """Whom a verified body is about. `event` is Powens' name in kebab case, known or not. Raises Unusable.

    None for nobody, from an event of EVENTS_WITHOUT_USER: there is nothing to read because of it.
    """
    try:
        root = json.loads(body, object_pairs_hook=_used_part)
    except (ValueError, RecursionError):
        raise Unusable("no JSON") from None
    if not isinstance(root, dict):
        raise Unusable("no object")
    # Only these two events have the thing itself at the root; elsewhere a bare `id` is an account's or unknown.
    by_event = {"user-deleted": _of_user, "connection-deleted": _of_connection}.get(event)
    found = (by_event and by_event(root)) or _of_envelope(root) or _of_item(root) or _of_lists(root)
    if found is None and event not in EVENTS_WITHOUT_USER:
        raise Unusable("no user")
    return found


class _Signatures:
    """What each of the secrets makes of the bytes seen so far, after each of what may have been said before them."""

    def __init__(self, secrets: Sequence[str], said: Sequence[bytes]) -> None:
        self._digests = [hmac.new(secret.encode(), first, hashlib.sha256) for secret in secrets for first in said]

    def update(self, data: bytes) -> None:
        for digest in self._digests:
            digest.update(data)

    def include(self, signature: str) -> bool:
        given = signature.encode(errors="replace")
        # All are compared, in constant time: how long it took does not say which one it was, nor how close.
        matches = [hmac.compare_digest(base64.b64encode(digest.digest()), given) for digest in self._digests]
        return any(matches)


def _refuse_stale(date: str, now: datetime, tolerance: timedelta) -> None:
    try:
        signed_at = datetime.fromisoformat(date.strip())
    except ValueError:
        raise BadSignature("the date is no date") from None
    age = now - (signed_at if signed_at.tzinfo else signed_at.replace(tzinfo=UTC))
    if not -FUTURE_TOLERANCE <= age <= tolerance:
        raise BadSignature("the signature is too old or from the future", code="stale_signature")


def _inflated(body: bytes, seen_by: _Signatures | None) -> bytes | Unusable:
    """The decompressed body, or why there is none. `seen_by` is shown it, as long as nobody has signed what came."""
    most = LARGEST_BODY_BYTES if seen_by is None else _most_checked(len(body))
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    kept: list[bytes] = []
    size = 0
    try:
        while not inflater.eof and size <= most:
            chunk = inflater.decompress(body, min(_CHUNK_BYTES, most - size + 1))
            if not chunk and not inflater.eof:
                return Unusable("compressed body cut short")
            body = inflater.unconsumed_tail
            if seen_by is not None:
                seen_by.update(chunk)
            size += len(chunk)
            if size <= LARGEST_BODY_BYTES:
                kept.append(chunk)
    except zlib.error:
        return Unusable("cannot be decompressed")
    return b"".join(kept) if size <= LARGEST_BODY_BYTES else Unusable("too large")


def _most_checked(size: int) -> int:
    """How far an unsigned body of `size` compressed bytes is decompressed, in bytes."""
    return min(LARGEST_CHECKED_BYTES, max(_ALWAYS_CHECKED_BYTES, MOST_INFLATION * size))


def _used_part(pairs: list[tuple[str, object]]) -> dict[str, object]:
    return {key: value for key, value in pairs if key in _USED_KEYS}


def _id(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 1 else None


def _about(user_id: object, connection_id: object) -> About | None:
    user = _id(user_id)
    return About(user, _id(connection_id)) if user is not None else None


def _of_user(root: Mapping[str, object]) -> About | None:
    return _about(root.get("id"), None)


def _of_connection(root: Mapping[str, object]) -> About | None:
    return _about(root.get("id_user"), root.get("id"))


def _of_envelope(root: Mapping[str, object]) -> About | None:
    """`user` beside `connection` or `connections`."""
    user, connection, connections = root.get("user"), root.get("connection"), root.get("connections")
    if connection is None and isinstance(connections, list) and len(connections) == 1:
        connection = connections[0]
    user_id = user.get("id") if isinstance(user, dict) else None
    if isinstance(connection, dict):
        return _about(user_id or connection.get("id_user"), connection.get("id"))
    return _about(user_id, None)


def _of_item(item: Mapping[str, object]) -> About | None:
    """An account, or another thing of a user, by itself."""
    return _about(item.get("id_user"), item.get("id_connection"))


def _of_lists(root: Mapping[str, object]) -> About | None:
    """Things of one user in a list; of all of the user's connections when they are of several."""
    for key in ("account_ownerships", "accounts", "transactions"):
        items = root.get(key)
        found = {_of_item(item) for item in items if isinstance(item, dict)} if isinstance(items, list) else set()
        named = [each for each in found if each is not None]
        if len({each.user_id for each in named}) == 1:
            return named[0] if len(named) == 1 else About(named[0].user_id, None)
    return None
