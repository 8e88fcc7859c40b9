"""How the requests to Powens are repeated, how long they wait, and what their errors say."""

import logging
import traceback
import urllib.request
from urllib.parse import urlsplit

import pytest
import requests
from requests.cookies import create_cookie

from shared.adapters.powens.transport import LONGEST_WAIT_SECONDS
from shared.domain.errors import (
    AppError,
    Misconfigured,
    PowensRefused,
    PowensUnavailable,
)
from tests.ibans import iban
from tests.worlds.powens.wire import (
    API,
    OK_ACCOUNTS,
    OK_CONNECTION,
    REFUSED_TOKEN,
    RENEWED,
    Answer,
    account_json,
    accounts_json,
    connection_json,
    powens,
    read,
)

FAULTS: list[Answer | Exception] = [
    Answer(408),
    Answer(425),
    Answer(429, {"code": "tooManyRequests"}),
    Answer(500, b"<html>sorry</html>"),
    Answer(502),
    Answer(503, {"code": "maintenance"}),
    Answer(302, b"", {"Location": "https://evil.example/"}),
    Answer(307, b"", {"Location": f"{API}/elsewhere"}),
    requests.ConnectTimeout("slow"),
    requests.ReadTimeout("slow"),
    requests.ConnectionError("cut"),
    requests.exceptions.ChunkedEncodingError("cut in the middle"),
    Answer(200, b""),
    Answer(204, b""),
    Answer(200, b"<html>hello</html>"),
    Answer(200, b"\xff\xfe\xfd"),
    Answer(200, b"[" * 100_000),
    Answer(200, []),
    Answer(200, "text"),
    Answer(200, None),
]


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_a_fault_of_powens_is_temporary_and_tried_three_times_at_most(fault: Answer | Exception) -> None:
    scene = powens(fault, fault, fault)
    with pytest.raises(PowensUnavailable):
        read(scene)
    assert 1 <= len(scene.wire.sent) <= 3
    assert all(urlsplit(sent.url).hostname == "acme.biapi.pro" for sent in scene.wire.sent)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != Answer(204, b"")], ids=repr)
def test_a_read_outlives_two_faults(fault: Answer | Exception) -> None:
    scene = powens(fault, fault, OK_CONNECTION, OK_ACCOUNTS)
    read(scene)
    assert scene.slept == [0.125, 0.5]


@pytest.mark.parametrize(("jitter", "slept"), [(0.0, [0, 0]), (0.5, [0.125, 0.5]), (0.999, [0.24975, 0.999])])
def test_the_wait_between_attempts_is_fully_jittered(jitter: float, slept: list[float]) -> None:
    scene = powens(Answer(503), Answer(503), OK_CONNECTION, OK_ACCOUNTS)
    scene.jitter = jitter
    read(scene)
    assert scene.slept == pytest.approx(slept)


@pytest.mark.parametrize("header", ["3", " 3 ", "Thu, 05 Mar 2026 10:00:03 GMT", "Thu, 05 Mar 2026 10:00:03 -0000"])
def test_powens_says_how_long_to_wait(header: str) -> None:
    scene = powens(Answer(429, {}, {"Retry-After": header}), OK_CONNECTION, OK_ACCOUNTS)
    read(scene)
    assert scene.slept == [3.0]


@pytest.mark.parametrize("header", ["0", "Thu, 05 Mar 2020 10:00:03 GMT", "soon", "-5", "²", ""])
def test_a_wait_that_is_over_or_unreadable_leaves_our_own(header: str) -> None:
    scene = powens(Answer(429, {}, {"Retry-After": header}), OK_CONNECTION, OK_ACCOUNTS)
    read(scene)
    assert scene.slept == [0.125]


@pytest.mark.parametrize(("header", "seconds"), [("60", 60), ("999999999", 86_400)])
def test_a_long_wait_is_left_to_the_queue(header: str, seconds: float) -> None:
    assert seconds > LONGEST_WAIT_SECONDS
    scene = powens(Answer(503, {}, {"Retry-After": header}))
    with pytest.raises(PowensUnavailable) as caught:
        read(scene)
    assert caught.value.retry_after == seconds
    assert scene.slept == []


def test_no_wait_goes_beyond_the_time_that_is_left() -> None:
    scene = powens(Answer(429, {}, {"Retry-After": "4"}), remaining=4.5)
    with pytest.raises(PowensUnavailable) as caught:
        read(scene)
    assert caught.value.retry_after == 4
    assert scene.slept == []


def test_no_request_leaves_when_no_time_is_left() -> None:
    scene = powens(remaining=1.0)
    with pytest.raises(PowensUnavailable, match="no time left"):
        read(scene)
    assert scene.wire.sent == []


@pytest.mark.parametrize(("remaining", "timeout"), [(60.0, (3.0, 10.0)), (9.0, (2.0, 6.0)), (1.4, (0.1, 0.3))])
def test_every_request_has_timeouts_that_fit_the_time_left(remaining: float, timeout: tuple[float, float]) -> None:
    scene = powens(OK_CONNECTION, OK_ACCOUNTS, remaining=remaining)
    read(scene)
    for sent in scene.wire.sent:
        assert sent.timeout == pytest.approx(timeout)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"code": "invalidValue"}, "invalidValue"),
        ({"code": "Bank says: 42 €"}, None),
        ({"code": "x" * 41}, None),
        ({"code": 7}, None),
        ([], None),
        (b"<html>", None),
    ],
)
def test_a_refusal_keeps_the_code_and_nothing_else(body: object, code: str | None) -> None:
    with pytest.raises(PowensRefused) as caught:
        read(powens(Answer(400, body)))
    assert (caught.value.status, caught.value.powens_code) == (400, code)


@pytest.mark.parametrize("api_url", ["acme.biapi.pro/2.0", "nowhere://acme", "https://"])
def test_an_unusable_address_is_for_an_operator(api_url: str) -> None:
    with pytest.raises(Misconfigured):
        read(powens(api_url=api_url))


def test_a_token_that_fits_no_header_is_for_an_operator_and_stays_out_of_the_trace() -> None:
    scene = powens()
    unusable = "tok_\n" + "hidden".upper()
    with pytest.raises(Misconfigured) as caught:
        scene.client.as_user(41, unusable, scene.renewed.append).read_connection(77)
    assert "HIDDEN" not in "".join(traceback.format_exception(caught.value))


SECRETS = ("tok_A", "tok_B", "s3cret", "HIDDEN", iban(112), "3002900000")


@pytest.mark.parametrize(
    "script",
    [
        [Answer(400, {"code": "bankMessage", "description": "HIDDEN", "message": "HIDDEN"})],
        [Answer(404, {"code": "notFound", "description": "HIDDEN"})],
        [Answer(409, {"code": "connectionLocked", "description": "HIDDEN"})],
        [REFUSED_TOKEN, RENEWED, Answer(401, {"description": "HIDDEN"})],
        [Answer(body=connection_json(id="HIDDEN")), OK_ACCOUNTS],
        [OK_CONNECTION, Answer(body=accounts_json(account_json(), _links={"next": {"href": ["HIDDEN"]}}))],
        [Answer(200, b"HIDDEN")] * 3,
    ],
)
def test_no_error_and_no_log_shows_a_secret_or_a_text_of_powens(
    script: list[Answer | Exception], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(AppError) as caught:
        read(powens(*script))
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert not [secret for secret in SECRETS if secret in shown]


def test_a_cookie_set_for_one_user_is_not_kept_for_the_next() -> None:
    jar = powens().session.cookies
    cookie = create_cookie("session", "of one user", domain="acme.biapi.pro")  # type: ignore[no-untyped-call]
    jar.set_cookie_if_ok(cookie, urllib.request.Request(API))
    assert len(jar) == 0
    plain = requests.Session().cookies
    plain.set_cookie_if_ok(cookie, urllib.request.Request(API))
    assert len(plain) == 1


def test_the_environment_can_neither_reroute_nor_replace_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    scene = powens(OK_CONNECTION, OK_ACCOUNTS)
    read(scene)
    assert {sent.token for sent in scene.wire.sent} == {"Bearer tok_A"}
