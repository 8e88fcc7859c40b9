"""Checks bearer tokens where API Gateway cannot: its WebSocket APIs have no JWT authorizer."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

import jwt
import requests

from shared.domain.errors import BadToken, Unavailable
from shared.domain.users import has_scope, is_access_token, is_user_id

_SECONDS = 3.0
KEYS_FOR_SECONDS = 300
"""How long the issuer's keys are believed: one that it has withdrawn is good for no longer."""
KEYS_AGAIN_AFTER_SECONDS = 30
"""Between two looks for a key that is unknown: whoever makes up key ids does not make us ask the issuer each time."""
_RSA = ("RS256", "RS384", "RS512")
_CURVES = ("ES256", "ES384", "ES512")


@dataclass(eq=False)
class TokenVerifier:
    """The same checks as API Gateway's JWT authorizer: issuer, audience, `exp`, `nbf`, signature by `kid`.

    As there, a token without `aud` is for its `client_id`: the access tokens of some issuers have no other. Signatures
    are those of asymmetric keys, RSA or on a curve; `exp` is in whole seconds.

    `scope` is what a token must have been given, if anything. The address of the keys comes once from the issuer's
    OpenID configuration.
    """

    issuer: str
    audience: str
    access_tokens_only: bool = False
    scope: str | None = None
    session: requests.Session = field(default_factory=requests.Session)

    @cached_property
    def _keys(self) -> jwt.PyJWKClient:
        try:
            answer = self.session.get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration", timeout=_SECONDS)
            answer.raise_for_status()
            address = answer.json()["jwks_uri"]
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise Unavailable("the issuer does not answer", code="issuer_unavailable") from error
        return jwt.PyJWKClient(
            address,
            timeout=_SECONDS,
            cache_keys=False,  # that cache knows no time
            lifespan=KEYS_FOR_SECONDS,
            cooldown_duration=KEYS_AGAIN_AFTER_SECONDS,
        )

    def _key(self, key_id: str) -> jwt.PyJWK:
        try:
            return self._keys.get_signing_key(key_id)
        except (jwt.PyJWKClientConnectionError, ValueError) as error:
            raise Unavailable("the issuer does not answer", code="issuer_unavailable") from error
        except jwt.PyJWTError as error:
            raise BadToken(type(error).__name__) from None

    def check(self, token: str) -> tuple[str, datetime]:
        """The `sub` of a token and its end. Raises BadToken, and Unavailable without the issuer's keys."""
        try:
            header = jwt.get_unverified_header(token)
            key = self._key(header.get("kid", ""))
            claims = jwt.decode(
                token,
                key.key,
                algorithms=_algorithms(key),
                issuer=self.issuer,
                options={"require": ["exp", "iss", "sub"], "verify_aud": False},
            )
            until = _moment(claims["exp"])
        # The library trips over odd numbers and deep nests before it refuses them.
        except (jwt.PyJWTError, ArithmeticError, ValueError, TypeError, RecursionError) as error:
            raise BadToken(type(error).__name__) from None
        audience = claims.get("aud", claims.get("client_id"))
        if self.audience not in (audience if isinstance(audience, list) else [audience]):
            raise BadToken("InvalidAudienceError")
        if not is_user_id(claims["sub"]):
            raise BadToken("InvalidSubjectError")
        if not is_access_token(header, claims, declared_only=self.access_tokens_only):
            raise BadToken("NoAccessToken")
        if self.scope is not None and not has_scope(claims, self.scope):
            raise BadToken("NoScope")
        return claims["sub"], until


def _algorithms(key: jwt.PyJWK) -> list[str]:
    """What may be signed with the key. A key on a curve has one algorithm; none is ever for a password."""
    if key.key_type == "RSA":
        return list(_RSA)
    return [name for name in _CURVES if name == key.algorithm_name]


def _moment(seconds: object) -> datetime:
    """Raises TypeError, ValueError, OverflowError."""
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise TypeError
    return datetime.fromtimestamp(seconds, UTC)
