"""An account stays itself: recreated at Powens, seen through two connections, moved to another."""

from shared.domain.connection import connection_id
from tests.integration.world import World
from tests.worlds.powens.model import Connection


def test_an_account_that_powens_recreated_off_is_switched_on_again_once(world: World) -> None:
    connection = world.connect(1, 2)
    world.forget()
    recreate(world, connection, old=1, new=9)
    world.webhook("connection-synced", connection)
    world.settle()
    assert world.at_powens(connection) == {2, 9}
    assert world.enabled(connection) == {2, 9}
    assert world.powens.updates == 1


def test_an_account_that_cannot_be_switched_on_again_asks_the_user(world: World) -> None:
    connection = world.connect(1, 2)
    world.forget()
    recreate(world, connection, old=1, new=9, obeys=False)
    world.webhook("connection-synced", connection)
    world.settle()
    assert world.powens.updates == 1
    account = next(a for a in world.held(connection)["accounts"] if a["id"] == world.ids(connection)[9])
    assert (account["status"], account["status_reason"]["code"]) == ("failed", "recreated_by_powens")
    assert account["status_reason"]["who_must_act"] == "user"
    [ended] = world.events("OperationEnded")
    assert (ended["data"]["status"], ended["metadata"]["cause"]) == ("needs_user", "reconciliation")
    world.webhook("connection-synced", connection)
    world.settle()
    assert world.powens.updates == 1


def recreate(world: World, connection: Connection, *, old: int, new: int, obeys: bool = True) -> None:
    gone = connection.accounts[old]
    gone.deleted = gone.disabled = True
    world.powens.add_account(connection, new, iban=gone.iban, number=gone.number, disabled=True, obeys=obeys)


def twice(world: World) -> tuple[Connection, Connection]:
    """One real account through two connections of one bank, both of which work."""
    first = world.connect(1)
    second = world.powens.add_connection(41, "Banque du Test", connection_id=78, uuid=first.uuid)
    old = first.accounts[1]
    world.powens.add_account(second, 2, iban=old.iban, number=old.number, last_update=old.last_update)
    world.webhook("connection-synced", second)
    world.settle()
    return first, second


def test_the_same_account_through_two_connections_counts_once(world: World) -> None:
    first, second = twice(world)
    assert world.held(first)["accounts"][0]["duplicate_of"] is None
    copy = world.held(second)["accounts"][0]
    assert copy["duplicate_of"] == world.ids(first)[1]
    assert copy["duplicate_reason"]["code"] == "copy_known_later"
    assert (world.held(first)["superseded_by"], world.held(second)["superseded_by"]) == (None, None)


def test_a_bank_whose_connection_is_broken_and_that_was_connected_anew_counts_through_the_new_connection(
    world: World,
) -> None:
    first, second = twice(world)
    world.clock.advance(seconds=10)
    first.state = "wrongpass"
    world.webhook("connection-synced", first)
    world.settle()
    copy = world.held(first)["accounts"][0]
    assert copy["duplicate_of"] == world.ids(second)[2]
    assert copy["duplicate_reason"]["code"] == "copy_connection_not_working"
    assert world.held(second)["accounts"][0]["duplicate_of"] is None
    assert (world.held(first)["superseded_by"], world.held(second)["superseded_by"]) == (connection_id(78), None)


def test_an_account_that_moves_to_another_connection_is_one_account_with_its_name_and_its_wish(world: World) -> None:
    old = world.connect(1, 5)
    new = world.connect(2, connection_id=78)
    known = world.ids(old)[1]
    world.api("PATCH", f"/v1/accounts/{known}", {"name": "Perso"})
    world.settle()
    moved = new.accounts[1] = old.accounts.pop(1)
    world.clock.advance(seconds=10)
    world.webhook("connection-synced", new)
    world.settle()
    listed = world.api("GET", "/v1/connections").json["connections"]
    places = {c["id"]: [(a["id"], a["name"], a["enabled"]) for a in c["accounts"]] for c in listed}
    assert (known, "Perso", True) in places[connection_id(78)]
    assert known not in [account for account, _, _ in places[connection_id(77)]]
    asked = world.api("PATCH", f"/v1/accounts/{known}", {"enabled": False})
    world.settle()
    assert (moved.disabled, world.operation(asked)["status"]) == (True, "completed")
    world.clock.advance(seconds=10)
    for connection in (old, new):
        world.webhook("connection-synced", connection)
    world.settle()
    ids = [a["id"] for c in world.api("GET", "/v1/connections").json["connections"] for a in c["accounts"]]
    assert len(ids) == len(set(ids)) == 3


def test_a_choice_about_an_account_that_has_moved_is_undone_where_it_is(world: World) -> None:
    old = world.connect(1, 5)
    new = world.connect(2, connection_id=78)
    asked = world.choose(old, 5)
    world.settle()
    moved = new.accounts[1] = old.accounts.pop(1)
    world.clock.advance(seconds=10)
    world.webhook("connection-synced", new)
    world.settle()
    undone = world.api("POST", f"/v1/operations/{asked.json['id']}/undo")
    world.settle()
    assert (world.operation(undone)["status"], moved.disabled) == ("completed", False)
    assert world.operation(undone)["connection_id"] == connection_id(78)
