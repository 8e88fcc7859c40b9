"""Tokens as no honest issuer makes them, keys of every kind, and keys that were withdrawn: what opens a socket."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from local.identity import AUDIENCE, Issuer
from shared.adapters.tokens import KEYS_AGAIN_AFTER_SECONDS, KEYS_FOR_SECONDS, TokenVerifier
from shared.domain.errors import BadToken, Unavailable
from shared.domain.users import LONGEST_USER_ID
from tests.live_wire import Wire, wire


@pytest.fixture(scope="module")
def issuing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with wire(tmp_path_factory.mktemp("issuer")) as started:
        yield started


@pytest.fixture
def verifier(issuing: Wire) -> Iterator[TokenVerifier]:
    made = TokenVerifier(issuing.url, AUDIENCE)
    yield made
    made.session.close()


class Clock:
    """Moves the clock that the cache of keys goes by."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        real = time.monotonic
        patch.setattr(time, "monotonic", lambda: real() + self.ahead)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def asked(issuing: Wire, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the issuer is asked for, in order."""
    asked: list[str] = []
    answer = issuing.answer

    def noted(method: str, path: str, body: bytes) -> tuple[int, object]:
        asked.append(path.rpartition("/")[2])
        return answer(method, path, body)

    monkeypatch.setattr(issuing, "answer", noted)
    return asked


def claims_of(issuer: Issuer, **changed: Any) -> dict[str, Any]:
    claims = jwt.decode(issuer.token("alice")[0], options={"verify_signature": False}) | changed
    return {name: value for name, value in claims.items() if value is not None}


def signed(issuer: Issuer, payload: bytes | dict[str, Any], **header: Any) -> str:
    """With the issuer's key, whatever it is."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return jwt.api_jws.encode(raw, issuer._key, algorithm="RS256", headers={"kid": issuer.key_id, **header})


# --- odd claims


ODD_MOMENTS = {
    "a fraction": time.time() + 3600.5,
    "text": str(int(time.time()) + 3600),
    "no number": "soon",
    "huge": 10**30,
    "huger": 10**400,
    "infinite": float("inf"),
    "not a number": float("nan"),
    "a list": [],
    "an object": {},
    "yes": True,
    "missing": None,
    "negative": -(10**30),
}


@pytest.mark.parametrize("moment", ODD_MOMENTS.values(), ids=ODD_MOMENTS)
def test_an_odd_end_is_refused(issuing: Wire, verifier: TokenVerifier, moment: object) -> None:
    with pytest.raises(BadToken):
        verifier.check(signed(issuing.issuer, claims_of(issuing.issuer, exp=moment)))


@pytest.mark.parametrize("name", ["nbf", "iat"])
@pytest.mark.parametrize("moment", [float("inf"), float("nan"), [], {}, "soon", 10**30])
def test_an_odd_beginning_is_refused(issuing: Wire, verifier: TokenVerifier, name: str, moment: object) -> None:
    with pytest.raises(BadToken):
        verifier.check(signed(issuing.issuer, claims_of(issuing.issuer, **{name: moment})))


@pytest.mark.parametrize(
    "subject", ["", " ", "alice\x00", "alice\ud800", "a\nb", "\u200b", "x" * (LONGEST_USER_ID + 1), 5, ["alice"], None]
)
def test_a_subject_that_is_nobody_is_refused(issuing: Wire, verifier: TokenVerifier, subject: object) -> None:
    with pytest.raises(BadToken):
        verifier.check(signed(issuing.issuer, claims_of(issuing.issuer, sub=subject)))


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b"{", b"[" * 50_000, b'{"a":' * 50_000, b"\xff", b"5"])
def test_claims_that_are_none_are_refused(issuing: Wire, verifier: TokenVerifier, payload: bytes) -> None:
    with pytest.raises(BadToken):
        verifier.check(signed(issuing.issuer, payload))


@pytest.mark.parametrize("token", ["\ud800.a.b", "é.é.é", "....", f"{'W' * 60_000}.e30.e30", "bnVsbA.e30.e30"])
def test_what_is_no_token_is_refused(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(BadToken):
        verifier.check(token)


# --- what a token is for


@pytest.mark.parametrize(
    ("header", "claims", "taken", "taken_if_declared"),
    [
        ({}, {}, True, False),
        ({"typ": "JWT"}, {}, True, False),
        ({"typ": "at+jwt"}, {}, True, True),
        ({"typ": "application/AT+JWT"}, {}, True, True),
        ({"typ": "logout+jwt"}, {}, False, False),
        ({}, {"token_use": "access"}, True, True),
        ({}, {"token_use": "id"}, False, False),
        ({"typ": "at+jwt"}, {"token_use": "id"}, False, False),
        ({}, {"typ": "Bearer"}, True, True),
        ({}, {"typ": "ID"}, False, False),
        ({}, {"typ": "Refresh"}, False, False),
        ({}, {"typ": "of our own"}, True, False),
    ],
)
def test_a_token_that_says_it_is_for_something_else_is_refused(
    issuing: Wire, header: dict[str, str], claims: dict[str, str], taken: bool, taken_if_declared: bool
) -> None:
    token = signed(issuing.issuer, claims_of(issuing.issuer, **claims), **header)
    for declared_only, good in ((False, taken), (True, taken_if_declared)):
        verifier = TokenVerifier(issuing.url, AUDIENCE, access_tokens_only=declared_only)
        if good:
            assert verifier.check(token)[0] == "alice"
        else:
            with pytest.raises(BadToken, match="NoAccessToken"):
                verifier.check(token)
        verifier.session.close()


# --- keys

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVES = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
}


def published(monkeypatch: pytest.MonkeyPatch, issuing: Wire, *keys: dict[str, Any]) -> None:
    monkeypatch.setattr(Issuer, "key_set", {"keys": list(keys)})


def public(key: Any, key_id: str, **more: str) -> dict[str, Any]:
    algorithm: Any = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": key_id, "use": "sig", **more}


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"])
def test_every_asymmetric_algorithm_of_the_authorizer_is_taken(
    issuing: Wire, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    key = CURVES.get(algorithm, RSA)
    published(monkeypatch, issuing, public(key, "k"))
    token = jwt.encode(claims_of(issuing.issuer), key, algorithm=algorithm, headers={"kid": "k"})
    assert verifier.check(token)[0] == "alice"


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512", "none"])
def test_a_password_or_nothing_signs_for_nobody_even_when_the_issuer_lists_one(
    issuing: Wire, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    password = b"p" * 64
    listed = {"kty": "oct", "k": base64.urlsafe_b64encode(password).decode().rstrip("="), "kid": "k"}
    published(monkeypatch, issuing, listed, public(RSA, "other"))
    key: Any = None if algorithm == "none" else password
    token = jwt.encode(claims_of(issuing.issuer), key, algorithm=algorithm, headers={"kid": "k"})
    with pytest.raises(BadToken):
        verifier.check(token)


def test_a_key_that_the_issuer_withdrew_is_good_for_minutes_only(
    issuing: Wire, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    stolen, _ = issuing.issuer.token("alice")
    assert verifier.check(stolen)[0] == "alice"
    published(monkeypatch, issuing, public(RSA, "new"))
    clock.ahead += KEYS_FOR_SECONDS + 1
    with pytest.raises(BadToken):
        verifier.check(stolen)
    assert verifier.check(jwt.encode(claims_of(issuing.issuer), RSA, algorithm="RS256", headers={"kid": "new"}))


def test_made_up_key_ids_make_us_ask_the_issuer_twice_a_minute_at_most(
    issuing: Wire, verifier: TokenVerifier, asked: list[str], clock: Clock
) -> None:
    verifier.check(issuing.issuer.token("alice")[0])
    for number in range(60):
        clock.ahead += 2
        with pytest.raises(BadToken):
            verifier.check(jwt.encode({"sub": "x"}, "k" * 32, algorithm="HS256", headers={"kid": str(number)}))
    assert asked.count("openid-configuration") == 1
    assert asked.count("jwks.json") <= 2 + 120 // KEYS_AGAIN_AFTER_SECONDS


def test_a_new_key_is_found_before_the_old_ones_are_forgotten(
    issuing: Wire, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    verifier.check(issuing.issuer.token("alice")[0])
    published(monkeypatch, issuing, public(RSA, "new"), *issuing.issuer.key_set["keys"])
    clock.ahead += KEYS_AGAIN_AFTER_SECONDS + 1
    assert verifier.check(jwt.encode(claims_of(issuing.issuer), RSA, algorithm="RS256", headers={"kid": "new"}))


def test_keys_that_are_no_json_are_a_trouble_of_the_issuer(
    issuing: Wire, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token, _ = issuing.issuer.token("alice")
    monkeypatch.setattr(verifier._keys, "uri", f"{issuing.url}/.well-known/nothing")
    with pytest.raises(Unavailable):
        verifier.check(token)
