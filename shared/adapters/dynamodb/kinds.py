"""Whatever lies in a user's partition, by kind: how it is exported, and what goes with it when the user is erased.

A new kind of item must be added to `KINDS`.
"""

import json
from collections.abc import Callable
from typing import NamedTuple

from shared.adapters.dynamodb.connection_item import document_of
from shared.adapters.dynamodb.live import socket_key
from shared.adapters.dynamodb.powens_users import access_of
from shared.adapters.dynamodb.table import Item, Key
from shared.adapters.dynamodb.webview import return_key, session_key
from shared.adapters.dynamodb.wishes import pointer_key, wish_of
from shared.domain.errors import NewerVersion


class Kind(NamedTuple):
    """How the items of a user's partition whose sort key begins alike are exported and erased.

    `shown` holds no token and no address that opens something; hashes are named as such. `beside` gives the keys of
    what lies elsewhere and has to go with the item.
    """

    name: str
    shown: Callable[[Item], dict[str, object]]
    beside: Callable[[Item], list[Key]] = lambda _: []


def kind_of(item: Item) -> Kind:
    """Raises NewerVersion for one that only a newer release has: what lies beside it, and what is secret in it?"""
    kind = next((kind for prefix, kind in KINDS.items() if item["sk"].startswith(prefix)), None)
    if kind is None:
        raise NewerVersion("an item of another kind")
    return kind


def _document(item: Item) -> dict[str, object]:
    shown: dict[str, object] = json.loads(document_of(item), object_hook=_with_hashes_named)
    return shown


def _with_hashes_named(members: dict[str, object]) -> dict[str, object]:
    hashes = {"iban_key": "iban_hash", "number_key": "number_hash"}
    return {hashes.get(name, name): value for name, value in members.items()}


def _event(item: Item) -> dict[str, object]:
    return {
        "type": item["detail_type"],
        "detail": json.loads(item["detail"]),
        "institution": item["institution"],
        "account_names": json.loads(item["names"]),
    }


def _access(item: Item) -> dict[str, object]:
    access = access_of(item)
    return {
        "powens_user_id": access.powens_user_id,
        "token": "kept encrypted, and shown to nobody" if access.sealed_token is not None else None,
        "next_reconciliation_at": item["due_sk"] if "due_sk" in item and access.erasure is None else None,
        "last_listed_at": item.get("listed_at"),
        "back_from_webview_at": item.get("back_at"),
        "being_erased": access.erasure is not None,
    }


def _answer(item: Item) -> dict[str, object]:
    """The answer is left out: it repeats what is shown elsewhere, or holds a code and is sealed."""
    return {
        "idempotency_key": item["sk"].removeprefix("IDEMPOTENCY#"),
        "request_hash": item["fingerprint"],
        "status": int(item["status"]),
    }


def _attributes(*names: str) -> Callable[[Item], dict[str, object]]:
    return lambda item: {name: item[name] for name in names}


def _of_session(item: Item) -> list[Key]:
    return [session_key(item["state"]), *([return_key(item["return_hash"])] if "return_hash" in item else [])]


KINDS = {
    "LIST#CONNECTION#": Kind("connection", _document),
    "LIST#MANUAL#": Kind("manual_account", _document),
    "LIST#WISH#": Kind("wish", _document, lambda item: [pointer_key(wish_of(item))]),
    "BALANCES#": Kind("balances", lambda item: {"balances": json.loads(item["document"])}),
    "OPERATION#": Kind("operation", _document),
    "EVENT#": Kind("event", _event),
    "COMMAND#": Kind("message", lambda item: {"queue": item["queue"], "message": json.loads(item["body"])}),
    # Its look-up goes with the mark of the erasure, last: until then it is known whose the late webhooks are.
    "PROFILE": Kind("access", _access),
    "SESSION#": Kind("webview_session", _attributes("flow", "return_to", "expires_at"), _of_session),
    "SOCKET#": Kind(
        "open_screen",
        _attributes("opened_at", "until"),
        lambda item: [socket_key(item["sk"].removeprefix("SOCKET#"))],
    ),
    "IDEMPOTENCY#": Kind("answered_request", _answer),
}
"""By how the sort key begins."""
