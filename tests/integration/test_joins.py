"""Manual accounts that are joined with synchronised ones: each counts once, and is told of, all the way."""

from shared.domain.connection import connection_id
from tests.integration.join_steps import add, counted, join, manual, part, read, told
from tests.integration.journey_steps import flip
from tests.integration.world import World


def test_a_manual_account_is_joined_with_the_synchronised_one_that_appears_and_parted_again(
    world: World,
) -> None:
    path = add(world)
    world.clock.advance(days=3)
    world.api("PATCH", path, {"balance": "1510"})
    assert counted(world) == [path.rpartition("/")[2]]
    assert manual(world, path)["link_suggestions"] == []
    world.clock.advance(days=3)

    connection = world.connect(1)
    synchronised = world.ids(connection)[1]
    before = manual(world, path)
    assert before["link_suggestions"] == [
        {"account_id": synchronised, "evidence": ["same_type", "same_currency", "same_institution"]}
    ]
    assert len(counted(world)) == 2, "nothing is joined by itself"

    world.aws.calls.clear()
    joined = join(world, path, synchronised)
    assert joined.status == 200
    assert sorted(set(world.aws.calls)) == ["PutEvents", "Query", "TransactWriteItems"]
    assert joined.json == manual(world, path)
    assert (joined.json["enabled"], joined.json["status"]) == (False, "disabled")
    assert joined.json["linked_account_id"] == synchronised
    assert joined.json["link_suggestions"] == []
    assert world.held(connection)["accounts"][0]["linked_account_id"] == path.rpartition("/")[2]
    assert world.api("GET", f"/v1/accounts/{synchronised}").json == world.held(connection)["accounts"][0]
    assert counted(world) == [synchronised]

    series = world.api("GET", f"{path}/balances").json
    assert [(p["balance"], p["kind"]) for p in series["balances"]] == [
        ("1523.07", "synced"),
        ("1510", "manual"),
        ("1500", "manual"),
    ]
    assert world.api("GET", f"/v1/accounts/{synchronised}/balances").json == series

    assert part(world, path).json == before == manual(world, path)
    assert world.held(connection)["accounts"][0]["linked_account_id"] is None
    assert len(counted(world)) == 2
    points = world.api("GET", f"{path}/balances").json["balances"]
    assert [(p["balance"], p["kind"]) for p in points] == [("1510", "manual"), ("1500", "manual")]
    points = world.api("GET", f"/v1/accounts/{synchronised}/balances").json["balances"]
    assert [(p["balance"], p["kind"]) for p in points] == [("1523.07", "synced")]
    assert told(world, path) == [
        (1, "added", True),
        (2, "refreshed", True),
        (3, "disabled", False),
        (4, "enabled", True),
    ]
    assert world.powens.updates == 0


def test_what_is_written_down_while_the_synchronised_account_counts_waits_for_the_day_it_does_not(
    world: World,
) -> None:
    path = add(world)
    world.clock.advance(days=1)
    connection = world.connect(1)
    join(world, path, world.ids(connection)[1])
    world.clock.advance(days=1)
    assert world.api("PATCH", path, {"balance": "1600"}).json["balance"] == "1600"
    kinds = [(p["balance"], p["kind"]) for p in world.api("GET", f"{path}/balances").json["balances"]]
    assert kinds == [("1523.07", "synced"), ("1500", "manual")]
    flip(world, connection)
    world.settle()
    kinds = [(p["balance"], p["kind"]) for p in world.api("GET", f"{path}/balances").json["balances"]]
    assert kinds == [("1600", "manual"), ("1500", "manual")]


def test_a_synchronised_account_without_a_balance_shows_none(world: World) -> None:
    connection = world.connect(1, disabled=(1,))
    world.powens.add_account(connection, 2, disabled=True, balance=None)
    read(world, connection)
    path = f"/v1/accounts/{world.ids(connection)[2]}/balances"
    assert world.api("GET", path).json == {"balances": [], "next": None}


def test_repeating_a_join_or_a_parting_writes_and_tells_nothing(world: World) -> None:
    path = add(world)
    connection = world.connect(1)
    synchronised = world.ids(connection)[1]
    for _ in range(2):
        assert join(world, path, synchronised, idempotency_key="join").status == 200
    world.aws.calls.clear()
    assert join(world, path, synchronised).json["linked_account_id"] == synchronised
    assert set(world.aws.calls) == {"Query"}
    for _ in range(2):
        assert part(world, path, idempotency_key="part").status == 200
    world.aws.calls.clear()
    assert part(world, path).json["linked_account_id"] is None
    assert set(world.aws.calls) == {"Query"}
    assert [revision for revision, _, _ in told(world, path)] == [1, 2, 3]


def test_the_manual_account_counts_again_while_the_joined_one_is_unticked(world: World) -> None:
    path = add(world)
    connection = world.connect(1)
    synchronised = world.ids(connection)[1]
    manual_account = path.rpartition("/")[2]
    join(world, path, synchronised)
    for _ in range(2):
        # In our app, and in the Powens space.
        world.choose(connection)
        world.settle()
        assert counted(world) == [manual_account]
        assert manual(world, path)["linked_account_id"] == synchronised
        assert world.held(connection)["accounts"][0]["linked_account_id"] == manual_account
        flip(world, connection, 1)
        world.settle()
        assert counted(world) == [synchronised]
    changes = [change for _, change, _ in told(world, path)]
    assert changes == ["added", "disabled", "enabled", "disabled", "enabled", "disabled"]


def test_the_manual_account_counts_again_when_the_bank_closes_the_joined_one(world: World) -> None:
    path = add(world)
    connection = world.connect(1, 2)
    synchronised = world.ids(connection)[1]
    join(world, path, synchronised)
    connection.accounts[1].deleted = True
    read(world, connection)
    assert path.rpartition("/")[2] in counted(world)
    assert manual(world, path)["linked_account_id"] == synchronised
    connection.accounts[1].deleted = False
    read(world, connection)
    assert path.rpartition("/")[2] not in counted(world)


def test_a_join_ends_with_the_connection_and_is_there_again_when_it_was_taken_for_gone_wrongly(world: World) -> None:
    path = add(world)
    manual_account = path.rpartition("/")[2]
    connection = world.connect(1)
    synchronised = world.ids(connection)[1]
    join(world, path, synchronised)
    del world.powens.connections[77]
    world.clock.advance(seconds=10)
    world.webhook("connection-deleted", connection)
    world.settle()
    assert counted(world) == [manual_account]
    assert manual(world, path)["linked_account_id"] is None
    assert [p["kind"] for p in world.api("GET", f"{path}/balances").json["balances"]] == ["manual"]

    world.powens.connections[77] = connection
    read(world, connection)
    assert counted(world) == [synchronised]
    assert manual(world, path)["linked_account_id"] == synchronised

    del world.powens.connections[77]
    world.clock.advance(seconds=10)
    world.webhook("connection-deleted", connection)
    world.settle()
    again = world.connect(9, connection_id=79)
    assert [s["account_id"] for s in manual(world, path)["link_suggestions"]] == [world.ids(again)[9]]
    assert join(world, path, world.ids(again)[9]).status == 200
    assert counted(world) == [world.ids(again)[9]]
    assert part(world, path).status == 200
    assert world.api("DELETE", path).status == 204


def test_an_account_whose_synchronised_one_is_gone_can_be_dropped(world: World) -> None:
    path = add(world)
    connection = world.connect(1)
    join(world, path, world.ids(connection)[1])
    del world.powens.connections[77]
    world.clock.advance(seconds=10)
    world.webhook("connection-deleted", connection)
    world.settle()
    assert world.api("DELETE", path).status == 204
    assert counted(world) == []


def test_an_account_seen_through_two_connections_and_joined_with_a_manual_one_counts_once(world: World) -> None:
    path = add(world)
    first = world.connect(1)
    second = world.connect(connection_id=78)
    old = first.accounts[1]
    world.powens.add_account(second, 2, iban=old.iban, last_update=old.last_update)
    read(world, second)
    one, other = world.ids(first)[1], world.ids(second)[2]
    assert [s["account_id"] for s in manual(world, path)["link_suggestions"]] == [one], (
        "what does not count is left out"
    )
    join(world, path, other)
    assert counted(world) == [one]
    flip(world, second)
    world.settle()
    assert counted(world) == [one], "the joined one is unticked, and the same one counts through the other bank"
    flip(world, first)
    world.settle()
    assert counted(world) == [path.rpartition("/")[2]]
    flip(world, first, 1)
    world.settle()
    assert counted(world) == [one]
    later = add(world, name="Encore")
    taken = join(world, later, one)
    assert (taken.status, taken.json["code"]) == (409, "account_already_joined")


def test_a_second_connection_to_the_joined_account_takes_over_when_it_appears(world: World) -> None:
    path = add(world)
    first = world.connect(1, disabled=(1,))
    join(world, path, world.ids(first)[1])
    assert counted(world) == [path.rpartition("/")[2]]
    second = world.connect(connection_id=78)
    world.powens.add_account(second, 2, iban=first.accounts[1].iban)
    read(world, second)
    assert counted(world) == [world.ids(second)[2]]
    assert told(world, path)[-1][1:] == ("disabled", False)
    series = world.api("GET", f"{path}/balances").json["balances"]
    assert [point["kind"] for point in series] == ["synced", "manual"]


def test_joining_with_an_account_that_is_not_ticked_lets_the_manual_one_count(world: World) -> None:
    path = add(world)
    connection = world.connect(1, disabled=(1,))
    joined = join(world, path, world.ids(connection)[1])
    assert (joined.json["enabled"], joined.json["linked_account_id"]) == (True, world.ids(connection)[1])
    assert counted(world) == [path.rpartition("/")[2]]
    assert part(world, path).json["enabled"]
    assert told(world, path) == [(1, "added", True), (2, "refreshed", True), (3, "refreshed", True)]


def test_a_join_outlives_an_account_that_powens_re_creates(world: World) -> None:
    path = add(world)
    connection = world.connect(1)
    join(world, path, world.ids(connection)[1])
    known = world.ids(connection)[1]
    old = connection.accounts[1]
    old.deleted = old.disabled = True
    world.powens.add_account(connection, 91, iban=old.iban, number=old.number, disabled=True)
    read(world, connection)
    assert world.ids(connection)[91] == known
    assert counted(world) == [known]
    assert manual(world, path)["linked_account_id"] == known


def test_a_join_with_an_account_of_a_dead_connection_goes_on_with_its_copy_when_that_connection_is_ended(
    world: World,
) -> None:
    path = add(world)
    first = world.connect(1)
    join(world, path, world.ids(first)[1])
    second = world.connect(connection_id=78)
    world.powens.add_account(second, 2, iban=first.accounts[1].iban)
    read(world, second)
    assert len(counted(world)) == 1
    world.api("DELETE", f"/v1/connections/{connection_id(77)}", {"confirm": "Banque du Test"})
    world.settle()
    assert counted(world) == [world.ids(second)[2]], "else the money counts twice"
    assert manual(world, path)["linked_account_id"] == world.ids(second)[2]
