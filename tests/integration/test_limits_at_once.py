"""How many manual accounts and wishes a user may have, however many are asked for at the same moment."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.adapters.dynamodb import manual as manual_items
from shared.adapters.dynamodb import wishes as wish_items
from shared.domain.connection import AccountType
from tests.integration.test_wishes import BANK
from tests.integration.world import Reply, World

MOST = 3
MANUAL = {"name": "Livret", "type": "savings", "currency": "EUR", "balance": "1"}


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.domain.manual.MOST_MANUAL_ACCOUNTS", MOST)
    monkeypatch.setattr("shared.domain.wishes.MOST_WISHES", MOST)
    for module in (manual_items, wish_items):
        monkeypatch.setattr(module, "_LIMIT", module._LIMIT._replace(most=MOST))


def add(world: World, number: int, **headers: str) -> Reply:
    return world.api("POST", "/v1/accounts", {**MANUAL, "name": f"Livret {number}"}, **headers)


def wish(world: World, number: int) -> Reply:
    kind = list(AccountType)[number].value
    return world.api("POST", "/v1/wishes", {"institution_id": BANK, "type": kind})


def at_once(world: World, act: Callable[[World, int], Reply], others: Iterator[int]) -> Reply:
    """One request during which, after each look at the list, another one like it comes and goes."""

    def other(parameters: dict[str, Any]) -> object:
        with world.looking():
            seen: object = world.dynamodb.query(**parameters)
        for number in others:
            act(world, number)
            break
        return seen

    world.aws.fault("Query", other, times=4)
    reply = act(world, 0)
    world.aws.faults.clear()
    return reply


def held(world: World, kind: str) -> int:
    return len(world.api("GET", "/v1/connections").json[kind])


def profile(world: World) -> dict[str, Any]:
    return next((i for i in world.items() if i["sk"]["S"] == "PROFILE"), {})


@pytest.mark.parametrize(
    ("act", "kind", "code"),
    [(add, "manual_accounts", "too_many_manual_accounts"), (wish, "wishes", "too_many_wishes")],
)
@pytest.mark.parametrize("before", range(MOST))
def test_as_many_as_may_be_are_never_exceeded(
    world: World, act: Callable[[World, int], Reply], kind: str, code: str, before: int
) -> None:
    world.connect(1)
    for number in range(before):
        act(world, 1 + number)
    reply = at_once(world, act, iter(range(1 + before, 9)))
    assert held(world, kind) == MOST
    assert reply.status == 201 or reply.json["code"] == code
    assert act(world, 8).json["code"] == code


def test_what_goes_makes_room_again_and_again(world: World) -> None:
    paths = [add(world, number).headers["location"] for number in range(MOST)]
    for number in range(5):
        assert add(world, 9).status == 409
        assert world.api("DELETE", paths.pop(0)).status == 204
        paths.append(add(world, number).headers["location"])
    assert held(world, "manual_accounts") == MOST


def test_a_user_from_before_there_was_a_bound_is_counted(world: World) -> None:
    for number in range(MOST - 1):
        add(world, number)
    with world.looking():
        key = {"pk": {"S": "USER#alice"}, "sk": {"S": "PROFILE"}}
        world.dynamodb.delete_item(TableName=world.environment["TABLE_NAME"], Key=key)
    assert add(world, 8).status == 201
    assert add(world, 9).status == 409
    assert int(profile(world)["manual_accounts_at_most"]["N"]) == MOST


def test_a_second_account_costs_one_look_and_one_transaction(world: World) -> None:
    add(world, 0)
    world.aws.calls.clear()
    assert add(world, 1).status == 201
    assert world.aws.calls == ["Query", "TransactWriteItems"]


def test_a_repeated_key_is_answered_as_before_although_there_is_no_room_now(world: World) -> None:
    first = add(world, 0, idempotency_key="a")
    for number in range(1, MOST):
        add(world, number)
    assert add(world, 0, idempotency_key="a").body == first.body


def test_a_profile_of_counts_alone_is_nobody_at_powens_and_goes_with_the_user(world: World) -> None:
    add(world, 0)
    assert world.powens_user("alice") is None
    world.connect(1)
    assert world.powens_user("alice") is not None
    world.api("DELETE", "/v1/me")
    world.settle()
    assert profile(world) == {}
