"""The listener that docs/ gives to begin from, on the events of a user's whole life with us."""

import importlib.util
import json
import random
from pathlib import Path
from typing import Any

import pytest

from shared.domain.connection import connection_id
from tests.integration.world import World
from tests.worlds.folding import shown

DOCS = Path(__file__).parents[2] / "docs"
_SPEC = importlib.util.spec_from_file_location("listener", DOCS / "listener.py")
assert _SPEC is not None
assert _SPEC.loader is not None
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
Listener: Any = _MODULE.Listener

PATH = f"/v1/connections/{connection_id(77)}"


def live(world: World) -> None:
    """Two connections, choices, an undo, a manual account that is joined, and the end of one connection."""
    connection = world.connect(1, 2, 3, disabled=(3,))
    chosen = world.choose(connection, 1, 3)
    world.settle()
    world.api("POST", f"/v1/operations/{chosen.json['id']}/undo")
    world.settle()
    world.connect(4, connection_id=78)
    manual = {"name": "Livret", "type": "checking", "currency": "EUR", "balance": "1"}
    kept = world.api("POST", "/v1/accounts", manual).json["id"]
    world.api("PUT", f"/v1/accounts/{kept}/link", {"account_id": world.ids(connection)[1]})
    world.settle()
    world.api("DELETE", f"/v1/connections/{connection_id(78)}", {"confirm": "Banque du Test"})
    world.settle()


def known(listener: Any) -> dict[str, tuple[bool, str, str | None]]:
    lines = listener.accounts("alice").items()
    return {account_id: (line["enabled"], line["type"], line["currency"]) for account_id, line in lines}


@pytest.mark.parametrize("seed", range(5))
def test_whoever_hears_all_events_in_any_order_and_some_twice_knows_what_the_api_shows(world: World, seed: int) -> None:
    live(world)
    chance = random.Random(seed)
    events = [*world.aws.bus, *chance.sample(world.aws.bus, 5)]
    chance.shuffle(events)
    listener = Listener()
    for event in events:
        listener.hear(json.loads(json.dumps(event)))
    listed = world.api("GET", "/v1/connections").json
    assert len(known(listener)) == 4
    assert known(listener) == shown(listed)
    assert all(listener.is_complete(connection["id"]) for connection in listed["connections"])


def test_a_replay_brings_a_new_listener_to_the_same_and_changes_nothing_for_the_old_one(world: World) -> None:
    live(world)
    old, new = Listener(), Listener()
    for event in world.aws.bus:
        old.hear(event)
    before = known(old)
    for event in world.aws.bus:
        old.hear(event)
        new.hear(event)
    assert known(old) == known(new) == before


def test_an_event_that_is_still_to_come_is_missed(world: World) -> None:
    world.connect(1, 2)
    world.choose(world.powens.connections[77], 1)
    world.settle()
    late, *others = sorted(world.aws.bus, key=lambda event: event["detail-type"] != "AccountsUpdated")
    listener = Listener()
    for event in others:
        listener.hear(event)
    assert not listener.is_complete(connection_id(77))
    listener.hear(late)
    assert listener.is_complete(connection_id(77))


def test_nothing_old_brings_back_who_is_erased(world: World) -> None:
    world.connect(1, 2)
    world.api("DELETE", "/v1/me")
    world.settle()
    listener = Listener()
    for event in sorted(world.aws.bus, key=lambda event: event["detail-type"] != "UserErased"):
        listener.hear(event)
    assert listener.accounts("alice") == {}


def test_an_event_of_a_later_form_is_left_to_be_repeated(world: World) -> None:
    world.connect(1)
    [event] = [event for event in world.aws.bus if event["detail-type"] == "AccountsUpdated"]
    event["detail"]["metadata"]["schema_version"] = 2
    listener = Listener()
    with pytest.raises(ValueError, match="later"):
        listener.hear(event)
    event["detail"]["metadata"]["schema_version"] = 1
    listener.hear(event)
    assert len(listener.accounts("alice")) == 1


def test_the_listener_stays_short_enough_to_be_read_at_once() -> None:
    code = (DOCS / "listener.py").read_text("utf-8").partition('"""\n\nfrom')[2]
    assert len([line for line in code.splitlines() if line.strip()]) <= 45
