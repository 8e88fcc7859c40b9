"""The addresses that a Webview session may return to: what is accepted at the start is delivered at the end."""

import pytest

from shared.application.webview import may_return_to, with_query
from tests.integration.api_steps import refused
from tests.integration.aws import throttled
from tests.integration.world import World
from tests.worlds.deployment import ORIGIN


@pytest.mark.parametrize(
    ("address", "back"),
    [
        ("WealthApp://accounts", "WealthApp://accounts?result=done"),
        ("WEALTHAPP://Accounts/Back?A=b#C", "WEALTHAPP://Accounts/Back?A=b&result=done#C"),
        ("wealthapp://", "wealthapp://?result=done"),
        ("wealthapp:///back", "wealthapp:///back?result=done"),
        ("wealthapp:back", "wealthapp:back?result=done"),
        ("HTTPS://App.Example.com/a", "HTTPS://App.Example.com/a?result=done"),
        (f"{ORIGIN}/a?", f"{ORIGIN}/a?result=done"),
        (f"{ORIGIN}/a#", f"{ORIGIN}/a?result=done#"),
        (f"{ORIGIN}/a?b=?c#d?e#f", f"{ORIGIN}/a?b=?c&result=done#d?e#f"),
        (f"{ORIGIN}/%7Ea;b=c/../d//e", f"{ORIGIN}/%7Ea;b=c/../d//e?result=done"),
        (f"{ORIGIN}/économies?à=é#ü", f"{ORIGIN}/%C3%A9conomies?%C3%A0=%C3%A9&result=done#%C3%BC"),
    ],
)
def test_an_address_comes_back_as_it_was_written(world: World, address: str, back: str) -> None:
    returned = world.come_back(world.open_webview(return_to=address))
    assert (returned.status, returned.headers["location"]) == (303, back)
    assert back.isascii()


@pytest.mark.parametrize(
    "address", ["WealthApp://accounts", f"{ORIGIN}/économies", f"{ORIGIN}/{'é' * 600}", f"{ORIGIN}/{'x' * 1900}"]
)
def test_an_address_is_delivered_when_the_return_cannot_be_noted_as_well(world: World, address: str) -> None:
    opened = world.open_webview(return_to=address)
    world.aws.raising("TransactWriteItems", throttled("TransactWriteItems"), times=9)
    assert world.come_back(opened).headers["location"] == with_query(address, {})


@pytest.mark.parametrize(
    "address",
    [f"{ORIGIN}/{'🙂' * 1900}", f"{ORIGIN}/\x7f", f"{ORIGIN}/\x85", f"{ORIGIN}/\u2028", f"{ORIGIN}/\u200b"],
    ids=["too long once encoded", "DEL", "NEL", "line separator", "zero width space"],
)
def test_what_no_header_could_deliver_is_refused_at_the_start(world: World, address: str) -> None:
    refused(world.open_webview(return_to=address), 422, "return_to_not_allowed")
    assert world.powens.log == []


@pytest.mark.parametrize("entry", ["wealthapp://", "WealthApp://"])
@pytest.mark.parametrize("address", ["wealthapp://a", "WealthApp://a"])
def test_the_allow_list_knows_schemes_in_any_case(entry: str, address: str) -> None:
    assert may_return_to(address, (entry,))
    assert not may_return_to(f"x{address}", (entry,))
