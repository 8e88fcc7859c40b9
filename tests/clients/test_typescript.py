"""The TypeScript client compiles as strictly as can be, and plays the journey of docs/clients against the API."""

import json
from pathlib import Path

import pytest

from tests.clients.models import examples, plain, with_news
from tests.clients.packages import NODE, run
from tests.clients.served import TOKEN, served
from tests.integration.world import World

pytestmark = pytest.mark.slow

AGAIN = """
import * as client from 'synced-accounts';
import { readFileSync } from 'node:fs';
const examples = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const again = ([model, value]) => client[`${model}ToJSON`](client[`${model}FromJSON`](value));
console.log(JSON.stringify(examples.map(again)));
"""


def test_the_journey_lists_chooses_waits_and_undoes(world: World, app: Path) -> None:
    connection = world.connect(1, 2)
    with served(world) as api:
        said = run(NODE, "run.js", api.address, TOKEN, cwd=app).splitlines()
    assert said == [
        "Disabling Compte 1; Powens will delete the history of 1 account.",
        "The choice is completed.",
        "The undo is completed.",
    ]
    chosen = next(reply for request, reply in api.asked if request.startswith("PUT "))
    looks = [
        reply.json["status"] for request, reply in api.asked if request == f"GET /v1/operations/{chosen.json['id']}"
    ]
    assert looks == ["pending", "completed"]
    assert world.at_powens(connection) == {1, 2}
    [disabled] = [event for event in world.events("AccountsUpdated") if event["metadata"]["cause"] == "user"][:1]
    assert [line["change"] for line in disabled["data"]["accounts"]] == ["disabled"]


def test_a_refusal_is_told_with_its_code_and_what_to_quote(world: World, app: Path) -> None:
    world.connect(1, 2)
    with served(world) as api:
        refusal = world.api("GET", "/v1/connections/none")
        world.api = lambda *_, **__: refusal  # type: ignore[method-assign]  # whatever is asked
        said = run(NODE, "run.js", api.address, TOKEN, cwd=app).splitlines()
    assert said == [f"{refusal.json['detail']} (connection_not_found; quote {refusal.json['request_id']})"]


def test_every_body_is_read_and_written_as_it_was_whatever_is_added_to_it(app: Path) -> None:
    given = examples()
    assert len(given) > 50
    (app / "again.js").write_text(AGAIN)
    file = app / "examples.json"
    file.write_text(json.dumps([(model, with_news(value)) for model, value in given]), "utf-8")
    written = json.loads(run(NODE, "again.js", file, cwd=app))
    for (model, value), after in zip(given, written, strict=True):
        assert plain(after) == plain(value), model
