"""What every answer says to browsers and caches, whatever it is."""

import pytest

from tests.integration.test_hostile_requests import BODIES, ROUTES
from tests.integration.world import Reply, World

LIST = "/v1/connections"


def secure(reply: Reply) -> None:
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if route[1] != "/v1/institutions"])
@pytest.mark.parametrize("user", ["alice", ""], ids=["somebody", "nobody"])
def test_an_answer_with_personal_data_or_a_problem_is_stored_by_nobody(
    world: World, method: str, path: str, user: str
) -> None:
    reply = world.api(method, path, BODIES.get(f"{method} {path}"), user=user)
    secure(reply)
    kept = (method, path, reply.status) == ("GET", LIST, 200)
    assert reply.headers["cache-control"] == ("private, no-cache" if kept else "no-store")


def test_the_list_is_asked_for_again_each_time_and_sent_again_only_when_it_changed(world: World) -> None:
    world.connect(1)
    first = world.api("GET", LIST)
    again = world.api("GET", LIST, if_none_match=first.headers["etag"])
    assert (first.status, again.status, again.body) == (200, 304, "")
    for reply in (first, again):
        secure(reply)
        assert reply.headers["cache-control"] == "private, no-cache"
    # The tag that If-Match takes is for changing, not for keeping.
    [connection] = first.json["connections"]
    assert world.api("GET", f"{LIST}/{connection['id']}").headers["cache-control"] == "no-store"


def test_what_is_the_same_for_everybody_is_kept_for_a_while_by_its_screen(world: World) -> None:
    reply = world.api("GET", "/v1/institutions")
    secure(reply)
    assert reply.headers["cache-control"] == "private, max-age=60"


@pytest.mark.parametrize("path", ["/health", "/v1/webview-return", "/v1/openapi.json", "/nowhere"])
def test_what_needs_no_token_is_no_exception(world: World, path: str) -> None:
    reply = world.api("GET", path)
    secure(reply)
    described = path == "/v1/openapi.json"  # of nobody's data
    assert reply.headers["cache-control"] == ("public, max-age=3600" if described else "no-store")


def test_a_bug_of_ours_is_no_exception(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.aws.raising("Query", RuntimeError("a bug"))
    reply = world.api("GET", LIST)
    assert reply.status == 500
    secure(reply)
    assert reply.headers["cache-control"] == "no-store"
