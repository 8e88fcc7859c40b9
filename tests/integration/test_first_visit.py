"""A user's first visit makes one user at Powens, whatever is cut short or comes at once."""

import threading

import pytest

from shared.application.request import Request
from shared.application.writing import write
from shared.bootstrap import Container
from tests.integration.api_steps import refused
from tests.integration.world import Reply, World
from tests.worlds.deployment import ORIGIN
from tests.worlds.powens.fake import error


def test_two_devices_that_ask_for_the_first_session_at_once_share_one_powens_user(world: World) -> None:
    opened: list[str] = []
    barrier = threading.Barrier(4, timeout=60)
    pause = threading.Event()

    def device() -> None:
        # Each invocation at once is a process of its own in Lambda, with a container of its own.
        container = Container.from_env()
        world.prepare(container)
        container.sleep = lambda _: (pause.wait(0.01), None)[1]
        barrier.wait()
        open_webview = container.open_webview.run
        request = Request(user_id="alice", correlation_id="c-1", language="fr")
        visit = write(
            lambda: open_webview(request, flow="connect", connection_id=None, language=None, return_to=ORIGIN)
        )
        opened.append(visit.url)

    with world.invoking():
        threads = [threading.Thread(target=device) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    assert len(set(opened)) == 4
    assert [user.temporary for user in world.powens.users.values()] == [False]
    assert world.powens.count("POST /auth/init") == 1


def test_a_second_device_is_asked_to_come_back_when_the_first_one_takes_long(world: World) -> None:
    slow: list[Reply] = []
    world.powens.before("POST /auth/init", lambda: slow.append(world.open_webview()))
    assert world.open_webview().status == 201
    refused(slow[0], 503, "user_being_created")
    assert slow[0].headers["retry-after"] == "2"
    assert len(world.powens.users) == 1


@pytest.mark.parametrize("step", ["POST /auth/token/access", "Encrypt", "UpdateItem"])
def test_a_creation_that_is_cut_short_is_resumed_and_leaves_no_orphan(world: World, step: str) -> None:
    from tests.integration.aws import throttled

    if step.startswith("POST"):
        world.powens.fail(step, error(500), after=True)
    else:
        # The first UpdateItem is the claim.
        if step == "UpdateItem":
            world.aws.fault("UpdateItem", lambda _: None)
        world.aws.raising(step, throttled(step))
    assert world.open_webview().status == 503
    world.clock.advance(seconds=31)
    assert world.open_webview().status == 201
    assert list(world.powens.users) == [41]
    assert world.powens_user("alice") == 41
