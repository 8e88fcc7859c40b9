"""Checks bearer tokens where API Gateway cannot: its WebSocket APIs have no JWT authorizer."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

import jwt
import requests

from shared.domain.errors import BadToken, Unavailable

_SECONDS = 3.0


@dataclass(eq=False)
class TokenVerifier:
    """The same checks as API Gateway's JWT authorizer: issuer, audience, `exp`, `nbf`, RS256 signature by `kid`.

    As there, a token without `aud` is for its `client_id`: the access tokens of some issuers have no other.

    The keys are fetched once from the issuer's OpenID configuration, and again for a `kid` that is not among them.
    """

    issuer: str
    audience: str
    session: requests.Session = field(default_factory=requests.Session)

    @cached_property
    def _keys(self) -> jwt.PyJWKClient:
        try:
            answer = self.session.get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration", timeout=_SECONDS)
            answer.raise_for_status()
            address = answer.json()["jwks_uri"]
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise Unavailable("the issuer does not answer", code="issuer_unavailable") from error
        return jwt.PyJWKClient(address, timeout=_SECONDS, cache_keys=True)

    def check(self, token: str) -> tuple[str, datetime]:
        """The `sub` of a token and its end. Raises BadToken, and Unavailable without the issuer's keys."""
        try:
            key = self._keys.get_signing_key_from_jwt(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                issuer=self.issuer,
                options={"require": ["exp", "iss", "sub"], "verify_aud": False},
            )
        except jwt.PyJWKClientConnectionError as error:
            raise Unavailable("the issuer does not answer", code="issuer_unavailable") from error
        except jwt.PyJWTError as error:
            raise BadToken(type(error).__name__) from None
        audience = claims.get("aud", claims.get("client_id"))
        if self.audience not in (audience if isinstance(audience, list) else [audience]):
            raise BadToken("InvalidAudienceError")
        return str(claims["sub"]), datetime.fromtimestamp(claims["exp"], UTC)
