"""What the tests of journeys share: kinds of events, and another choice made in the Webview."""

from typing import Any

from tests.integration.world import World
from tests.worlds.powens.model import Connection


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return sorted(event["detail-type"] for event in events)


def flip(world: World, connection: Connection, *ticked: int) -> None:
    """In the Webview: exactly these accounts are ticked, and Powens says so with a webhook for each change."""
    for account in connection.accounts.values():
        if account.disabled == (account.id in ticked):
            account.disabled = not account.disabled
            world.webhook("account-disabled" if account.disabled else "account-enabled", connection, id=account.id)
