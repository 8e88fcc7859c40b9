"""The list of all that a user has: connections, manual accounts and wishes."""

from datetime import datetime

from shared.application.ports import Listed
from shared.contracts.api.accounts import AccountRelations, AccountView, manual_view
from shared.contracts.api.bodies import Answered
from shared.contracts.api.connections import ConnectionView, connection_view
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


def connection_list(listed: Listed, *, now: datetime, language: Language, public_url: str) -> ConnectionList:
    relations = AccountRelations.of(listed, now)
    return ConnectionList(
        connections=tuple(
            connection_view(connection, now=now, relations=relations, language=language, public_url=public_url)
            for connection in listed.connections
        ),
        manual_accounts=tuple(manual_view(account, relations) for account in listed.manual_accounts),
        wishes=tuple(wish_view(wish) for wish in listed.wishes),
    )
