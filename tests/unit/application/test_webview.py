"""Visits to the Webview: one user at Powens however many devices come, and a way back for everybody."""

from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from shared.application.access import CLAIM_FOR, WAIT_FOR
from shared.application.webview import Flow
from shared.application.writing import write
from shared.contracts.messages import HintMessage
from shared.domain.errors import (
    AppError,
    Conflict,
    InvalidInput,
    NotFound,
    PowensUnavailable,
    Unavailable,
    UserBeingErased,
)
from tests.builders import POWENS_CONNECTION, USER, observed, observed_account
from tests.unit.application.world import ALICE, APP, ID, World


def visit(world: World, flow: Flow = "connect", connection_id: str | None = None, return_to: str = APP) -> str:
    """The state under which the visit comes back."""
    opened = write(
        lambda: world.open_webview.run(
            ALICE, flow=flow, connection_id=connection_id, language=None, return_to=return_to
        )
    )
    return opened.url.rpartition("/")[2]


def come_back(world: World, *states: str, error: str | None = None, named: tuple[str, ...] = ()) -> str | None:
    missed: list[AppError] = []
    where = world.return_from_webview.run(states, error=error, named=named, correlation_id="c", missed=missed.append)
    assert missed == []
    return where


def test_the_first_visit_makes_the_user_at_powens_and_the_next_ones_do_not(world: World) -> None:
    visit(world)
    visit(world)
    assert world.powens.calls == ["create", "make_permanent", "code", "code"]


def test_a_device_that_comes_while_another_creates_the_user_waits_for_it(world: World) -> None:
    def another_device() -> None:
        before = world.clock.now
        with pytest.raises(Unavailable):
            visit(world)
        assert world.clock.now - before >= WAIT_FOR

    world.powens.meanwhile["create"] = [another_device]
    visit(world)
    assert world.powens.calls == ["create", "make_permanent", "code"]


def test_a_device_that_took_too_long_leaves_the_user_to_the_one_that_came_after(world: World) -> None:
    def another_device() -> None:
        world.clock.now += CLAIM_FOR + timedelta(seconds=1)
        visit(world)

    world.powens.meanwhile["create"] = [another_device]
    with pytest.raises(Unavailable):
        visit(world)
    access = world.users.access(USER)
    assert access is not None
    assert access.powens_user_id == 41
    visit(world)


def test_a_creation_that_was_cut_short_is_resumed_with_the_id_that_was_noted(world: World) -> None:
    world.powens.troubles["make_permanent"] = [PowensUnavailable()]
    with pytest.raises(PowensUnavailable):
        visit(world)
    visit(world)
    assert world.powens.calls == ["create", "make_permanent", "renew 41", "code"]


def test_a_temporary_user_that_powens_deleted_meanwhile_is_made_anew(world: World) -> None:
    world.powens.troubles["make_permanent"] = [PowensUnavailable()]
    with pytest.raises(PowensUnavailable):
        visit(world)
    world.powens.users.clear()
    visit(world)
    assert world.memory.owners == {42: USER}


def test_a_user_who_is_gone_at_powens_is_replaced_after_what_that_one_had(world: World) -> None:
    world.connect(observed_account(1))
    world.powens.users.clear()
    world.powens.connections.clear()
    visit(world)
    assert world.held().removed_at is not None
    assert world.powens.calls == ["code", "create", "make_permanent", "code"]


@pytest.mark.parametrize(("error", "result"), [(None, "done"), ("access_denied", "cancelled"), ("server", "failed")])
def test_whoever_comes_back_is_read_back_each_time_whatever_powens_says(
    world: World, error: str | None, result: str
) -> None:
    state = visit(world)
    for _ in range(2):
        assert come_back(world, state, error=error) == f"{APP}?result={result}"
    assert [type(message) for message in world.memory.messages] == [HintMessage, HintMessage]


def test_a_state_of_nobody_lands_in_the_app_and_nothing_is_read(world: World) -> None:
    state = visit(world)
    assert come_back(world) == come_back(world, "x" * 43, "../etc") == APP
    assert world.memory.messages == []
    assert come_back(world, "x" * 43, state) == f"{APP}?result=done"


def test_a_visit_that_could_not_be_noted_still_leads_back(world: World) -> None:
    state = visit(world)
    missed: list[AppError] = []

    def down() -> None:
        raise PowensUnavailable

    world.just_before_the_next_write(down)
    where = world.return_from_webview.run([state], error=None, correlation_id="c", missed=missed.append)
    assert (where, [type(error) for error in missed]) == (APP, [PowensUnavailable])


@pytest.mark.parametrize(
    ("flow", "connection_id", "return_to", "refused"),
    [
        ("connect", None, "https://elsewhere.example", InvalidInput),
        ("connect", ID, APP, InvalidInput),
        ("reconnect", None, APP, InvalidInput),
        ("manage", "unknown", APP, NotFound),
    ],
)
def test_a_visit_that_may_not_be_is_refused_before_powens_is_asked(
    world: World, flow: Flow, connection_id: str | None, return_to: str, refused: type[AppError]
) -> None:
    with pytest.raises(refused):
        visit(world, flow, connection_id, return_to)
    assert world.powens.calls == []


def test_an_erasure_that_begins_while_a_visit_opens_wins(world: World) -> None:
    world.powens.meanwhile["code"] = [lambda: write(lambda: world.begin_erasure.run(ALICE))]
    with pytest.raises(UserBeingErased):
        visit(world)
    assert world.memory.sessions == {}


def code(where: str | None) -> str | None:
    return dict(parse_qsl(urlsplit(where or "").query)).get("return_code")


def test_of_two_returns_that_race_one_gets_the_code_and_both_are_read_back() -> None:
    world = World(confirm_within=timedelta(hours=1))
    state = visit(world)
    others: list[str | None] = []

    def other() -> None:
        others.append(come_back(world, state, named=("77",)))

    world.just_before_the_next_write(other)
    mine = come_back(world, state, named=("77",))
    assert [code(where) is not None for where in (mine, *others)] == [False, True]
    assert len(world.memory.messages) == 2


def test_a_confirmation_that_loses_a_race_against_the_end_is_refused() -> None:
    world = World(confirm_within=timedelta(hours=1))
    state = visit(world)
    world.powens.connections[POWENS_CONNECTION] = observed(observed_account(1))
    returned = code(come_back(world, state, named=(str(POWENS_CONNECTION),)))
    assert returned is not None
    world.hint()
    world.just_before_the_next_write(lambda: write(lambda: world.confirm.deny(ALICE, ID)))
    with pytest.raises(Conflict):
        write(lambda: world.confirm.by_return(ALICE, returned))
    world.work()
    assert world.powens.connections == {}
    assert world.told() == []
