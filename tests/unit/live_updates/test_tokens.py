"""Who is let in to live updates: which tokens are refused, and what their keys cost."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from local.identity import AUDIENCE, Issuer
from shared.adapters.tokens import TokenVerifier
from shared.domain.errors import BadToken, Unavailable
from tests.live_wire import Wire


def _encoded(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _forged(issuer: Issuer, algorithm: str, signature: Callable[[bytes], bytes]) -> str:
    """A token of alice's that no library would sign like this."""
    claims = jwt.decode(issuer.token("alice")[0], options={"verify_signature": False})
    signed = f"{_encoded({'alg': algorithm, 'typ': 'JWT', 'kid': issuer.key_id})}.{_encoded(claims)}"
    return f"{signed}.{_encoded(signature(signed.encode()))}"


def _hmac_with_the_public_key(issuer: Issuer) -> str:
    public = jwt.PyJWK.from_dict(issuer.key_set["keys"][0]).key
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return _forged(issuer, "HS256", lambda signed: hmac.digest(pem, signed, hashlib.sha256))


def _tampered(issuer: Issuer) -> str:
    head, _, signature = issuer.token("alice")[0].split(".")
    claims = jwt.decode(issuer.token("alice")[0], options={"verify_signature": False})
    return f"{head}.{_encoded({**claims, 'sub': 'bob'})}.{signature}"


REFUSED: dict[str, Callable[[Issuer], str]] = {
    "expired": lambda issuer: issuer.token("alice", now=datetime.now(UTC) - timedelta(hours=2))[0],
    "of another issuer": lambda issuer: issuer.token("alice", iss="https://login.example.com")[0],
    "for another audience": lambda issuer: issuer.token("alice", aud="another-app")[0],
    "for another audience, whatever its client": lambda issuer: issuer.token(
        "alice", aud="another-app", client_id=AUDIENCE
    )[0],
    "for another client": lambda issuer: _without(issuer, "aud", client_id="another-app"),
    "for nobody": lambda issuer: _without(issuer, "aud"),
    "of nobody": lambda issuer: _without(issuer, "sub"),
    "of no issuer": lambda issuer: _without(issuer, "iss"),
    "without end": lambda issuer: _without(issuer, "exp"),
    "not valid yet": lambda issuer: issuer.token("alice", nbf=datetime.now(UTC) + timedelta(minutes=5))[0],
    "unsigned": lambda issuer: _forged(issuer, "none", lambda _: b""),
    "signed with the public key as a password": _hmac_with_the_public_key,
    "changed": _tampered,
    "not a token": lambda _: "x",
    "empty": lambda _: "",
}


def _without(issuer: Issuer, claim: str, **others: str) -> str:
    claims = jwt.decode(issuer.token("alice")[0], options={"verify_signature": False}) | others
    del claims[claim]
    return jwt.encode(claims, issuer._key, algorithm="RS256", headers={"kid": issuer.key_id})


@pytest.mark.parametrize("token", REFUSED.values(), ids=REFUSED)
def test_a_token_is_refused_that_is(token: Callable[[Issuer], str], issuing: Wire, verifier: TokenVerifier) -> None:
    with pytest.raises(BadToken):
        verifier.check(token(issuing.issuer))


def test_a_token_of_another_key_is_refused_even_under_the_issuers_key_id(
    issuing: Wire, verifier: TokenVerifier, tmp_path: Path
) -> None:
    forger = Issuer(issuing.url, tmp_path / "forger.pem")
    claims = jwt.decode(forger.token("alice")[0], options={"verify_signature": False})
    for key_id in (forger.key_id, issuing.issuer.key_id):
        forged = jwt.encode(claims, forger._key, algorithm="RS256", headers={"kid": key_id})
        with pytest.raises(BadToken):
            verifier.check(forged)


@pytest.mark.parametrize("audience", [{}, {"aud": ["another-app", AUDIENCE]}])
def test_a_good_token_names_its_user_and_its_end(
    audience: dict[str, Any], issuing: Wire, verifier: TokenVerifier
) -> None:
    token, until = issuing.issuer.token("alice", **audience)

    assert verifier.check(token) == ("alice", until)


def test_a_token_without_audience_is_for_its_client_as_at_the_http_api(issuing: Wire, verifier: TokenVerifier) -> None:
    assert verifier.check(_without(issuing.issuer, "aud", client_id=AUDIENCE))[0] == "alice"


def test_without_the_issuers_keys_nobody_is_let_in_and_later_they_are(issuing: Wire, verifier: TokenVerifier) -> None:
    token, _ = issuing.issuer.token("alice")
    issuing.keys_up = False
    for _ in range(2):
        with pytest.raises(Unavailable) as refusal:
            verifier.check(token)
        assert refusal.value.code == "issuer_unavailable"
    issuing.keys_up = True
    assert verifier.check(token)[0] == "alice"


def test_keys_that_vanish_after_the_configuration_was_read_let_nobody_in(
    issuing: Wire, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, _ = issuing.issuer.token("alice")
    answer = issuing.answer
    monkeypatch.setattr(issuing, "answer", lambda m, p, b: (503, {}) if "jwks" in p else answer(m, p, b))
    with pytest.raises(Unavailable):
        verifier.check(token)


def test_the_keys_are_fetched_once_for_many_tokens(
    issuing: Wire, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    answer = issuing.answer

    def counted(method: str, path: str, body: bytes) -> tuple[int, object]:
        asked.append(path)
        return answer(method, path, body)

    monkeypatch.setattr(issuing, "answer", counted)
    for user in ("alice", "bob", "alice"):
        verifier.check(issuing.issuer.token(user)[0])
    for number in range(20):
        unknown = jwt.encode({"sub": "x"}, "k" * 32, algorithm="HS256", headers={"kid": str(number)})
        with pytest.raises(BadToken):
            verifier.check(unknown)
    # Whoever makes up key ids does not make us ask the issuer each time.
    assert asked == ["/.well-known/openid-configuration", "/.well-known/jwks.json"]
