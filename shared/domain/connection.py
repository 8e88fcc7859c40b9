"""The aggregate: one connection with its accounts, the choices about them and the operations that carry them out."""

import uuid
import zlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from shared.domain.observation import Institution, ObservedSource
from shared.domain.unknown import Stored

_NAMESPACE = uuid.UUID("9a2cbb5e-55b5-4c43-9d3c-5d5f0c6a7c11")

END_AGAIN_AFTER = timedelta(hours=1)
"""When Powens still has an unconfirmed connection that it was asked to end."""
MAX_ACCOUNTS = 300
"""Most accounts of a stored connection: so many always fit one DynamoDB item of 400 kB (ADR 0004)."""


def connection_id(powens_connection_id: int) -> str:
    """Our id of a connection: derived, so that two workers who discover it at once write the same item."""
    return str(uuid.uuid5(_NAMESPACE, f"connection/{powens_connection_id}"))


def account_id(powens_account_id: int, nth: int = 0) -> str:
    """Our id of an account, from the Powens id under which it was first discovered; it outlives that id (rule 3).

    `nth`: 0 for the first account that was discovered under a Powens id, 1 for the second, and so on.
    """
    return str(uuid.uuid5(_NAMESPACE, f"account/{powens_account_id}" + (f"/{nth}" if nth else "")))


def restoration_id(powens_account_id: int, read_started_at: datetime) -> str:
    """Id of the operation that restores an account which came back in another state than wanted."""
    return str(uuid.uuid5(_NAMESPACE, f"restoration/{powens_account_id}/{read_started_at.isoformat()}"))


class AccountType(StrEnum):
    """Account types as users think."""

    CHECKING = "checking"
    CARD = "card"
    SAVINGS = "savings"
    SECURITIES = "securities"
    LIFE_INSURANCE = "life_insurance"
    EMPLOYEE_SAVINGS = "employee_savings"
    LOAN = "loan"
    CRYPTO = "crypto"
    OTHER = "other"


_TYPES = {
    AccountType.CHECKING: "checking joint",
    AccountType.CARD: "card",
    AccountType.SAVINGS: "savings livret_a livret_b ldds lep cel csl pel cat deposit",
    AccountType.SECURITIES: "market pea",
    AccountType.LIFE_INSURANCE: "lifeinsurance capitalisation madelin per perp",
    AccountType.EMPLOYEE_SAVINGS: "pee perco rsp article83",
    AccountType.LOAN: "loan mortgage consumercredit revolvingcredit",
    AccountType.CRYPTO: "crypto",
}
_TYPE_OF = {provider: ours for ours, names in _TYPES.items() for provider in names.split()}


def account_type(provider_type: str) -> AccountType:
    """Our type for Powens' finer one; Powens' list is open, so an unknown one is `other`."""
    return _TYPE_OF.get(provider_type, AccountType.OTHER)


class OperationKind(StrEnum):
    """What an operation is for. A restoration is ours: it puts right an account that came back (rule 3).

    An erasure is about a user as a whole and lives apart: `shared.domain.erasure`.
    """

    SELECTION = "selection"
    RESTORATION = "restoration"
    REFRESH = "refresh"
    DELETION = "deletion"
    ERASURE = "erasure"


class OperationStatus(StrEnum):
    """Every status but the first two is terminal."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    PARTIALLY_COMPLETED = "partially_completed"
    NEEDS_USER = "needs_user"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


class ItemStatus(StrEnum):
    """How far an operation is with one account; every status but the first is terminal."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    NEEDS_USER = "needs_user"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationItem(Stored):
    """One account of an operation. `before`: what undo restores. `reason`: a code, unless it is done."""

    account_id: str
    wanted: bool
    before: bool
    status: ItemStatus = ItemStatus.PENDING
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Stored):
    """Something asked for that takes a while. Open ones live in their connection; each has an end (`deadline_at`).

    `last_success_at`, of a refresh: that of the connection at the start of the operation, then at its end.
    """

    id: str
    user_id: str
    connection_id: str
    kind: OperationKind
    created_at: datetime
    deadline_at: datetime
    correlation_id: str
    status: OperationStatus = OperationStatus.PENDING
    ended_at: datetime | None = None
    reason: str | None = None
    undo_until: datetime | None = None
    last_success_at: datetime | None = None
    items: tuple[OperationItem, ...] = ()

    @property
    def open(self) -> bool:
        return self.ended_at is None

    @property
    def of_choices(self) -> bool:
        """Whether it ends with its items. Any other kind, one of a newer release too, ends as a whole."""
        return self.kind in (OperationKind.SELECTION, OperationKind.RESTORATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Stored):
    """A choice whose effect no read has shown yet; `Account.wanted` is what was chosen.

    `doubt`: an earlier opposite order may still take effect, so a new order, and a read after it, are needed.
    `confirmed_at`: when Powens acknowledged the order, which is not given again then.
    `seen`: the state in later reads. `Account.enabled` changes when the operation ends, so that one confirm is one
    event, whatever webhooks arrive in between.
    `visible`: a read has certainly shown the effect of the order.
    """

    operation_id: str
    doubt: bool = False
    confirmed_at: datetime | None = None
    seen: bool | None = None
    visible: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Account(Stored):
    """One account in the ledger.

    `enabled` is what Powens showed last, `wanted` the newest choice. They differ only while a choice is being carried
    out, while the user must be asked (`problem`, a reason code), and while the bank does not show the account.

    `chosen_at`: when somebody last chose. `repairs`: when we restored it recently. `former_ids`: our ids of accounts
    that turned out to be this one. `synchronised_since`: when a read first showed it enabled. `unreadable`: the last
    read did not show whether it is enabled.

    `missing_since`: the first complete answer that lacked it. `unseen_since`: the first answer at all that did; a
    release that does not know it stored None. `ambiguous`: it was new when another account, from
    which nothing tells it, got a new Powens id that may as well be its own (rule 3).
    """

    id: str
    powens_id: int
    name: str
    custom_name: str | None = None
    provider_type: str
    currency: str | None = None
    balance: Decimal | None = None
    iban_key: str | None = None
    iban_last4: str | None = None
    number_key: str | None = None
    number_last4: str | None = None
    source_id: int | None = None
    error: str | None = None
    last_success_at: datetime | None = None
    discovered_at: datetime
    synchronised_since: datetime | None = None
    enabled: bool
    wanted: bool
    choice: Choice | None = None
    problem: str | None = None
    closed_at: datetime | None = None
    missing_since: datetime | None = None
    unseen_since: datetime | None = None
    chosen_at: datetime | None = None
    repairs: tuple[datetime, ...] = ()
    former_ids: tuple[str, ...] = ()
    unreadable: bool = False
    ambiguous: bool = False

    @property
    def type(self) -> AccountType:
        return account_type(self.provider_type)

    @property
    def shown_name(self) -> str:
        return self.custom_name or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconfirmed(Stored):
    """What is known of a connection of which nobody has shown that it is the user's own (ADR 0043).

    It can be confirmed before `until`, and not once its end at Powens was asked for, last at `ending_since`.
    `wrong_answers`: how often something was said about its accounts that Powens does not show.
    """

    until: datetime
    wrong_answers: int = 0
    ending_since: datetime | None = None

    @property
    def due_at(self) -> datetime:
        """When its end has to be asked for, the first time or again."""
        return self.until if self.ending_since is None else self.ending_since + END_AGAIN_AFTER

    def may_be_confirmed(self, now: datetime) -> bool:
        return self.ending_since is None and now < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection(Stored):
    """One connection of one user.

    `revision` grows by one with every published event and is what the API shows; `version` grows with every write and
    is what concurrent writers compare. A read that began before `read_started_at` or `written_at` changes nothing
    (rule 7). `removed_at`: this is a tombstone, `ended_by_user` or taken away by Powens. `unconfirmed`: nothing is kept
    of it but that it is there, and nobody hears of it. `plan_late_by` and `reads_in_vain`: see `expectation`.
    """

    id: str
    user_id: str
    powens_user_id: int
    powens_id: int
    institution: Institution
    state: str | None = None
    active: bool = True
    sources: tuple[ObservedSource, ...] = ()
    last_success_at: datetime | None = None
    last_attempt_at: datetime | None = None
    next_try: datetime | None = None
    plan_late_by: timedelta = timedelta()
    reads_in_vain: int = 0
    announced_status: str = ""
    accounts: tuple[Account, ...] = ()
    operations: tuple[Operation, ...] = field(default=())
    created_at: datetime
    read_started_at: datetime
    written_at: datetime | None = None
    removed_at: datetime | None = None
    ended_by_user: bool = False
    unconfirmed: Unconfirmed | None = None
    revision: int = 0
    version: int = 0

    @property
    def shown(self) -> bool:
        """Whether its user sees it."""
        return self.removed_at is None and self.unconfirmed is None

    @property
    def kept(self) -> "Connection":
        """As it is stored: of a connection that its user ended only ids and keyed hashes, to know it again.

        One that Powens took away may come back, in part at first: it keeps its names, but no balances and digits.
        """
        if self.removed_at is None:
            return self
        if not self.ended_by_user:
            bare = (replace(a, balance=None, iban_last4=None, number_last4=None) for a in self.accounts)
            return replace(self, accounts=tuple(bare))
        return replace(
            self,
            institution=replace(self.institution, name="", logo_url=None, color=None),
            sources=(),
            accounts=tuple(
                replace(account, name="", custom_name=None, balance=None, iban_last4=None, number_last4=None)
                for account in self.accounts
            ),
        )

    def account(self, account_id: str) -> Account | None:
        """The account that has this id, or had it."""
        return next((a for a in self.accounts if a.id == account_id or account_id in a.former_ids), None)

    def with_account(self, changed: Account) -> "Connection":
        return replace(self, accounts=tuple(changed if a.id == changed.id else a for a in self.accounts))

    @property
    def unsettled(self) -> int:
        """How many choices are being carried out."""
        return sum(account.choice is not None for account in self.accounts)

    @property
    def edition(self) -> str:
        """`<revision>`, and `<revision>.<digest of the choices>` while choices are being carried out.

        It tells that another device has chosen meanwhile, though no revision tells of it yet.
        """
        if not self.unsettled:
            return str(self.revision)
        choices = [(a.id, a.wanted, a.choice.operation_id) for a in self.accounts if a.choice is not None]
        return f"{self.revision}.{zlib.crc32(repr(choices).encode())}"
