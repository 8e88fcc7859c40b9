"""The offline system's identity provider: signs tokens for demo users, publishes its key like any OpenID issuer."""

import base64
import datetime as dt
import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

AUDIENCE = "synced-accounts"
LIFETIME = dt.timedelta(hours=1)
DEMO_USERS = {"alice": "Alice", "bob": "Bob", "carol": "Carol"}


class Issuer:
    """`url` is the issuer's name and address; the key is made on first use and kept in `key_file`."""

    def __init__(self, url: str, key_file: Path) -> None:
        self.url = url
        self._key = _key(key_file)
        numbers = self._key.public_key().public_numbers()
        self._public = {"kty": "RSA", "use": "sig", "alg": "RS256", "n": _number(numbers.n), "e": _number(numbers.e)}
        thumbprint = json.dumps({name: self._public[name] for name in ("e", "kty", "n")}, separators=(",", ":"))
        self.key_id = _encoded(hashlib.sha256(thumbprint.encode()).digest())

    def token(self, user: str, *, now: dt.datetime | None = None, **claims: Any) -> tuple[str, dt.datetime]:
        """A bearer token for this user id, and when it expires."""
        issued = now or dt.datetime.now(dt.UTC)
        expires = (issued + LIFETIME).replace(microsecond=0)
        payload = {
            "iss": self.url,
            "sub": user,
            "aud": AUDIENCE,
            "iat": issued,
            "nbf": issued,
            "exp": expires,
            "jti": str(uuid.uuid4()),
            **claims,
        }
        return jwt.encode(payload, self._key, algorithm="RS256", headers={"kid": self.key_id}), expires

    @property
    def key_set(self) -> dict[str, Any]:
        return {"keys": [{**self._public, "kid": self.key_id}]}

    @property
    def configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/.well-known/jwks.json",
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["token"],
            "subject_types_supported": ["public"],
        }


def _key(file: Path) -> rsa.RSAPrivateKey:
    if not file.exists():
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        text = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        # Made aside and linked, so that two launchers starting together end up with one key.
        aside = file.with_name(f"{file.name}.{uuid.uuid4().hex}")
        aside.touch(mode=0o600)
        aside.write_bytes(text)
        try:
            file.hardlink_to(aside)
        except FileExistsError:
            return _key(file)
        finally:
            aside.unlink()
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"{file} holds no RSA key")
    return key


def _number(value: int) -> str:
    return _encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
