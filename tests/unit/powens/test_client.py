"""Users and tokens, institutions, logos and the Webview: what the Powens client sends and raises."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from shared.adapters.powens.transport import ATTEMPTS
from shared.domain.errors import (
    Misconfigured,
    NotFound,
    PowensNotFound,
    PowensRefused,
    PowensThrottled,
    PowensUnavailable,
    PowensUserGone,
)
from tests.worlds.powens.wire import API, REFUSED_TOKEN, RENEWED, Answer, Powens, powens, read


def test_a_temporary_user_is_created_without_credentials() -> None:
    scene = powens(Answer(body={"auth_token": "tok+/=", "type": "temporary", "id_user": 41, "expires_in": 1800}))
    user = scene.client.create_temporary_user()
    assert (user.id_user, user.token) == (41, "tok+/=")
    assert scene.wire.lines == ["POST /auth/init"]
    assert scene.wire.sent[0].body == {}
    assert scene.wire.sent[0].token is None
    assert "tok+/=" not in repr(user)


@pytest.mark.parametrize("form", ["access_token", "token"])
def test_a_temporary_token_is_made_permanent_by_both_documented_answers(form: str) -> None:
    scene = powens(Answer(body={form: "tok_P", "token_type": "Bearer"}))
    assert scene.client.make_permanent("tok_T") == "tok_P"
    assert scene.wire.lines == ["POST /auth/token/access"]
    assert scene.wire.sent[0].body == {
        "client_id": "12345",
        "client_secret": "s3cret",
        "grant_type": "authorization_code",
        "code": "tok_T",
    }


def test_a_token_is_renewed_for_the_user_that_exists() -> None:
    scene = powens(RENEWED)
    assert scene.client.renew(41) == "tok_B"
    assert scene.wire.lines == ["POST /auth/renew"]
    assert scene.wire.sent[0].body == {
        "client_id": "12345",
        "client_secret": "s3cret",
        "grant_type": "client_credentials",
        "id_user": 41,
    }


def test_a_renewal_without_a_user_is_not_even_sent() -> None:
    scene = powens()
    with pytest.raises(ValueError, match="id_user"):
        scene.client.renew(0)
    assert scene.wire.sent == []


CREDENTIALED: list[Callable[[Powens], object]] = [
    lambda scene: scene.client.create_temporary_user(),
    lambda scene: scene.client.make_permanent("tok_T"),
    lambda scene: scene.client.renew(41),
]


@pytest.mark.parametrize("call", CREDENTIALED)
@pytest.mark.parametrize("status", [401, 403])
def test_refused_client_credentials_are_for_an_operator(call: Callable[[Powens], object], status: int) -> None:
    with pytest.raises(Misconfigured):
        call(powens(*[Answer(status, {"code": "unauthorized"})] * 2))


@pytest.mark.parametrize("call", CREDENTIALED)
@pytest.mark.parametrize(
    "fault", [requests.ReadTimeout("slow"), requests.ConnectionError("cut"), Answer(500), Answer(body=b"")]
)
def test_what_creates_users_or_tokens_is_not_repeated_when_it_may_have_been_done(
    call: Callable[[Powens], object], fault: Answer | Exception
) -> None:
    scene = powens(fault)
    with pytest.raises(PowensUnavailable):
        call(scene)
    assert len(scene.wire.sent) == 1
    assert scene.slept == []


@pytest.mark.parametrize("call", CREDENTIALED)
def test_what_creates_users_or_tokens_is_repeated_when_powens_was_asked_too_much_to_do_it(
    call: Callable[[Powens], object],
) -> None:
    scene = powens(*[Answer(429, headers={"Retry-After": "1"})] * ATTEMPTS)
    with pytest.raises(PowensThrottled):
        call(scene)
    assert (len(scene.wire.sent), scene.slept) == (ATTEMPTS, [1.0] * (ATTEMPTS - 1))


@pytest.mark.parametrize("call", CREDENTIALED)
@pytest.mark.parametrize("body", [{}, {"access_token": 7}, {"access_token": "two words"}, {"id_user": True}, []])
def test_an_answer_without_token_is_no_answer(call: Callable[[Powens], object], body: object) -> None:
    with pytest.raises(PowensUnavailable):
        call(powens(Answer(body=body)))


def test_an_unknown_user_is_not_taken_for_a_connection_that_is_gone() -> None:
    with pytest.raises(PowensRefused) as caught:
        read(powens(REFUSED_TOKEN, Answer(404, {"code": "notFound"})))
    assert not isinstance(caught.value, PowensNotFound)
    assert (caught.value.status, caught.value.powens_code) == (404, "notFound")


TEMPORARY = Answer(body={"auth_token": "tok_T", "type": "temporary", "id_user": 42})
GONE_LINES = ["POST /auth/renew", "POST /auth/init", "POST /auth/token/access", "DELETE /users/42"]


@pytest.mark.parametrize(
    "answer", [Answer(400, {}), Answer(403, {}), Answer(404, b"<html>"), Answer(409, {})], ids=repr
)
def test_a_user_is_gone_when_our_credentials_are_taken_for_another_one(answer: Answer) -> None:
    scene = powens(REFUSED_TOKEN, answer, TEMPORARY, RENEWED, Answer(204))
    with pytest.raises(PowensUserGone):
        read(scene)
    assert scene.wire.lines[1:] == GONE_LINES
    assert scene.wire.sent[-1].token == "Bearer tok_B"


@pytest.mark.parametrize(
    "answer", [Answer(400, {}), Answer(403, {}), Answer(404, b"<html>"), Answer(409, {})], ids=repr
)
@pytest.mark.parametrize("witness", [[Answer(403, {})], [Answer(400, {})], [TEMPORARY, Answer(403, {})]], ids=repr)
def test_refused_credentials_never_look_like_a_user_who_is_gone(answer: Answer, witness: list[Answer]) -> None:
    with pytest.raises(Misconfigured):
        read(powens(REFUSED_TOKEN, answer, *witness))


def test_nobody_is_gone_while_powens_cannot_be_asked_for_another_user() -> None:
    with pytest.raises(PowensUnavailable):
        read(powens(REFUSED_TOKEN, Answer(403, {}), Answer(503)))


def test_another_refusal_of_a_renewal_is_about_no_user() -> None:
    scene = powens(REFUSED_TOKEN, Answer(422, {}))
    with pytest.raises(Misconfigured):
        read(scene)
    assert len(scene.wire.sent) == 2


def test_the_catalogue_is_public() -> None:
    connector = {"uuid": "u-1", "name": "Banque", "hidden": None, "restricted": True, "capabilities": ["bank", 5]}
    sources = [{"name": "openapi", "account_types": ["checking", "card"]}, {"name": "directaccess"}]
    scene = powens(Answer(body={"connectors": [connector, connector | {"uuid": "u-2", "sources": sources}]}))
    (first, second), unreadable = scene.client.institutions()
    assert unreadable == 0
    assert scene.wire.lines == ["GET /connectors?expand=sources,countries&limit=1000"]
    assert scene.wire.sent[0].token is None
    assert (first.institution.id, first.institution.name, first.hidden, first.restricted) == (
        "u-1",
        "Banque",
        False,
        True,
    )
    assert first.institution.logo_url == f"{API}/logos/u-1-thumbnail@2x.png"
    assert first.institution.capabilities == {"bank"}
    assert first.account_types == frozenset()
    assert second.account_types == {"checking", "card"}


def test_a_connector_that_cannot_be_read_is_counted_and_takes_no_other_with_it() -> None:
    listed = [{"name": "Banque"}, {"uuid": "u-1", "name": "Autre"}, {"uuid": "u-2", "name": "Mal", "sources": {}}, 7]
    scene = powens(Answer(body={"connectors": listed}))
    entries, unreadable = scene.client.institutions()
    assert [entry.institution.id for entry in entries] == ["u-1", "u-2"]
    assert unreadable == 2
    assert scene.unreadable == ["connector.sources"]


def test_a_connector_says_its_products_countries_and_which_sources_are_switched_off() -> None:
    connector = {
        "uuid": "u-1",
        "name": "Banque",
        "products": ["bank", "wealth"],
        "countries": [{"id": "FR", "name": "France"}, {"id": "BE"}],
        "sources": [{"name": "openapi", "disabled": None}, {"name": "directaccess", "disabled": "2026-01-01 10:00:00"}],
    }
    ((entry,), _) = powens(Answer(body={"connectors": [connector, connector]})).client.institutions()
    assert entry.institution.products == {"bank", "wealth"}
    assert entry.countries == ("BE", "FR")
    assert [(source.name, source.disabled) for source in entry.sources] == [("openapi", False), ("directaccess", True)]


def test_a_refused_public_request_is_for_an_operator() -> None:
    with pytest.raises(Misconfigured):
        powens(Answer(403, {})).client.institutions()


def test_the_webview_address_encodes_everything() -> None:
    url = powens().client.webview_url("manage", "en", "C0de+/with=", "st&te", "https://api.example.com/v1/back", 77)
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "webview.powens.com", "/en/manage")
    assert parse_qs(parts.query) == {
        "domain": ["acme.biapi.pro"],
        "client_id": ["12345"],
        "redirect_uri": ["https://api.example.com/v1/back"],
        "code": ["C0de+/with="],
        "state": ["st&te"],
        "connection_id": ["77"],
    }
    assert "code=C0de%2B%2Fwith%3D" in parts.query


@pytest.mark.parametrize(
    ("language", "segment"), [("fr", "fr"), ("en-GB", "en"), ("DE_de", "de"), ("ja", "fr"), ("", "fr"), ("../x", "fr")]
)
def test_the_webview_address_always_has_a_language(language: str, segment: str) -> None:
    url = powens().client.webview_url("connect", language, "c", "s", "https://api.example.com/back")
    assert urlsplit(url).path == f"/{segment}/connect"


def test_the_connect_flow_opens_no_connection() -> None:
    assert "connection_id" not in powens().client.webview_url("connect", "fr", "c", "s", "https://a.example/b", 77)


def test_the_manage_flow_opens_without_a_connection_too() -> None:
    assert "connection_id" not in powens().client.webview_url("manage", "fr", "c", "s", "https://a.example/b")


def test_the_reconnect_flow_needs_a_connection() -> None:
    with pytest.raises(ValueError, match="connection"):
        powens().client.webview_url("reconnect", "fr", "c", "s", "https://a.example/b")


PNG = b"\x89PNG\r\n\x1a\n" + b"picture"


def test_a_logo_is_fetched_without_a_token_and_without_following_redirects() -> None:
    scene = powens(Answer(body=PNG))
    assert scene.client.logo("338178e6-3d01-564f-9a7b-52ca442459bf") == PNG
    (sent,) = scene.wire.sent
    assert sent.line == "GET /logos/338178e6-3d01-564f-9a7b-52ca442459bf-thumbnail@2x.png"
    assert sent.token is None


@pytest.mark.parametrize(
    "answer",
    [
        Answer(302, b"", {"Location": "http://elsewhere.invalid/"}),
        Answer(body=b"<svg onload=x>"),
        Answer(body=PNG + b"x" * 200_000),
        Answer(500, b""),
        requests.ConnectionError(),
    ],
)
def test_a_logo_that_is_not_a_small_png_is_not_passed_on(answer: Answer | Exception) -> None:
    with pytest.raises(PowensUnavailable):
        powens(answer).client.logo("338178e6")


def test_a_logo_that_nobody_has_is_not_found() -> None:
    with pytest.raises(NotFound):
        powens(Answer(404, b"")).client.logo("338178e6")


def test_a_logo_is_asked_for_by_an_institutions_id_and_nothing_else() -> None:
    scene = powens()
    for wrong in ("../users/me", "x", "", "a" * 65):
        with pytest.raises(NotFound):
            scene.client.logo(wrong)
    assert scene.wire.sent == []
