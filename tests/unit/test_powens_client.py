"""What the Powens client sends, repeats, waits for and raises."""

import logging
import traceback
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from requests.cookies import create_cookie
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from shared.adapters.powens.lists import MOST_PAGES
from shared.adapters.powens.transport import ATTEMPTS, LONGEST_WAIT_SECONDS
from shared.domain.errors import (
    AnswerLost,
    AppError,
    ConnectionLocked,
    Misconfigured,
    NotFound,
    PowensForbidden,
    PowensNotFound,
    PowensRefused,
    PowensThrottled,
    PowensUnavailable,
    PowensUserGone,
)
from tests.ibans import iban
from tests.powens_wire import API, NOW, Answer, Powens, account_json, accounts_json, connection_json, powens

OK_CONNECTION = Answer(body=connection_json())
OK_ACCOUNTS = Answer(body=accounts_json(account_json()))
RENEWED = Answer(body={"access_token": "tok_B", "token_type": "Bearer"})
REFUSED_TOKEN = Answer(401, {"code": "unauthorized", "description": "revoked"})


def read(scene: Powens) -> object:
    return scene.user.read_connection(77)


# --- users and tokens ---


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


def test_a_temporary_code_is_single_access() -> None:
    scene = powens(Answer(body={"code": "C0de+/with=", "type": "temporary", "access": "single", "expires_in": 1800}))
    assert scene.user.temporary_code() == "C0de+/with="
    assert scene.wire.lines == ["GET /auth/token/code?type=singleAccess"]
    assert scene.wire.sent[0].token == "Bearer tok_A"


def test_an_answer_without_code_is_no_answer() -> None:
    with pytest.raises(PowensUnavailable):
        powens(Answer(body={"code": None})).user.temporary_code()


# --- a refused user token ---


def test_a_refused_token_is_renewed_stored_and_used() -> None:
    scene = powens(REFUSED_TOKEN, RENEWED, OK_CONNECTION, OK_ACCOUNTS)
    stored_after: list[int] = []
    scene.user = scene.client.as_user(41, "tok_A", lambda token: stored_after.append(len(scene.wire.sent)))
    read(scene)
    assert [sent.token for sent in scene.wire.sent] == ["Bearer tok_A", None, "Bearer tok_B", "Bearer tok_B"]
    assert stored_after == [2]


def test_a_token_refused_again_after_its_renewal_is_for_an_operator() -> None:
    scene = powens(REFUSED_TOKEN, RENEWED, REFUSED_TOKEN)
    with pytest.raises(Misconfigured):
        read(scene)
    assert scene.renewed == ["tok_B"]


def test_a_token_that_cannot_be_stored_is_not_used() -> None:
    scene = powens(REFUSED_TOKEN, RENEWED, OK_CONNECTION, OK_ACCOUNTS)

    def fail(_: str) -> None:
        raise RuntimeError("the store is away")

    user = scene.client.as_user(41, "tok_A", fail)
    with pytest.raises(RuntimeError):
        user.read_connection(77)
    user.read_connection(77)
    assert "Bearer tok_B" not in [sent.token for sent in scene.wire.sent]


def test_refused_client_credentials_during_a_renewal_are_for_an_operator() -> None:
    with pytest.raises(Misconfigured):
        read(powens(REFUSED_TOKEN, REFUSED_TOKEN))


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


def test_what_is_forbidden_is_not_asked_again_without_another_token() -> None:
    scene = powens(Answer(403, {"code": "forbidden"}), Answer(403, {}))
    with pytest.raises(PowensForbidden) as caught:
        read(scene)
    assert (caught.value.status, caught.value.code) == (403, "forbidden_by_powens")
    assert scene.wire.lines == ["GET /users/41/connections/77?expand=connector,sources", "GET /users/41/connections"]


def test_what_is_forbidden_to_a_token_that_powens_takes_for_something_else_needs_no_other() -> None:
    def other(_: str) -> str:
        raise AssertionError("the token is good")

    scene = powens(Answer(403, {}), Answer(body={"connections": []}), Answer(403, {}))
    user = scene.client.as_user(41, "tok_A", scene.renewed.append, other)
    for _ in range(2):  # it is looked at once
        with pytest.raises(PowensForbidden):
            user.set_account_enabled(912, True)
    assert scene.wire.lines[1] == "GET /users/41/connections"
    assert len(scene.wire.sent) == 3


def test_what_is_forbidden_is_tried_once_with_another_token() -> None:
    scene = powens(Answer(403, {}), Answer(403, {}), OK_CONNECTION, OK_ACCOUNTS)
    refused: list[str] = []

    def other(token: str) -> str:
        refused.append(token)
        return "tok_C"

    scene.client.as_user(41, "tok_A", scene.renewed.append, other).read_connection(77)
    assert [sent.token for sent in scene.wire.sent] == ["Bearer tok_A"] * 2 + ["Bearer tok_C"] * 2
    assert refused == ["tok_A"]


# --- reading ---


def test_a_connection_is_read_with_exactly_two_gets() -> None:
    scene = powens(OK_CONNECTION, OK_ACCOUNTS)
    scene.user.read_connection(77)
    assert scene.wire.lines == [
        "GET /users/41/connections/77?expand=connector,sources",
        "GET /users/41/connections/77/accounts?all",
    ]
    assert {sent.token for sent in scene.wire.sent} == {"Bearer tok_A"}


def test_a_read_starts_before_its_first_request() -> None:
    scene = powens(OK_CONNECTION, OK_ACCOUNTS)

    def later() -> None:
        scene.now = datetime(2026, 3, 5, 11, 0, tzinfo=UTC)

    scene.wire.on_send = later
    assert scene.user.read_connection(77).read_started_at == NOW


def test_all_connections_are_read_with_exactly_two_gets_and_grouped() -> None:
    scene = powens(
        Answer(body={"connections": [connection_json(), connection_json(id=78), connection_json(id=79)]}),
        Answer(
            body=accounts_json(
                account_json(id=1, id_connection=78),
                account_json(id=2),
                account_json(id=3, id_connection=None),
                account_json(id=4, id_connection=99),
                account_json(id=5),
            )
        ),
    )
    observed = scene.user.read_all()
    assert scene.wire.lines == ["GET /users/41/connections?expand=connector,sources", "GET /users/41/accounts?all"]
    assert {each.powens_id: [account.powens_id for account in each.accounts] for each in observed} == {
        77: [2, 5],
        78: [1],
        79: [],
    }
    assert {each.read_started_at for each in observed} == {NOW}


@pytest.mark.parametrize("strange", ["text", 7, None, [], {}, connection_json(id=[]), connection_json(id="x")])
def test_a_connection_that_cannot_be_told_is_left_out_and_the_others_are_read(strange: object) -> None:
    scene = powens(Answer(body={"connections": [strange, connection_json(id=78)]}), Answer(body=accounts_json()))
    assert [each.powens_id for each in scene.user.read_all()] == [78]
    assert scene.unreadable == ["connection.id"]


@pytest.mark.parametrize(
    "strange", ["text", account_json(id_connection=[]), account_json(id_connection="x"), {"id": 5, "disabled": None}]
)
def test_an_account_of_an_unreadable_connection_may_be_any_connections(strange: object) -> None:
    scene = powens(
        Answer(body={"connections": [connection_json(), connection_json(id=78)]}),
        Answer(body=accounts_json(account_json(id=1), strange, account_json(id=[], id_connection=78))),
    )
    read = {each.powens_id: each for each in scene.user.read_all()}
    assert [account.powens_id for account in read[77].accounts] == [1]
    assert {powens_id: each.unidentified for powens_id, each in read.items()} == {77: 1, 78: 2}
    assert scene.unreadable == ["account.id", "account.id_connection"]


@pytest.mark.parametrize("silent", [None, [], "x"])
def test_an_account_listed_under_its_connection_need_not_name_it(silent: object) -> None:
    scene = powens(OK_CONNECTION, Answer(body=accounts_json(account_json(id_connection=silent))))
    assert [account.powens_id for account in scene.user.read_connection(77).accounts] == [912]


@pytest.mark.parametrize(
    "strange", ["text", None, {}, account_json(id=None), account_json(id="9x"), account_json(id=0)]
)
def test_an_account_that_cannot_be_told_is_counted_and_takes_no_other_with_it(strange: object) -> None:
    scene = powens(OK_CONNECTION, Answer(body=accounts_json(strange, account_json(id=5))))
    observed = scene.user.read_connection(77)
    assert ([account.powens_id for account in observed.accounts], observed.unidentified) == ([5], 1)
    assert scene.unreadable == ["account.id"]


def test_ids_may_come_as_their_digits() -> None:
    scene = powens(
        Answer(body={"connections": [connection_json(id="77")]}),
        Answer(body=accounts_json(account_json(id="912", id_connection="77", id_source="81"))),
    )
    [observed] = scene.user.read_all()
    [account] = observed.accounts
    assert (observed.powens_id, account.powens_id, account.source_id) == (77, 912, 81)
    assert scene.unreadable == []


@pytest.mark.parametrize(
    ("connection", "account"),
    [(connection_json(id=78), account_json()), (connection_json(), account_json(id_connection=78))],
)
def test_an_answer_about_another_connection_is_refused(connection: object, account: object) -> None:
    with pytest.raises(PowensUnavailable, match="another connection"):
        read(powens(Answer(body=connection), Answer(body=accounts_json(account))))


def test_a_connection_that_is_gone_is_not_found() -> None:
    scene = powens(Answer(404, {"code": "notFound", "description": "secret text"}))
    with pytest.raises(PowensNotFound) as caught:
        read(scene)
    assert (caught.value.status, caught.value.powens_code) == (404, "notFound")
    assert len(scene.wire.sent) == 1


def test_no_account_is_an_empty_list_where_powens_answers_it_as_an_error() -> None:
    scene = powens(OK_CONNECTION, Answer(409, {"code": "noAccount"}))
    assert scene.user.read_connection(77).accounts == ()


def test_another_refusal_of_the_accounts_is_a_refusal() -> None:
    with pytest.raises(PowensRefused):
        read(powens(OK_CONNECTION, Answer(400, {"code": "invalidValue"})))


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


# --- pages ---


@pytest.mark.parametrize("links", ["_links", "_link"])
@pytest.mark.parametrize("href", [f"{API}/users/41/connections/77/accounts?all&offset=1", "accounts?all&offset=1"])
def test_pages_are_followed_to_the_end(links: str, href: str) -> None:
    scene = powens(
        OK_CONNECTION,
        Answer(body=accounts_json(account_json(id=1), total=2, **{links: {"self": None, "next": {"href": href}}})),
        Answer(body=accounts_json(account_json(id=1, name="seen again"), account_json(id=2), _links={"next": None})),
    )
    accounts = scene.user.read_connection(77).accounts
    assert [(account.powens_id, account.name) for account in accounts] == [(1, "Compte courant"), (2, "Compte courant")]
    assert scene.wire.lines[2] == "GET /users/41/connections/77/accounts?all&offset=1"


@pytest.mark.parametrize(
    "next_link",
    [
        {"href": "https://evil.example/2.0/accounts"},
        {"href": "http://acme.biapi.pro/2.0/accounts"},
        {"href": "https://acme.biapi.pro:8443/2.0/accounts"},
        {"href": "//evil.example/accounts"},
        {"href": "https://tok@acme.biapi.pro/2.0/accounts"},
        {"href": "https://acme.biapi.pro:99999999/accounts"},
        {"href": 5},
        {"href": None},
        "https://acme.biapi.pro/2.0/accounts?offset=1",
    ],
)
def test_a_next_page_that_leaves_the_host_never_gets_the_token(next_link: object) -> None:
    scene = powens(OK_CONNECTION, Answer(body=accounts_json(account_json(), _links={"next": next_link})))
    with pytest.raises(PowensUnavailable):
        read(scene)
    assert len(scene.wire.sent) == 2


def test_a_page_that_leads_to_itself_ends() -> None:
    turning = Answer(
        body=accounts_json(account_json(), _links={"next": {"href": f"{API}/users/41/connections/77/accounts?all"}})
    )
    scene = powens(OK_CONNECTION, turning)
    with pytest.raises(PowensUnavailable, match="do not end"):
        read(scene)


def test_the_number_of_pages_is_bounded() -> None:
    pages = [
        Answer(body=accounts_json(_links={"next": {"href": f"{API}/accounts?offset={page}"}}))
        for page in range(MOST_PAGES)
    ]
    scene = powens(OK_CONNECTION, *pages)
    with pytest.raises(PowensUnavailable, match="do not end"):
        read(scene)
    assert len(scene.wire.sent) == 1 + MOST_PAGES


CONNECTORS = [{"uuid": f"u-{number}", "name": f"Banque {number}"} for number in range(2500)]
LISTED = "/connectors?expand=sources,countries&limit=1000"


def connectors(start: int, end: int, said: dict[str, object] | None = None) -> Answer:
    return Answer(body={"connectors": CONNECTORS[start:end]} | (said or {}))


@pytest.mark.parametrize("said", [{"total": 2500}, {"total": "2500"}, {"total": 2500, "_links": {"next": None}}, {}])
def test_a_list_without_links_is_gone_through_by_offset(said: dict[str, object]) -> None:
    scene = powens(*(connectors(at, at + 1000, said) for at in (0, 1000, 2000)))
    entries, _ = scene.client.institutions()
    assert len(entries) == 2500
    assert scene.wire.lines == [f"GET {LISTED}", f"GET {LISTED}&offset=1000", f"GET {LISTED}&offset=2000"]


def test_a_server_that_gives_less_than_was_asked_is_asked_on() -> None:
    scene = powens(
        connectors(0, 100, {"total": 250}), connectors(100, 200, {"total": 250}), connectors(200, 250, {"total": 250})
    )
    assert len(scene.client.institutions()[0]) == 250
    assert scene.wire.lines[1:] == [f"GET {LISTED}&offset=100", f"GET {LISTED}&offset=200"]


def test_a_full_last_page_of_a_list_that_does_not_say_its_total_is_followed_by_an_empty_one() -> None:
    assert len(powens(connectors(0, 1000), connectors(1000, 1000)).client.institutions()[0]) == 1000


@pytest.mark.parametrize(
    "pages",
    [
        [connectors(0, 1000, {"total": 1800}), connectors(1000, 1000, {"total": 1800})],
        [connectors(0, 1000, {"total": 1800}), connectors(0, 1000, {"total": 1800})],
        [connectors(0, 1000), connectors(0, 1000)],
    ],
)
def test_a_list_that_ends_before_its_total_is_no_answer(pages: list[Answer]) -> None:
    scene = powens(*pages)
    with pytest.raises(PowensUnavailable, match="before its total"):
        scene.client.institutions()
    assert len(scene.wire.sent) == 2


def test_an_item_that_two_pages_show_counts_once() -> None:
    entries, _ = powens(
        connectors(0, 1000, {"total": 1500}), connectors(900, 1500, {"total": 1500})
    ).client.institutions()
    assert len(entries) == 1500


def test_accounts_whose_ids_cannot_be_read_are_as_many_as_they_are() -> None:
    accounts = [account_json(id="x", iban=None), account_json(id="x", number="0002"), account_json(id=3)]
    scene = powens(OK_CONNECTION, Answer(body=accounts_json(*accounts, total=3)))
    assert [account.powens_id for account in scene.user.read_connection(77).accounts] == [3]
    assert len(scene.wire.sent) == 2


@pytest.mark.parametrize("total", [None, "many", -1, True, 1.5, [], 0])
def test_a_total_that_is_none_is_not_waited_for(total: object) -> None:
    scene = powens(OK_CONNECTION, Answer(body=accounts_json(account_json(), total=total)))
    assert len(scene.user.read_connection(77).accounts) == 1


def test_connections_accounts_and_users_are_gone_through_by_offset_too() -> None:
    scene = powens(
        Answer(body={"connections": [connection_json()], "total": 2}),
        Answer(body={"connections": [connection_json(id=78)], "total": 2}),
        Answer(body=accounts_json(account_json(id=1), total=2)),
        Answer(body=accounts_json(account_json(id=2), total=2)),
    )
    assert [len(each.accounts) for each in scene.user.read_all()] == [2, 0]
    assert scene.wire.lines == [
        "GET /users/41/connections?expand=connector,sources",
        "GET /users/41/connections?expand=connector,sources&offset=1",
        "GET /users/41/accounts?all",
        "GET /users/41/accounts?all&offset=1",
    ]


# --- writing ---


@pytest.mark.parametrize("enabled", [True, False])
def test_an_account_is_updated_with_all_so_that_a_disabled_one_is_found(enabled: bool) -> None:
    scene = powens(Answer(body=account_json()))
    scene.user.set_account_enabled(912, enabled)
    assert scene.wire.lines == ["POST /users/41/accounts/912?all"]
    assert scene.wire.sent[0].body == {"disabled": not enabled}


def test_an_account_update_is_repeated_because_it_may_be() -> None:
    scene = powens(requests.ReadTimeout("slow"), Answer(503), Answer(body={"accounts": [account_json()]}))
    scene.user.set_account_enabled(912, True)
    assert len(scene.wire.sent) == 3


def test_an_update_of_an_account_that_is_gone_is_not_found() -> None:
    with pytest.raises(PowensNotFound):
        powens(Answer(404, {"code": "notFound"})).user.set_account_enabled(912, True)


def test_an_update_of_a_locked_connection_waits_for_the_queue() -> None:
    scene = powens(Answer(409, {"code": "connectionLocked"}, {"Retry-After": "7"}))
    with pytest.raises(ConnectionLocked) as caught:
        scene.user.set_account_enabled(912, True)
    assert caught.value.retry_after == 7
    assert len(scene.wire.sent) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=connection_json()),
        Answer(202, connection_json()),
        Answer(200, b""),
        Answer(200, b"<html>"),
        Answer(204),
    ],
)
def test_a_synchronisation_is_forced_with_a_put(answer: Answer) -> None:
    scene = powens(answer)
    scene.user.force_sync(77)
    assert scene.wire.lines == ["PUT /users/41/connections/77"]


def test_a_synchronisation_refused_because_of_a_recent_one_is_a_refusal() -> None:
    with pytest.raises(PowensRefused) as caught:
        powens(Answer(409, {"code": "conflict", "description": "Can't force"})).user.force_sync(77)
    assert (caught.value.status, caught.value.powens_code) == (409, "conflict")


@pytest.mark.parametrize(
    "lost",
    [
        requests.ReadTimeout("still synchronising"),
        requests.ConnectionError(ProtocolError("cut")),
        requests.exceptions.ChunkedEncodingError("cut in the middle"),
        Answer(502),
        Answer(504, b"<html>"),
    ],
    ids=repr,
)
def test_an_answer_that_is_lost_is_no_refusal_as_powens_may_have_begun(lost: Answer | Exception) -> None:
    scene = powens(lost)
    with pytest.raises(AnswerLost):
        scene.user.force_sync(77)
    assert len(scene.wire.sent) == 1


def never_reached() -> requests.ConnectionError:
    refused = NewConnectionError(None, "refused")  # type: ignore[arg-type]  # the pool only shows in its text
    return requests.ConnectionError(MaxRetryError(None, "/", refused))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fault",
    [requests.ConnectTimeout("slow"), requests.exceptions.SSLError("no"), never_reached(), Answer(503)],
    ids=repr,
)
def test_a_request_that_never_arrived_has_begun_nothing(fault: Answer | Exception) -> None:
    with pytest.raises(PowensUnavailable) as caught:
        powens(fault).user.force_sync(77)
    assert not isinstance(caught.value, AnswerLost)


def test_a_synchronisation_is_forced_once() -> None:
    scene = powens(Answer(503))
    with pytest.raises(PowensUnavailable):
        scene.user.force_sync(77)
    assert len(scene.wire.sent) == 1


GONE = [Answer(204, b""), Answer(200, connection_json()), Answer(200, b""), Answer(404, {"code": "notFound"})]


@pytest.mark.parametrize("answer", GONE)
def test_a_deletion_ends_well_whenever_the_connection_is_gone(answer: Answer) -> None:
    scene = powens(answer)
    scene.user.delete_connection(77)
    assert scene.wire.lines == ["DELETE /users/41/connections/77"]


@pytest.mark.parametrize("answer", GONE)
def test_a_deletion_ends_well_whenever_the_user_is_gone(answer: Answer) -> None:
    scene = powens(answer)
    scene.user.delete_user()
    assert scene.wire.lines == ["DELETE /users/41"]


def test_a_user_whose_token_went_with_them_is_gone() -> None:
    powens(REFUSED_TOKEN, Answer(404, {"code": "notFound"})).user.delete_user()


def test_a_refused_deletion_is_a_refusal() -> None:
    with pytest.raises(PowensRefused):
        powens(Answer(400, {"code": "invalidValue"})).user.delete_connection(77)


# --- faults, waiting and time ---

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


# --- the Webview ---


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
