"""What the sandbox remembers: plain records that know nothing of HTTP."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from powens_sandbox.banks.catalogue import AccountSpec, Connector

# States that only the user can end; the others are tried again by the next synchronisation.
USER_MUST_ACT = frozenset(
    {
        "SCARequired",
        "webauthRequired",
        "additionalInformationNeeded",
        "decoupled",
        "actionNeeded",
        "passwordExpired",
        "wrongpass",
    }
)


@dataclass
class Token:
    """`kind` is permanent, temporary or code; only codes are ever `single`."""

    value: str
    kind: str
    user_id: int
    created: datetime
    expires: datetime | None
    single: bool = False


@dataclass
class User:
    id: int
    signin: datetime
    permanent: bool
    # Events of a temporary user wait here until it becomes permanent.
    held: "list[Event]" = field(default_factory=list)


@dataclass
class Source:
    """One way into the bank within a connection."""

    id: int
    connector_source_id: int
    name: str
    created: datetime
    state: str | None = None
    last_update: datetime | None = None
    disabled: datetime | None = None
    access_expire: datetime | None = None
    # Its accounts are discovered by the first authentication that succeeds.
    discovered: bool = False
    # It succeeded while the whole institution was out: what there is shows at the first synchronisation that works.
    awaited: bool = False
    # The institution offers this way in no longer, so that its state says notSupported.
    closed: bool = False


@dataclass
class Account:
    id: int
    user_id: int
    connection_id: int
    source_id: int
    spec: AccountSpec
    name: str
    number: str | None
    iban: str | None
    type: str
    currency: str | None
    balance: Decimal | None
    coming: Decimal | None
    usage: str | None
    disabled: datetime | None
    first_transaction_id: int
    opened: datetime
    parent_id: int | None = None
    display: bool = True
    bookmarked: bool = False
    deleted: datetime | None = None
    # Deleted because the bank stopped sharing it: when it does so again, it is a new account.
    withdrawn: bool = False
    last_update: datetime | None = None
    error: str | None = None
    # Transactions are told once, in the first synchronisation after the account was enabled.
    told: bool = False
    # What its answers say instead, field by field, whether it makes sense or not.
    raw: dict[str, object] = field(default_factory=dict)


@dataclass
class LogLine:
    id: int
    at: datetime
    source_id: int | None
    state: str | None
    error_message: str | None


@dataclass
class Connection:
    id: int
    user_id: int
    connector: Connector
    persona: str
    created: datetime
    sources: list[Source] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    state: str | None = None
    # What the whole institution failed with at the last synchronisation.
    outage: str | None = None
    error_message: str | None = None
    active: bool = True
    locked: bool = False
    last_update: datetime | None = None
    last_push: datetime | None = None
    next_try: datetime | None = None
    # Synchronisations in a row that met wrong credentials.
    wrong_tries: int = 0
    log: list[LogLine] = field(default_factory=list)
    # Keys of accounts that the bank lists under another connection from now on.
    moved: set[str] = field(default_factory=set)
    # The synchronisation that waits for its time, if any, and the choices that it tells about.
    sync_job: int | None = None
    late_choices: list[Account] = field(default_factory=list)
    # A synchronisation that somebody forced, and that goes on.
    forced: bool = False
    # What its answers say instead, field by field, whether it makes sense or not.
    raw: dict[str, object] = field(default_factory=dict)

    def source(self, name: str) -> Source | None:
        return next((source for source in self.sources if source.name == name), None)

    @property
    def shown_state(self) -> str | None:
        """Any source's error is shown as the connection's."""
        return (
            self.outage
            or self.state
            or next((source.state for source in self.sources if source.state and not source.disabled), None)
        )

    @property
    def enabled_accounts(self) -> list[Account]:
        return [account for account in self.accounts if account.disabled is None and account.deleted is None]


@dataclass(frozen=True)
class Event:
    """One webhook payload to be: `data` is the body without its id_webhook_data."""

    id: int
    name: str
    user_id: int
    data: dict[str, object]
    at: datetime
    token: str | None = None
