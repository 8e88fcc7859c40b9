"""Lists of Powens over their pages."""

import pytest

from shared.adapters.powens.lists import MOST_PAGES
from shared.domain.errors import (
    PowensUnavailable,
)
from tests.worlds.powens.wire import (
    API,
    OK_CONNECTION,
    Answer,
    account_json,
    accounts_json,
    connection_json,
    powens,
    read,
)


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
