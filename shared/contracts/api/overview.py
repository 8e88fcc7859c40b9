"""The list of all that a user has: connections, manual accounts and wishes."""

from datetime import datetime

from shared.application.ports import Listed
from shared.contracts.api.accounts import AccountRelations, AccountView, manual_view
from shared.contracts.api.bodies import Answered
from shared.contracts.api.connections import ConnectionView, UnconfirmedView, connection_view
from shared.contracts.api.wishes import WishView, wish_view
from shared.contracts.texts import Language


class ConnectionList(Answered):
    """All that a user has."""

    connections: tuple[ConnectionView, ...]
    """Every connection, with its accounts."""
    manual_accounts: tuple[AccountView, ...]
    """The accounts that the user keeps."""
    wishes: tuple[WishView, ...]
    """What the user waits for."""
    unconfirmed: tuple[UnconfirmedView, ...] = ()
    """New connections that nobody has confirmed, and that can still be. Each came from a visit that the user opened."""


def connection_list(listed: Listed, *, now: datetime, language: Language, public_url: str) -> ConnectionList:
    relations = AccountRelations.of(listed, now)
    return ConnectionList(
        connections=tuple(
            connection_view(connection, now=now, relations=relations, language=language, public_url=public_url)
            for connection in listed.connections
        ),
        manual_accounts=tuple(manual_view(account, relations) for account in listed.manual_accounts),
        wishes=tuple(wish_view(wish) for wish in listed.wishes),
        unconfirmed=tuple(
            UnconfirmedView(id=connection.id, found_at=connection.created_at, confirm_until=waiting.until)
            for connection in listed.all_connections
            if connection.removed_at is None
            and (waiting := connection.unconfirmed) is not None
            and waiting.may_be_confirmed(now)
        ),
    )
