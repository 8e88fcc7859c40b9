"""The way to the Webview and back: where a browser may return to, and what its return begins."""

from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from shared.domain.connection import connection_id
from tests.integration.api_steps import refused
from tests.integration.aws import throttled
from tests.integration.world import Reply, World
from tests.worlds.deployment import ORIGIN


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "https://app.example.com.evil.example/",
        "https://app.example.com@evil.example/",
        "https://user:password@app.example.com/",
        "https://evil.example\\@app.example.com/",
        "https://app.example.com\\.evil.example/",
        "https://app.example.com:444/",
        "https://app.example.com:99999999/",
        "http://app.example.com/",
        "http://localhost:8080.evil.example/",
        "http://localhost:8081/",
        "http://localhost/",
        "http://[::1",
        "//app.example.com/",
        "/accounts",
        "accounts",
        "javascript:alert(1)",
        "javascript://app.example.com/%0aalert(1)",
        "data:text/html,x",
        "https:app.example.com",
        "https:///app.example.com",
        "https://app.example.com /",
        "https://app.example.com/\r\nSet-Cookie: a=b",
        "https://app.exam\tple.com/",
        "ftp://app.example.com/",
        "wealthappx://back",
        'https://app.example.com/"onload="x',
    ],
)
def test_an_address_off_the_allow_list_is_nowhere_to_return_to(world: World, address: str) -> None:
    reply = world.open_webview(return_to=address)
    refused(reply, 422, "return_to_not_allowed")
    assert reply.json["field"] == "return_to"
    assert world.powens.log == []


@pytest.mark.parametrize(
    ("address", "back"),
    [
        (f"{ORIGIN}/accounts?tab=2#top", f"{ORIGIN}/accounts?tab=2&result=done#top"),
        ("http://localhost:8080/", "http://localhost:8080/?result=done"),
        ("wealthapp://accounts", "wealthapp://accounts?result=done"),
        (ORIGIN, f"{ORIGIN}?result=done"),
    ],
)
def test_the_browser_comes_back_to_where_it_was_allowed_to(world: World, address: str, back: str) -> None:
    returned = world.come_back(world.open_webview(return_to=address))
    assert (returned.status, returned.headers["location"]) == (303, back)
    assert returned.headers["referrer-policy"] == "no-referrer"
    assert returned.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("said", "result"),
    [("access_denied", "cancelled"), ("tos_declined", "cancelled"), ("server_error", "failed"), ("later", "failed")],
)
def test_a_visit_that_did_not_succeed_is_read_back_all_the_same(world: World, said: str, result: str) -> None:
    connection = world.connect(1, 2)
    opened = world.open_webview(flow="manage")
    connection.accounts[2].disabled = True
    returned = world.come_back(opened, f"&error={said}&error_description=whatever")
    assert returned.headers["location"].endswith(f"?result={result}")
    world.settle()
    assert world.enabled(connection) == {1}


def coming_back(world: World, query: str, **headers: str) -> Reply:
    return world.api("GET", "/v1/webview-return", query=query, user=None, **headers)


@pytest.mark.parametrize("wait", [timedelta(), timedelta(minutes=31), timedelta(hours=23)], ids=str)
def test_a_browser_that_comes_back_twice_late_or_after_a_refusal_brings_a_success_in(
    world: World, wait: timedelta
) -> None:
    connection = world.connect(1, 2)
    opened = world.open_webview(flow="manage")
    assert world.come_back(opened, "&error=server_error").headers["location"].endswith("?result=failed")
    world.settle()
    connection.accounts[2].disabled = True
    world.clock.now += wait
    for _ in range(2):
        assert world.come_back(opened).headers["location"] == f"{ORIGIN}/accounts?result=done"
    world.settle()
    assert world.enabled(connection) == {1}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "state=",
        "state=forged",
        "state=%FF%00%ED%A0%BD",
        f"state={'A' * 43}",
        f"state={'A' * 3000}",
        "connection_id=77",
        "error=access_denied",
        "error=&error_description=",
        "state=a&state=b&state=c",
        "&&=&;;%",
    ],
)
def test_who_comes_back_without_a_state_of_ours_lands_in_the_app_which_is_told_nothing(
    world: World, query: str
) -> None:
    back = coming_back(world, query)
    assert (back.status, back.headers["location"], back.body) == (303, ORIGIN, "")
    world.settle()
    assert world.powens.log == []


@pytest.mark.parametrize(
    ("query", "result"),
    [
        ("&error=", "done"),
        ("&error=&error_description=", "done"),
        ("&error=&error=access_denied", "cancelled"),
        ("&error=tos_declined&error=tos_declined", "cancelled"),
        ("&state=forged", "done"),
        ("&connection_id=77&connection_id=78&invented=1", "done"),
        (f"&error={'x' * 5000}", "failed"),
    ],
)
def test_what_powens_adds_to_the_address_never_keeps_anybody_out_of_the_app(
    world: World, query: str, result: str
) -> None:
    back = world.come_back(world.open_webview(), query)
    assert (back.status, back.headers["location"]) == (303, f"{ORIGIN}/accounts?result={result}")


def test_a_state_of_ours_is_found_beside_another_one(world: World) -> None:
    opened = world.open_webview()
    state = dict(parse_qsl(urlsplit(opened.json["url"]).query))["state"]
    assert coming_back(world, f"state={'A' * 43}&state={state}").headers["location"].endswith("?result=done")


def test_two_returns_at_once_both_land_and_are_read_back(world: World) -> None:
    opened = world.open_webview()
    twin: list[Reply] = []
    world.aws.fault("TransactWriteItems", lambda _: twin.append(world.come_back(opened)))
    assert world.come_back(opened).status == twin[0].status == 303
    world.settle()
    assert world.powens.reads >= 1


@pytest.mark.parametrize(("call", "address"), [("GetItem", ORIGIN), ("TransactWriteItems", f"{ORIGIN}/accounts")])
def test_a_table_that_is_down_keeps_nobody_out_and_what_was_done_comes_all_the_same(
    world: World, call: str, address: str
) -> None:
    connection = world.connect(1, 2)
    opened = world.open_webview(flow="manage")
    connection.accounts[2].disabled = True
    world.aws.raising(call, throttled(call), times=9)
    back = world.come_back(opened)
    assert (back.status, back.headers["location"]) == (303, address), "no result: it was not noted"
    assert world.metric("FailedRequests") == 1
    world.aws.faults.clear()
    world.webhook("account-disabled", connection, id=2)
    world.settle()
    assert world.enabled(connection) == {1}


@pytest.mark.parametrize(("language", "said"), [("fr", "revenir à votre application"), ("en", "go back to your app")])
def test_where_no_web_page_of_ours_is_known_a_person_reads_a_page_and_no_json(
    world: World, language: str, said: str
) -> None:
    from functions.accounts_api.container import container

    made = container()
    made.settings = made.settings.model_copy(update={"return_to_allowed": ("wealthapp://",)})
    back = coming_back(world, "state=forged", accept_language=language)
    assert (back.status, back.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f'<html lang="{language}">' in back.body
    assert said in back.body


def test_the_webview_is_opened_on_the_connection_that_is_to_be_changed(world: World) -> None:
    world.connect(1)
    for flow, language in (("manage", "en"), ("reconnect", "fr")):
        opened = world.open_webview(flow=flow, connection_id=connection_id(77), language=language)
        assert opened.json["url"].startswith(f"https://webview.powens.com/{language}/{flow}?")
        assert "connection_id=77" in opened.json["url"]
    refused(world.open_webview(flow="reconnect"), 422, "connection_required")
    refused(world.open_webview(flow="connect", connection_id=connection_id(77)), 422, "not_for_connect")
    world.powens.synchronise(world.powens.connections[77])
    world.powens.log.clear()
    world.come_back(opened)
    world.settle()
    assert world.powens.log[0] == "GET /users/41/connections/77"
