"""What the tests of faults share: the path of a refresh, and what settled means."""

from shared.domain.connection import connection_id
from tests.integration.world import World
from tests.worlds.powens.model import Connection

REFRESH = f"/v1/connections/{connection_id(77)}/refresh"


def settled(world: World, connection: Connection, *ticked: int) -> None:
    assert world.enabled(connection) == world.at_powens(connection) == set(ticked)
    assert not world.commands.messages
    assert not world.commands.dead
    assert not world.refresh.messages
    assert not world.refresh.dead
