"""Whose screens are told of a change, and what becomes of those that are gone."""

from datetime import timedelta

import pytest
from botocore.exceptions import EndpointConnectionError

from functions.live_updates import app
from shared.adapters.sockets import Sockets
from shared.application.live import MOST_SOCKETS, SETTLED_AFTER, SOCKET_FOR, OpenSocket
from shared.domain.errors import Unavailable
from shared.domain.facts import FactType
from tests.builders import NOW
from tests.unit.live_updates.room import Room


def test_every_screen_of_the_user_hears_and_nobody_elses(room: Room) -> None:
    for socket, user in (("phone", "alice"), ("laptop", "alice"), ("other", "bob"), ("prefix", "alice2")):
        room.opens(socket, user)

    assert room.tells("alice") == 2
    message = {"type": "changed", "event": "AccountsUpdated", "connection_id": "c1", "revision": 7}
    assert room.screens.heard == {"phone": [message], "laptop": [message]}


def test_a_socket_that_is_gone_is_forgotten_but_not_while_it_may_still_be_opening(room: Room) -> None:
    room.opens("young", "alice")
    room.screens.gone.add("young")

    assert room.tells("alice") == 0
    assert set(room.store.kept) == {"young"}
    room.clock.advance(seconds=SETTLED_AFTER.total_seconds() + 1)
    assert room.tells("alice") == 0
    assert room.store.kept == {}


def test_a_screen_hears_nothing_after_its_token_has_expired_and_is_sent_to_open_another(room: Room) -> None:
    room.opens("old", "alice", token_for=timedelta(minutes=5))
    room.opens("new", "alice")
    room.clock.advance(minutes=5)

    assert room.tells("alice") == 1
    assert set(room.screens.heard) == {"new"}
    assert room.screens.gone == {"old"}
    assert set(room.store.kept) == {"new"}


def test_no_socket_is_believed_open_for_longer_than_api_gateway_keeps_one(room: Room) -> None:
    room.opens("long", "alice", token_for=timedelta(days=30))

    assert room.store.kept["long"].until == NOW + SOCKET_FOR


@pytest.mark.parametrize("expired", [False, True])
def test_one_screen_out_of_reach_keeps_no_other_from_hearing_and_the_call_fails(room: Room, expired: bool) -> None:
    room.opens("broken", "alice", token_for=timedelta(minutes=1 if expired else 60))
    room.opens("fine", "alice")
    room.screens.broken.add("broken")
    room.clock.advance(minutes=2)

    with pytest.raises(ExceptionGroup) as failure:
        room.tells("alice")
    assert len(failure.value.exceptions) == 1
    assert len(room.screens.heard["fine"]) == 1
    # Tried again: who has heard hears again, which a screen does not mind.
    room.screens.broken.clear()
    assert room.tells("alice") == (1 if expired else 2)


def test_after_the_end_of_a_user_no_screen_is_held_open_or_remembered(room: Room) -> None:
    assert app.USER_ERASED == FactType.USER_ERASED
    for socket in ("phone", "young and gone"):
        room.opens(socket, "alice")
    room.screens.gone.add("young and gone")

    assert room.live.tell("alice", event="UserErased", connection_id=None, revision=0, is_last=True) == 1
    assert room.screens.gone == {"phone", "young and gone"}
    assert room.store.kept == {}


def test_a_closed_socket_is_told_nothing(room: Room) -> None:
    room.opens("s", "alice")
    room.live.close("s")
    room.live.close("never was")

    assert room.tells("alice") == 0


def test_what_boto3_says_beside_gone_is_a_temporary_problem() -> None:
    class Exceptions:
        GoneException = KeyError

    class Client:
        exceptions = Exceptions

        def post_to_connection(self, **_: object) -> None:
            raise EndpointConnectionError(endpoint_url="https://x")

        delete_connection = post_to_connection

    sockets = Sockets(Client())  # type: ignore[arg-type] # as much of a client as is needed
    with pytest.raises(Unavailable):
        sockets.send("s", "{}")
    with pytest.raises(Unavailable):
        sockets.close("s")


def test_of_more_sockets_than_somebody_has_the_oldest_are_closed_and_nobody_elses(room: Room) -> None:
    room.opens("bobs", "bob")
    for number in range(MOST_SOCKETS + 3):
        room.clock.advance(seconds=1)
        room.opens(f"{number:03}", "alice")

    newest = {f"{number:03}" for number in range(3, MOST_SOCKETS + 3)}
    assert set(room.store.kept) == newest | {"bobs"}
    assert room.screens.gone == {"000", "001", "002"}
    assert room.tells("alice") == MOST_SOCKETS


def test_however_many_sockets_open_at_once_no_more_than_the_most_stay(room: Room) -> None:
    """Each is written before any of them is looked at."""
    written = [
        OpenSocket(id=f"{number:03}", user_id="alice", opened_at=room.clock(), until=room.clock() + SOCKET_FOR)
        for number in range(60)
    ]
    for socket in written:
        room.store.add_socket(socket)
    room.clock.advance(seconds=1)
    room.opens("last", "alice")

    assert len(room.store.kept) == MOST_SOCKETS
    assert "last" in room.store.kept


def test_a_socket_that_cannot_be_closed_stays_counted_and_the_new_one_opens(room: Room) -> None:
    for number in range(MOST_SOCKETS + 1):
        room.clock.advance(seconds=1)
        room.screens.broken.add("000")
        room.opens(f"{number:03}", "alice")
    assert len(room.store.kept) == MOST_SOCKETS + 1

    room.screens.broken.clear()
    room.clock.advance(seconds=1)
    room.opens("next", "alice")
    assert len(room.store.kept) == MOST_SOCKETS
    assert "000" not in room.store.kept
