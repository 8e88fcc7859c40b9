"""Section 4.3 of the README: the HMAC signature of webhooks."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powens_sandbox.webhooks.signature import sign

VECTORS = [
    (
        "/webhooks/powens/account-enabled",
        "2026-03-05T09:41:07.120394Z",
        '{"id":912,"id_user":41,"id_connection":77,"disabled":null,"id_webhook_data":5001}',
        "qi/nKryyvvlKMkNpcU0DfmVYzCIYFWvhx0I56FLkbs4=",
    ),
    (
        "/webhooks/powens/connection-deleted",
        "2026-03-05T09:41:08.000001Z",
        '{"id":77,"id_user":41,"note":"déjà","id_webhook_data":5002}',
        "nRR5HvJilaAzqHzDS1IUcgO6Zi2iqbAKh9BtYSOZO0E=",
    ),
]


@pytest.mark.parametrize(("path", "date", "body", "expected"), VECTORS)
def test_the_known_signatures_are_reproduced(path: str, date: str, body: str, expected: str) -> None:
    assert sign("sim-secret-0001", "POST", path, date, body.encode()) == expected


@pytest.mark.parametrize(("path", "date", "body", "expected"), VECTORS)
def test_any_change_gives_another_signature(path: str, date: str, body: str, expected: str) -> None:
    raw = body.encode()
    assert sign("sim-secret-0002", "POST", path, date, raw) != expected
    assert sign("sim-secret-0001", "PUT", path, date, raw) != expected
    assert sign("sim-secret-0001", "POST", path + "/", date, raw) != expected
    assert sign("sim-secret-0001", "POST", path, date[:-1], raw) != expected
    assert sign("sim-secret-0001", "POST", path, date, raw + b" ") != expected


@given(secret=st.text(min_size=1), body=st.binary())
def test_a_receiver_that_knows_the_rule_accepts_every_signature(secret: str, body: bytes) -> None:
    try:
        key = secret.encode()
    except UnicodeEncodeError:
        return
    text = b"POST./hook.2026-01-01T00:00:00.000000Z." + body
    expected = base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode()
    assert sign(secret, "post", "/hook", "2026-01-01T00:00:00.000000Z", body) == expected
