"""Who may come to a door: no token, tokens that no honest issuer makes for this API, and those of users."""

import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from local.identity import Issuer

HOUR = 3600
type Caller = Callable[[Issuer], str | None]
"""The value of `Authorization`; None is none."""


def user(name: str, **claims: Any) -> Caller:
    return lambda issuer: f"Bearer {issuer.token(name, **claims)[0]}"


def _claims(issuer: Issuer, *without: str, **changed: Any) -> dict[str, Any]:
    good: Mapping[str, Any] = jwt.decode(issuer.token("alice")[0], options={"verify_signature": False})
    return {name: value for name, value in {**good, **changed}.items() if name not in without}


def _signed(issuer: Issuer, claims: Mapping[str, Any], *, key: Any = None, **header: Any) -> str:
    headers = {"kid": issuer.key_id, **header}
    return f"Bearer {jwt.encode(dict(claims), key or issuer._key, algorithm='RS256', headers=headers)}"


@cache
def _another_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _unsigned(issuer: Issuer) -> str:
    return f"Bearer {jwt.encode(_claims(issuer), '', algorithm='none', headers={'kid': issuer.key_id})}"


def _signed_by_the_public_key(issuer: Issuer) -> str:
    """The oldest trick: the key that everybody can read, taken for a password."""
    public = issuer.key_set["keys"][0]["n"]
    return f"Bearer {jwt.encode(_claims(issuer), public, algorithm='HS256', headers={'kid': issuer.key_id})}"


def _cut_short(issuer: Issuer) -> str:
    return f"Bearer {issuer.token('alice')[0].rpartition('.')[0]}."


def _with_claim(**changed: Any) -> Caller:
    return lambda issuer: _signed(issuer, _claims(issuer, **changed))


NOBODIES: Mapping[str, Caller] = {
    "no token": lambda _: None,
    "an empty token": lambda _: "Bearer ",
    "no JWT": lambda _: "Bearer alice",
    "another scheme": lambda _: "Basic YWxpY2U6YWxpY2U=",
    "a signature cut off": _cut_short,
    "not signed at all": _unsigned,
    "signed by the public key": _signed_by_the_public_key,
    "signed by another key": lambda issuer: _signed(issuer, _claims(issuer), key=_another_key()),
    "signed by an unknown key": lambda issuer: _signed(issuer, _claims(issuer), key=_another_key(), kid="mine"),
    "expired": lambda issuer: _signed(issuer, _claims(issuer, exp=int(time.time()) - 1)),
    "without an end": lambda issuer: _signed(issuer, _claims(issuer, "exp")),
    "not valid yet": lambda issuer: _signed(issuer, _claims(issuer, nbf=int(time.time()) + HOUR)),
    "of another issuer": _with_claim(iss="https://login.example.com"),
    "for another audience": _with_claim(aud="another-app"),
    "for no audience": lambda issuer: _signed(issuer, _claims(issuer, "aud")),
    "of nobody": lambda issuer: _signed(issuer, _claims(issuer, "sub")),
    "of an empty user": _with_claim(sub=""),
    "of a blank user": _with_claim(sub=" "),
    "of a user with NUL": _with_claim(sub="alice\x00"),
    "of a user too long": _with_claim(sub="x" * 256),
    "an ID token by its use": _with_claim(token_use="id"),
    "an ID token by its type": _with_claim(typ="ID"),
    "a refresh token": _with_claim(typ="Refresh"),
    "a logout token": lambda issuer: _signed(issuer, _claims(issuer), typ="logout+jwt"),
}
"""None of them is let in anywhere but where everybody is."""
