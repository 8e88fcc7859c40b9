"""docs/privacy.md lists everything that a table holds after journeys, and when it goes."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

import pytest

from functions.accounts_api.container import container
from functions.orphan_check import app as orphan_check
from local.paths import ROOT
from shared.adapters.dynamodb.live import DynamoDBSockets
from shared.application.live import SOCKET_FOR, OpenSocket
from shared.domain.manual import CHUNK
from tests.integration.belongings import belongings
from tests.integration.test_orphans import with_token
from tests.integration.world import World
from tests.worlds.powens.fake import USERS_TOKEN
from tests.worlds.powens.model import Connector
from tests.worlds.triggers import event_file

ROW = re.compile(r"^\| `([A-Z#]+)`(?: `([A-Z#]+)`)? \| .* \| .* \| (.+) \|$", re.MULTILINE)


class Row(NamedTuple):
    partition: str
    sort: str
    kept: str

    @property
    def longest(self) -> timedelta | None:
        """After which it goes by itself; None for what something else has to end."""
        found = re.search(r"(\d+) (days|hours)$", self.kept)
        return timedelta(**{found[2]: int(found[1])}) if found else None

    def has(self, partition: str, sort: str) -> bool:
        whole = (
            partition.startswith(self.partition)
            if self.partition.endswith("#")
            else (partition.partition("#")[0] == self.partition)
        )
        return whole and sort.startswith(self.sort)


ROWS = [Row(*found) for found in ROW.findall((ROOT / "docs" / "privacy.md").read_text("utf-8"))]


def journeys(world: World, look: Callable[[], None]) -> None:
    """Two users have one of everything; then one of them ends a connection, and is erased. `look` after each."""
    with_token(world, USERS_TOKEN)
    world.powens.connectors["u-1"] = Connector(uuid="u-1", name="Banque du Test")
    world.refresh_catalogue()
    look()
    world.open_webview_with("a-key")
    alice = belongings(world, "alice", first=70)
    bob = belongings(world, "bob", first=90)
    for balance in range(CHUNK + 1):
        changed = world.api("PATCH", f"/v1/accounts/{alice.ids['manual']}", {"balance": str(balance)})
        assert changed.status == 200
        world.clock.advance(minutes=1)
    now = world.clock()
    with world.looking():
        sockets = DynamoDBSockets(container().table)
        sockets.add_socket(OpenSocket(id="s", user_id="alice", opened_at=now, until=now + SOCKET_FOR))
    look()
    world.powens.connections[70].state = "websiteUnavailable"
    world.clock.advance(seconds=10)
    world.webhook("connection-synced", world.powens.connections[70])
    world.settle()
    look()
    for user, has in (("alice", alice), ("bob", bob)):
        path = f"/v1/connections/{has.ids['ended']}"
        assert world.api("DELETE", path, {"confirm": "Banque du Test"}, user=user).status == 202
        world.settle()
    world.invoke(orphan_check.lambda_handler, event_file("orphan_check/every-day"))
    look()
    assert world.api("DELETE", "/v1/me", user="bob").status == 202
    world.settle()
    look()


@pytest.mark.usefixtures("clients_that_confirm")
def test_each_item_is_in_one_row_and_ends_as_the_row_says(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWENS_CALLS_PER_MINUTE", "1000")
    met: set[Row] = set()

    def look() -> None:
        now = world.clock.now
        for item in world.items():
            partition, sort = item["pk"]["S"], item["sk"]["S"]
            rows = [row for row in ROWS if row.has(partition, sort)]
            assert len(rows) == 1, f"{partition} {sort} is in {len(rows)} rows"
            [row] = rows
            met.add(row)
            longest, ends = row.longest, "ttl" in item
            if longest is None:
                assert not ends or not row.partition.endswith("#"), f"{partition} {sort} ends"
                continue
            if not row.kept.startswith("until"):
                assert ends, f"{partition} {sort} never ends"
            if ends:
                left = timedelta(seconds=int(item["ttl"]["N"]) - now.timestamp())
                assert left <= longest, f"{partition} {sort} is kept for {left}"

    journeys(world, look)
    assert [row[:2] for row in ROWS if row not in met] == []
