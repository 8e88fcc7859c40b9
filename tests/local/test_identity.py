"""Demo tokens are what any OpenID issuer gives out."""

import datetime as dt
import stat
from pathlib import Path

import jwt
import pytest

from local.identity import AUDIENCE, Issuer


def test_a_token_is_verified_with_the_published_key_alone(tmp_path: Path) -> None:
    issuer = Issuer("http://localhost:8080", tmp_path / "issuer.pem")
    token, expires = issuer.token("alice")
    (key,) = issuer.key_set["keys"]
    claims = jwt.decode(token, jwt.PyJWK.from_dict(key), ["RS256"], audience=AUDIENCE, issuer=issuer.url)
    assert (claims["sub"], claims["exp"]) == ("alice", int(expires.timestamp()))
    assert jwt.get_unverified_header(token)["kid"] == key["kid"]
    assert not {"d", "p", "q"} & set(key)
    assert expires - dt.datetime.now(dt.UTC) > dt.timedelta(minutes=55)


def test_the_key_is_kept_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "state" / "issuer.pem"
    first, second = Issuer("http://a.example", file), Issuer("http://b.example", file)
    assert first.key_set == second.key_set
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    file = tmp_path / "issuer.pem"
    private = ec.generate_private_key(ec.SECP256R1())
    file.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    with pytest.raises(TypeError, match="no RSA key"):
        Issuer("http://localhost:8080", file)


def test_the_configuration_names_the_key_set(tmp_path: Path) -> None:
    issuer = Issuer("http://localhost:8080", tmp_path / "issuer.pem")
    assert issuer.configuration["issuer"] == "http://localhost:8080"
    assert issuer.configuration["jwks_uri"] == "http://localhost:8080/.well-known/jwks.json"
