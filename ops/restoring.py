"""Users whose items are missing get them back from a restored table (docs/recovery.md)."""

from collections.abc import Iterable, Iterator

from ops.system import System
from shared.adapters.dynamodb import restoring
from shared.adapters.dynamodb.table import Table


def copy_back(system: System, restored: str, users: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Each user with how many items came back. It may be repeated. Raises StoreUnavailable."""
    client = system.client("dynamodb")
    source, live = Table(client, restored), Table(client, system.outputs["TableName"])
    for user in users:
        yield user, restoring.copy_back(source, live, user)
