"""One visit of the Webview: what was asked for in its address, and where the user is."""

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from powens_sandbox.banks.catalogue import Connector
from powens_sandbox.banks.institutions import Institutions
from powens_sandbox.world.clients import Client
from powens_sandbox.world.model import Account, Connection

_MAX_SESSIONS = 2000
_LIFE = timedelta(minutes=60)


@dataclass
class Session:
    """`purpose` says what a successful authentication is for: a new connection, one more source, or a repair."""

    id: str
    flow: str
    language: str
    user_id: int
    created: datetime
    step: str
    client: Client
    redirect_uri: str | None
    state: str | None
    query: Mapping[str, str]
    anonymous: bool = False
    framed: bool = False
    purpose: str = "new"
    connector: Connector | None = None
    connection_id: int | None = None
    source: str = ""
    search: str = ""
    ticks: dict[int, bool] = field(default_factory=dict)
    made: list[int] = field(default_factory=list)
    deleted: bool = False
    message: str = ""
    notice: str = ""
    ended: str | None = None

    def names(self, parameter: str) -> list[str]:
        """A comma list of the address."""
        return [item.strip() for item in self.query.get(parameter, "").split(",") if item.strip()]

    def connectors(self, institutions: Institutions) -> list[Connector]:
        """The institutions on offer: those named, or all that have every capability asked for."""
        named = self.names("connector_ids") + self.names("connector_uuids")
        if named:
            found = [institutions.find(reference) for reference in dict.fromkeys(named)]
            return [item for item in dict.fromkeys(found) if item is not None and _takes_new_ones(item)]
        wanted = set(self.names("connector_capabilities") or ["bank"])
        country = self.query.get("connector_country", "").upper()
        return [
            item
            for item in sorted(institutions.all(), key=lambda item: item.name.casefold())
            if not item.hidden
            and _takes_new_ones(item)
            and wanted <= set(item.capabilities)
            and (not country or item.country == country)
        ]

    def offers(self, account: Account) -> bool:
        """Whether the address's filters let the user choose this account."""
        types, ibans = self.names("account_types"), self.names("account_ibans")
        usages = {usage.upper() for usage in self.names("account_usages")}
        return (
            account.deleted is None
            and (not types or account.type in types)
            and (not ibans or (account.iban or "") in ibans)
            and (not usages or (account.usage or "PRIV") in usages)
        )

    def next_source(self, connection: Connection) -> str | None:
        """The source that "connect other accounts" would add, if any is left that shares a type asked for."""
        types = set(self.names("account_types"))
        for source in connection.connector.sources_open:
            if connection.source(source.name) is None and (not types or types & set(source.account_types)):
                return source.name
        return None

    def open(self, connection: Connection) -> None:
        """Choose among the accounts of this connection."""
        self.purpose = "choose"
        self.connection_id, self.connector = connection.id, connection.connector
        self.ticks = {account.id: account.disabled is None for account in connection.accounts}
        self.step = "accounts"

    @property
    def max_connections(self) -> int:
        value = self.query.get("max_connections", "1")
        return max(1, int(value)) if value.isascii() and value.isdigit() and len(value) < 6 else 1


def _takes_new_ones(connector: Connector) -> bool:
    return not connector.restricted and bool(connector.sources_open)


class Sessions:
    """The open visits. The oldest are forgotten when there are too many."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def open(self, session: Session) -> None:
        self._sessions[session.id] = session
        while len(self._sessions) > _MAX_SESSIONS:
            self._sessions.popitem(last=False)

    def get(self, session_id: str, now: datetime) -> Session | None:
        session = self._sessions.get(session_id)
        return session if session and now - session.created < _LIFE else None

    def clear(self) -> None:
        self._sessions.clear()


def new_session_id() -> str:
    return secrets.token_urlsafe(18)
