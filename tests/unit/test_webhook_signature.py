"""What proves that Powens sent a webhook, and whom a body is about."""

import base64
import gzip
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import webhooks
from shared.domain.errors import BadSignature
from shared.webhooks import About, Unusable, about, secrets_from, verified_body

KEY = "sim-secret-0001"
PATH = "/webhooks/powens/account-enabled"
DATE = "2026-03-05T09:41:07.120394Z"
BODY = b'{"id":912,"id_user":41,"id_connection":77,"disabled":null,"id_webhook_data":5001}'
SIGNATURE = "qi/nKryyvvlKMkNpcU0DfmVYzCIYFWvhx0I56FLkbs4="
NOW = datetime(2026, 3, 5, 9, 41, 8, tzinfo=UTC)
WEEK = timedelta(days=7)


def sign(body: bytes, *, key: str = KEY, method: str = "POST", path: str = PATH, date: str = DATE) -> str:
    said = f"{method}.{path}.{date}.".encode() + body
    return base64.b64encode(hmac.new(key.encode(), said, hashlib.sha256).digest()).decode()


def verify(
    body: bytes = BODY,
    *,
    signature: str = SIGNATURE,
    date: str = DATE,
    method: str = "POST",
    path: str = PATH,
    secrets: tuple[str, ...] = (KEY,),
    now: datetime = NOW,
    query: str = "",
    more: Mapping[str, str] | None = None,
) -> bytes:
    headers = {"bi-signature": signature, "bi-signature-date": date, **(more or {})}
    return verified_body(
        secrets=secrets,
        method=method,
        path=path,
        headers=headers,
        body=body,
        now=now,
        tolerance=WEEK,
        query=query,
    )


@pytest.mark.parametrize(
    ("path", "date", "body", "signature"),
    [
        (PATH, DATE, BODY, SIGNATURE),
        (
            "/webhooks/powens/connection-deleted",
            "2026-03-05T09:41:08.000001Z",
            '{"id":77,"id_user":41,"note":"déjà","id_webhook_data":5002}'.encode(),
            "nRR5HvJilaAzqHzDS1IUcgO6Zi2iqbAKh9BtYSOZO0E=",
        ),
    ],
)
def test_the_known_signatures_are_good(path: str, date: str, body: bytes, signature: str) -> None:
    assert verify(body, path=path, date=date, signature=signature) == body


def test_header_names_come_in_any_case() -> None:
    headers = {"Bi-Signature": SIGNATURE, "BI-SIGNATURE-DATE": DATE}
    assert (
        verified_body(secrets=(KEY,), method="POST", path=PATH, headers=headers, body=BODY, now=NOW, tolerance=WEEK)
        == BODY
    )


@pytest.mark.parametrize("signed", [PATH, f"{PATH}?domain=acme&x=%2F"])
def test_a_query_of_the_address_may_be_signed_or_not(signed: str) -> None:
    query = "domain=acme&x=%2F"
    assert verify(query=query, signature=sign(BODY, path=signed)) == BODY
    packed = gzip.compress(BODY)
    for what in (packed, BODY):
        signature = sign(what, path=signed, key="previous")
        more = {"Content-Encoding": "gzip"}
        assert verify(packed, query=query, signature=signature, secrets=(KEY, "previous"), more=more) == BODY


@pytest.mark.parametrize("query", ["", "domain=other"])
def test_another_query_than_the_signed_one_is_refused(query: str) -> None:
    with pytest.raises(BadSignature):
        verify(query=query, signature=sign(BODY, path=f"{PATH}?domain=acme"))


@pytest.mark.parametrize("key", ["current", "previous"])
def test_both_secrets_are_good_while_they_change(key: str) -> None:
    assert verify(signature=sign(BODY, key=key), secrets=("current", "previous")) == BODY


REFUSALS: dict[str, dict[str, str | bytes | tuple[str, ...]]] = {
    "no signature": {"signature": ""},
    "no date": {"date": ""},
    "no secret": {"secrets": ()},
    "another secret": {"secrets": ("sim-secret-0002",)},
    "another body": {"body": BODY + b" "},
    "an empty body": {"body": b""},
    "another path": {"path": PATH + "/"},
    "another event": {"path": "/webhooks/powens/account-disabled"},
    "another method": {"method": "PUT"},
    "another date": {"date": "2026-03-05T09:41:07.120395Z"},
    "part of the signature": {"signature": SIGNATURE[:-4]},
    "the signature without padding": {"signature": SIGNATURE.rstrip("=")},
    "the signature twice": {"signature": f"{SIGNATURE},{SIGNATURE}"},
    "no base64": {"signature": "é" * 44},
    "a lone surrogate": {"signature": "\ud800", "date": "\ud800"},
    "the hexadecimal form": {"signature": base64.b64decode(SIGNATURE).hex()},
}


@pytest.mark.parametrize("change", REFUSALS.values(), ids=REFUSALS.keys())
def test_whatever_powens_did_not_sign_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(BadSignature) as caught:
        verify(**change)  # type: ignore[arg-type]  # each case has its own parameter
    assert caught.value.code == "bad_signature"


UNCOMPRESSED = st.binary().filter(lambda body: not body.startswith(b"\x1f\x8b"))


@settings(deadline=None)  # the machine may be busy
@given(UNCOMPRESSED, UNCOMPRESSED)
def test_a_signature_is_good_for_its_own_body_only(body: bytes, other: bytes) -> None:
    assert verify(body, signature=sign(body)) == body
    if other != body:
        with pytest.raises(BadSignature):
            verify(other, signature=sign(body))


@pytest.mark.parametrize("age", [timedelta(0), WEEK, -timedelta(minutes=5)])
def test_a_retried_delivery_and_a_clock_ahead_are_tolerated(age: timedelta) -> None:
    signed_at = datetime(2026, 3, 5, 9, 41, 7, 120394, tzinfo=UTC)
    assert verify(now=signed_at + age) == BODY


@pytest.mark.parametrize("age", [WEEK + timedelta(seconds=1), timedelta(days=3650), -timedelta(minutes=5, seconds=1)])
def test_an_old_or_future_signature_is_stale(age: timedelta) -> None:
    signed_at = datetime(2026, 3, 5, 9, 41, 7, 120394, tzinfo=UTC)
    with pytest.raises(BadSignature) as caught:
        verify(now=signed_at + age)
    assert caught.value.code == "stale_signature"


def test_a_forged_signature_is_not_told_whether_it_is_stale() -> None:
    with pytest.raises(BadSignature) as caught:
        verify(signature=sign(BODY, key="guess"), now=NOW + WEEK + WEEK)
    assert caught.value.code == "bad_signature"


@pytest.mark.parametrize(
    ("date", "good"),
    [
        ("2026-03-05T09:41:07", True),
        ("2026-03-05T10:41:07+01:00", True),
        ("Thu, 05 Mar 2026 09:41:07 GMT", False),
        ("yesterday", False),
        ("1772703667", False),
    ],
)
def test_a_signed_date_has_to_be_a_date(date: str, good: bool) -> None:
    signature = sign(BODY, date=date)
    if good:
        assert verify(date=date, signature=signature) == BODY
    else:
        with pytest.raises(BadSignature):
            verify(date=date, signature=signature)


GZIP = {"Content-Encoding": "GZIP"}
PACKED = gzip.compress(BODY, mtime=0)


@pytest.mark.parametrize("signed", [BODY, PACKED], ids=["before compression", "after compression"])
def test_a_compressed_body_may_be_signed_before_or_after(signed: bytes) -> None:
    assert verify(PACKED, signature=sign(signed), more=GZIP) == BODY


@pytest.mark.parametrize("wire", [PACKED, PACKED[:-9], b"no gzip", b""])
def test_a_compressed_body_signed_by_nobody_is_refused(wire: bytes) -> None:
    with pytest.raises(BadSignature):
        verify(wire, signature=sign(b"another"), more=GZIP)


@pytest.mark.parametrize("wire", [PACKED[:-9], PACKED[:12]])
def test_a_signed_body_that_cannot_be_decompressed_is_unusable(wire: bytes) -> None:
    with pytest.raises(Unusable):
        verify(wire, signature=sign(wire), more=GZIP)


@pytest.mark.parametrize("more", [GZIP, {}], ids=["header left on", "no header"])
def test_a_body_that_was_inflated_on_the_way_is_read_as_it_is(more: dict[str, str]) -> None:
    assert verify(BODY, signature=sign(BODY), more=more) == BODY
    with pytest.raises(BadSignature):
        verify(BODY, signature=sign(PACKED), more=more)


@pytest.mark.parametrize("signed", [BODY, PACKED], ids=["before compression", "after compression"])
def test_a_body_whose_header_was_taken_off_on_the_way_is_inflated(signed: bytes) -> None:
    assert verify(PACKED, signature=sign(signed)) == BODY


@pytest.mark.parametrize("signed_before", [True, False])
def test_a_signed_body_that_is_too_large_is_unusable_and_not_forged(
    signed_before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "LARGEST_BODY_BYTES", 1000)
    monkeypatch.setattr(webhooks, "_CHUNK_BYTES", 100)
    plain = b"x" * 1001
    wire = gzip.compress(plain)
    with pytest.raises(Unusable, match="too large"):
        verify(wire, signature=sign(plain if signed_before else wire), more=GZIP)
    exact = gzip.compress(b"x" * 1000)
    assert verify(exact, signature=sign(exact), more=GZIP) == b"x" * 1000


def test_a_bomb_is_decompressed_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "LARGEST_BODY_BYTES", 1000)
    monkeypatch.setattr(webhooks, "LARGEST_CHECKED_BYTES", 2000)
    monkeypatch.setattr(webhooks, "_CHUNK_BYTES", 100)
    plain = b"x" * 100_000
    with pytest.raises(BadSignature):
        verify(gzip.compress(plain), signature=sign(plain), more=GZIP)


def test_an_unsigned_bomb_is_decompressed_to_a_small_multiple_of_what_came(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = 0
    update = webhooks._Signatures.update

    def counted(signatures: webhooks._Signatures, data: bytes) -> None:
        nonlocal hashed
        hashed += len(data)
        update(signatures, data)

    monkeypatch.setattr(webhooks._Signatures, "update", counted)
    bomb = gzip.compress(bytes(16_000_000))
    with pytest.raises(BadSignature):
        verify(bomb, signature=sign(b"another"), more=GZIP)
    assert hashed < (webhooks.MOST_INFLATION + 2) * len(bomb)


def test_what_powens_signed_as_sent_may_shrink_as_far_as_it_likes() -> None:
    wire = gzip.compress(bytes(16_000_000))
    assert len(verify(wire, signature=sign(wire), more=GZIP)) == 16_000_000


def test_a_body_signed_before_it_shrank_to_a_fortieth_is_read() -> None:
    plain = b"".join(b"%06d%s" % (number, b"x" * 120) for number in range(20_000))
    wire = gzip.compress(plain)
    assert 40 < len(plain) / len(wire) < webhooks.MOST_INFLATION
    assert verify(wire, signature=sign(plain), more=GZIP) == plain


@pytest.mark.parametrize(
    ("setting", "secrets"),
    [
        ('{"current": "a", "previous": "b"}', ("a", "b")),
        ('{"current": "a", "previous": null}', ("a",)),
        ('{"current": "a", "previous": ""}', ("a",)),
        ('{"current": "a"}', ("a",)),
        ('{"current": "", "previous": "b"}', ()),
        ('{"current": "  "}', ()),
        ('{"current": 5}', ()),
        ('{"previous": "b"}', ()),
        ('["a"]', ()),
        ('"a"', ()),
        ("a", ()),
        ("", ()),
        ("{{resolve:secretsmanager:synced-accounts/dev/webhook}}", ()),
    ],
)
def test_a_setting_without_current_secret_holds_none(setting: str, secrets: tuple[str, ...]) -> None:
    assert secrets_from(setting) == secrets


ACCOUNT = {"id": 912, "id_user": 41, "id_connection": 77, "disabled": None}
USER = {"id": 41, "signin": "2026-03-01 10:22:31"}
CONNECTION = {"id": 77, "id_user": 41, "state": None, "connector": {"id": 40}, "accounts": [ACCOUNT]}

SHAPES: list[tuple[str, object, About]] = [
    ("user-deleted", USER, About(41, None)),
    ("user-synced", {"user": USER, "connections": [CONNECTION]}, About(41, 77)),
    ("user-synced", {"user": USER, "connections": [CONNECTION, CONNECTION | {"id": 78}]}, About(41, None)),
    ("user-synced", {"user": USER, "connections": []}, About(41, None)),
    ("connection-synced", {"user": USER, "connection": CONNECTION, "subscriptions": []}, About(41, 77)),
    ("connection-synced", {"connection": CONNECTION}, About(41, 77)),
    ("connection-synced", {"user": USER}, About(41, None)),
    ("connection-synced", {"user": USER, "connection": CONNECTION | {"accounts": []}}, About(41, 77)),
    ("connection-deleted", {"id": 77, "id_user": 41}, About(41, 77)),
    ("connection-deleted", {"user": USER, "connection": CONNECTION}, About(41, 77)),
    ("accounts-fetched", {"user": USER, "connection": CONNECTION}, About(41, 77)),
    ("account-synced", ACCOUNT | {"transactions": [{"id": 5}], "investments": []}, About(41, 77)),
    ("account-found", ACCOUNT, About(41, 77)),
    ("account-enabled", ACCOUNT, About(41, 77)),
    ("account-disabled", ACCOUNT | {"id_connection": None}, About(41, None)),
    ("account-categorized", {"transactions": [ACCOUNT, {"id": 5}, "text"]}, About(41, 77)),
    ("account-ownerships-found", {"account_ownerships": [{"id_user": 41, "id_connection": 77}]}, About(41, 77)),
    ("account-ownerships-found", {"account_ownerships": [ACCOUNT, ACCOUNT | {"id_connection": 78}]}, About(41, None)),
    ("unknown", ACCOUNT, About(41, 77)),
    ("unknown", {"user": USER, "connection": CONNECTION}, About(41, 77)),
]


@pytest.mark.parametrize(("event", "root", "whom"), SHAPES)
def test_every_documented_shape_names_its_user_and_connection(event: str, root: object, whom: About) -> None:
    assert about(event, json.dumps(root).encode()) == whom


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ("account-enabled", b""),
        ("account-enabled", b"<html>"),
        ("account-enabled", b"\xff\xfe\xfd"),
        ("account-enabled", b"[" * 100_000),
        ("account-enabled", b"[]"),
        ("account-enabled", b"null"),
        ("account-enabled", b"{}"),
        ("account-enabled", b'{"id": 912}'),
        ("account-enabled", b'{"id_user": "41"}'),
        ("account-enabled", b'{"id_user": true}'),
        ("account-enabled", b'{"id_user": 0}'),
        ("account-enabled", b'{"id_user": 41.0}'),
        ("user-deleted", b'{"id": null}'),
        ("account-categorized", b"<html>"),
        ("account-categorized", b"[]"),
        ("account-synced", b'{"transactions": [{"id": 5, "id_account": 912}]}'),
        ("account-ownerships-found", b'{"account_ownerships": [{"id_user": 41}, {"id_user": 42}]}'),
        ("unknown", b'{"id": 41, "signin": "2026-03-01 10:22:31"}'),
    ],
)
def test_a_body_that_names_nobody_is_unusable(event: str, body: bytes) -> None:
    with pytest.raises(Unusable):
        about(event, body)


@pytest.mark.parametrize("transactions", [[{"id": 5, "id_account": 912}], [], {}])
def test_categorised_transactions_that_name_nobody_ask_for_nothing(transactions: object) -> None:
    assert about("account-categorized", json.dumps({"transactions": transactions}).encode()) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "id_user", "id_connection", "user", "connection", "accounts"]), inner)
    ),
    max_leaves=8,
)


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from([*sorted(webhooks.EVENTS_WITH_HINT), "unknown"]), JSON)
def test_any_body_names_a_user_by_number_or_is_unusable(event: str, root: object) -> None:
    try:
        whom = about(event, json.dumps(root).encode())
    except Unusable:
        return
    if whom is None:
        assert event == "account-categorized"
        return
    assert type(whom.user_id) is int
    assert whom.user_id >= 1
    assert whom.connection_id is None or (type(whom.connection_id) is int and whom.connection_id >= 1)
