"""Who a user is to us, and which tokens say so: what both doors, the HTTP API and the sockets, ask of a token.

Sources: OpenID Connect Core 1.0, section 2 (`sub`, `auth_time`); RFC 9068 (`at+jwt`, `scope`); Cognito
(`token_use`) and Keycloak (`typ`), which say it in a claim.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeIs

LONGEST_USER_ID = 255
"""In characters (OpenID Connect Core 1.0, section 2)."""


def is_user_id(subject: object) -> TypeIs[str]:
    """Whether a token's `sub` names somebody: visible text that every store, queue and log takes."""
    return (
        isinstance(subject, str)
        and 0 < len(subject) <= LONGEST_USER_ID
        and subject.isprintable()
        and not subject.isspace()
    )


def user_key(user_id: str, key: str) -> str:
    """How traces name a user: to whoever has `key`, and to nobody who guesses ids."""
    return hmac.digest(key.encode(), user_id.encode(), hashlib.sha256).hex()[:32]


def is_access_token(header: Mapping[str, Any], claims: Mapping[str, Any], *, declared_only: bool) -> bool:
    """Whether a token of these is for an API, and not one that tells an app who has signed in.

    One that says nothing about it is taken, unless `declared_only`: many issuers say nothing.
    """
    said = [_by_header(header.get("typ")), _by_use(claims.get("token_use")), _by_claim(claims.get("typ"))]
    return False not in said and (True in said or not declared_only)


def has_scope(claims: Mapping[str, Any], wanted: str) -> bool:
    """Whether a token of these claims was given `wanted`.

    It says so in `scope` (RFC 9068), or in `scp`, which some issuers have instead. API Gateway hands over a list as
    text in brackets.
    """
    said = claims.get("scope") or claims.get("scp") or ""
    given = said if isinstance(said, list) else str(said).strip("[]").split()
    return wanted in given


def signed_in_at(claims: Mapping[str, Any]) -> datetime | None:
    """When the user last showed who they are (`auth_time`); None when the token does not say."""
    try:
        return datetime.fromtimestamp(int(claims["auth_time"]), UTC)
    except (KeyError, TypeError, ValueError, ArithmeticError, OSError):
        return None


def _by_header(value: object) -> bool | None:
    kind = value.lower().removeprefix("application/") if isinstance(value, str) else ""
    return kind == "at+jwt" if kind.endswith("+jwt") else None


def _by_use(value: object) -> bool | None:
    return value == "access" if value is not None else None


def _by_claim(value: object) -> bool | None:
    return {"bearer": True, "id": False, "refresh": False, "logout": False}.get(str(value).lower())
