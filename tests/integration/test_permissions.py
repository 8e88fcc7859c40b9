"""Calls of AWS that only a race needs: roles must allow them all the same, and `conftest.py` looks at every call."""

from tests.integration.erasure_steps import erase, erased
from tests.integration.world import Reply, World


def test_a_connection_that_goes_at_powens_during_the_erasure_is_not_written_again(world: World) -> None:
    connection = world.connect(1, 2, disabled=(2,))
    world.choose(connection, 1, 2)
    begun: list[Reply] = []

    def meanwhile() -> None:
        begun.append(erase(world))
        world.publish()
        world.deliver("commands")

    world.publish()
    del world.powens.connections[connection.id]
    world.powens.before("GET /users/41/connections$", meanwhile)
    world.deliver("commands")
    world.settle()
    erased(world, begun[0])
