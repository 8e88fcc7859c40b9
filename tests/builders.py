"""Small worlds for tests: a fixed clock, and things with every field filled in that a test says nothing about."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shared.domain import ledger
from shared.domain.connection import (
    Account,
    Choice,
    Connection,
    Operation,
    OperationKind,
    account_id,
    connection_id,
)
from shared.domain.facts import Cause
from shared.domain.ledger import Outcome
from shared.domain.observation import Institution, ObservedAccount, ObservedConnection, ObservedSource

NOW = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
USER = "alice"
POWENS_USER = 41
POWENS_CONNECTION = 77
BANK = Institution(id="338178e6-3d01-564f-9a7b-52ca442459bf", name="Banque du Test")


def after(*, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0) -> datetime:
    """A moment after NOW."""
    return NOW + timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)


class FixedClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> datetime:
        """Move it by timedelta's own keywords; returns the new time."""
        self.now += timedelta(**by)
        return self.now


def account(
    powens_id: int = 912,
    *,
    id: str | None = None,  # noqa: A002 - the field's own name
    name: str = "Compte courant",
    custom_name: str | None = None,
    provider_type: str = "checking",
    currency: str | None = "EUR",
    balance: Decimal | None = Decimal("1523.07"),
    iban_key: str | None = None,
    number_key: str | None = None,
    source_id: int | None = 81,
    error: str | None = None,
    enabled: bool = True,
    wanted: bool | None = None,
    choice: Choice | None = None,
    problem: str | None = None,
    closed_at: datetime | None = None,
    missing_since: datetime | None = None,
    discovered_at: datetime = NOW,
    chosen_at: datetime | None = None,
) -> Account:
    """An account of the ledger; wanted as it is enabled unless said otherwise."""
    return Account(
        id=id or account_id(powens_id),
        powens_id=powens_id,
        name=name,
        custom_name=custom_name,
        provider_type=provider_type,
        currency=currency,
        balance=balance,
        iban_key=iban_key,
        iban_last4=iban_key[-4:] if iban_key else None,
        number_key=number_key,
        source_id=source_id,
        error=error,
        last_success_at=NOW,
        discovered_at=discovered_at,
        chosen_at=chosen_at,
        synchronised_since=discovered_at if enabled else None,
        enabled=enabled,
        wanted=enabled if wanted is None else wanted,
        choice=choice,
        problem=problem,
        closed_at=closed_at,
        missing_since=missing_since,
    )


def connection(
    *accounts: Account,
    powens_id: int = POWENS_CONNECTION,
    user_id: str = USER,
    institution: Institution = BANK,
    state: str | None = None,
    active: bool = True,
    sources: tuple[ObservedSource, ...] = (),
    last_success_at: datetime | None = NOW,
    created_at: datetime = NOW,
    announced_status: str = "ok::Banque du Test",
    operations: tuple[Operation, ...] = (),
    read_started_at: datetime = NOW,
    written_at: datetime | None = None,
    removed_at: datetime | None = None,
    revision: int = 1,
    version: int = 1,
) -> Connection:
    """A connection of the ledger, already announced, whose last read began at NOW."""
    return Connection(
        id=connection_id(powens_id),
        user_id=user_id,
        powens_user_id=POWENS_USER,
        powens_id=powens_id,
        institution=institution,
        state=state,
        active=active,
        sources=sources,
        last_success_at=last_success_at,
        last_attempt_at=last_success_at,
        announced_status=announced_status,
        accounts=accounts,
        operations=operations,
        created_at=created_at,
        read_started_at=read_started_at,
        written_at=written_at,
        removed_at=removed_at,
        revision=revision,
        version=version,
    )


def operation(
    id: str = "operation-1",  # noqa: A002 - the field's own name
    *,
    kind: OperationKind = OperationKind.SELECTION,
    at: datetime = NOW,
) -> Operation:
    """An open operation without accounts."""
    return Operation(
        id=id,
        user_id=USER,
        connection_id=connection_id(POWENS_CONNECTION),
        kind=kind,
        created_at=at,
        deadline_at=at + ledger.OPERATION_DEADLINE,
        correlation_id="correlation-1",
        undo_until=at + ledger.UNDO_FOR if kind is OperationKind.SELECTION else None,
    )


def observed_account(
    powens_id: int = 912,
    *,
    name: str = "Compte courant",
    provider_type: str = "checking",
    currency: str | None = "EUR",
    balance: Decimal | None = Decimal("1523.07"),
    disabled: bool = False,
    deleted: bool = False,
    iban_key: str | None = None,
    number_key: str | None = None,
    source_id: int | None = 81,
    error: str | None = None,
    last_update: datetime | None = NOW,
) -> ObservedAccount:
    """An account as a read with `?all` shows it: the one that `account` holds, unless said otherwise."""
    return ObservedAccount(
        powens_id=powens_id,
        name=name,
        provider_type=provider_type,
        currency=currency,
        balance=balance,
        disabled=disabled,
        deleted=deleted,
        iban_key=iban_key,
        iban_last4=iban_key[-4:] if iban_key else None,
        number_key=number_key,
        source_id=source_id,
        error=error,
        last_update=last_update,
    )


def observed(
    *accounts: ObservedAccount,
    at: datetime = NOW,
    powens_id: int = POWENS_CONNECTION,
    institution: Institution = BANK,
    state: str | None = None,
    active: bool = True,
    last_update: datetime | None = NOW,
    next_try: datetime | None = NOW + timedelta(hours=24),
    sources: tuple[ObservedSource, ...] = (),
) -> ObservedConnection:
    """One read of a connection that began at `at`."""
    return ObservedConnection(
        powens_id=powens_id,
        institution=institution,
        state=state,
        active=active,
        created=NOW,
        last_update=last_update,
        next_try=next_try,
        sources=sources,
        accounts=accounts,
        read_started_at=at,
    )


def read(
    held: Connection | None,
    *accounts: ObservedAccount,
    at: datetime | None = None,
    seen: ObservedConnection | None = None,
    trigger: Cause = Cause.BANK,
) -> Outcome:
    """Reconcile with a read of `accounts` that began, and is applied, at `at`."""
    shown = seen or observed(*accounts, at=at or NOW)
    return ledger.reconcile(
        held,
        shown,
        user_id=USER,
        powens_user_id=POWENS_USER,
        trigger=trigger,
        correlation_id="correlation-1",
        now=shown.read_started_at,
    )


def choose(
    held: Connection, wants: dict[int, bool], *, at: datetime = NOW, operation_id: str = "operation-1"
) -> Outcome:
    """Choose by the Powens ids under which the accounts are known now."""
    ids = {a.powens_id: a.id for a in held.accounts}
    return ledger.choose(
        held,
        {ids[powens_id]: wanted for powens_id, wanted in wants.items()},
        operation_id=operation_id,
        correlation_id="correlation-1",
        now=at,
    )


def answer(
    held: Connection,
    *,
    at: datetime,
    refusals: dict[int, str] | None = None,
    orders: Iterable[ledger.Order] | None = None,
    operation_id: str = "operation-1",
) -> Outcome:
    """Record that Powens answered the open orders at `at`; `refusals` by Powens id."""
    given = ledger.orders(held) if orders is None else orders
    results = [ledger.OrderResult(order=order, refusal=(refusals or {}).get(order.powens_id)) for order in given]
    return ledger.record(held, results, operation_id=operation_id, at=at, now=at)
