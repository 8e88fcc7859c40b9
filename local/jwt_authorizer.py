"""The JWT authorizer of API Gateway's HTTP API: whether a request may pass, and what its token says."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jwt
from jwt.types import Options

from local.template import Authorizer

# The claims are checked below, as API Gateway does and against a given time; the library is for the signature.
_SIGNATURE_ONLY: Options = {
    "verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False,
    "verify_iss": False, "verify_sub": False, "verify_jti": False,
}  # fmt: skip


class Unauthorized(Exception):
    """The JWT authorizer refuses. The message is for logs; the answer says little, as AWS's does."""


class Forbidden(Exception):
    """The token is good, but carries none of the scopes the route asks for."""


def authorize(
    value: str | None,
    authorizer: Authorizer,
    scopes: Sequence[str],
    key_set: Callable[[str], Mapping[str, Any]],
    now: dt.datetime,
) -> dict[str, Any]:
    """The claims of a good token. Raises Unauthorized or Forbidden.

    `value` is that of the authorizer's header, with or without "Bearer "; `key_set` gives an issuer's JWKS.
    Checked as API Gateway documents it: RSA signature by a key of the issuer, `iss`, `aud` (or `client_id` when there
    is no `aud`), `exp`, `nbf`, `iat`, and at least one of the route's scopes.
    """
    if not value:
        raise Unauthorized("no token")
    token = value[7:] if value[:7].lower() == "bearer " else value
    try:
        head = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError as error:
        raise Unauthorized("not a token") from error
    if head.get("alg") not in {"RS256", "RS384", "RS512"}:
        raise Unauthorized("not signed with RSA")
    keys = [key for key in key_set(authorizer.issuer).get("keys", []) if key.get("kid") == head.get("kid")]
    if not keys:
        raise Unauthorized("unknown key")
    try:
        claims: dict[str, Any] = jwt.decode(
            token, jwt.PyJWK.from_dict(dict(keys[0])), algorithms=[head["alg"]], options=_SIGNATURE_ONLY
        )
    except jwt.InvalidTokenError as error:
        raise Unauthorized("bad signature") from error
    _check_claims(claims, authorizer, now.timestamp())
    granted = str(claims.get("scope") or " ".join(claims.get("scp") or [])).split()
    if scopes and not set(scopes) & set(granted):
        raise Forbidden("no scope of the route")
    return claims


def _check_claims(claims: Mapping[str, Any], authorizer: Authorizer, now: float) -> None:
    if claims.get("iss") != authorizer.issuer:
        raise Unauthorized("another issuer")
    audience = claims.get("aud", claims.get("client_id"))
    if not set(authorizer.audience) & set([audience] if isinstance(audience, str) else audience or []):
        raise Unauthorized("another audience")
    moments = {name: claims.get(name) for name in ("exp", "nbf", "iat")}
    for name, moment in moments.items():
        if moment is not None and (isinstance(moment, bool) or not isinstance(moment, int | float)):
            raise Unauthorized(f"{name} is no time")
    if moments["exp"] is None or float(moments["exp"]) <= now:
        raise Unauthorized("expired")
    for name in ("nbf", "iat"):
        moment = moments[name]
        if moment is not None and float(moment) > now:
            raise Unauthorized(f"{name} is in the future")
