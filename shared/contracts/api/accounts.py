"""Accounts in the HTTP API, synchronised and manual ones in one shape."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.application.ports import Listed
from shared.contracts.api.bodies import Accepted, Amount, Answered, DecimalText, Name, ReasonView, reason_view
from shared.contracts.events import Timestamp
from shared.contracts.texts import Language
from shared.domain.connection import Account, AccountType, Connection
from shared.domain.copies import Duplicate, duplicates, superseded
from shared.domain.joins import Suggestion, Synchronised, counts, joined_with, suggestions
from shared.domain.manual import ManualAccount
from shared.domain.status import REASONS, AccountStatus, account_status
from shared.domain.unknown import known


class AccountPatch(Accepted):
    """Exactly one of them: a choice takes a while and is an operation, the others do not."""

    enabled: bool | None = Field(default=None, strict=True, json_schema_extra={"deprecated": True})
    """Whether the account shall be synchronised. The older way to say so."""
    name: Name | None = None
    """What the user calls the account."""
    balance: DecimalText | None = None
    """The balance as of now. Of manual accounts only."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(member is not None for member in (self.enabled, self.name, self.balance)) != 1:
            raise PydanticCustomError("exactly_one", "give one of {fields}", {"fields": "enabled, name, balance"})
        return self


class EnabledRequest(Accepted):
    """Whether a synchronised account shall be enabled."""

    enabled: bool = Field(strict=True)
    """Whether the account shall be synchronised."""


class LinkSuggestionView(Answered):
    """A synchronised account that may be the same as a manual one."""

    account_id: str
    """The synchronised account."""
    evidence: tuple[str, ...]
    """Codes of what the two have in common; the more of them, the likelier."""


class AccountView(Answered):
    """An account, synchronised or manual."""

    id: str
    """Ours; it stays when Powens gives the account another id."""
    kind: Literal["synced", "manual"]
    """`synced` comes from an institution through Powens; `manual` is kept by its user."""
    connection_id: str | None
    """The connection that it belongs to; null for a manual account."""
    name: str
    """What the user calls it, or else the institution."""
    type: AccountType
    """Its type as users think."""
    provider_type: str | None
    """Its finer type at Powens; null for a manual account."""
    iban_last4: str | None
    """The last four characters of its IBAN, when it has one."""
    balance: Amount | None
    """As a decimal string; null when nobody knows it, and of an account that is not synchronised, nor about to be."""
    currency: str | None
    """ISO 4217 code or the ticker of a crypto-asset; null when nobody knows it."""
    enabled: bool
    """Whether it counts and is synchronised, as Powens showed last."""
    status: AccountStatus
    """What to show of it."""
    status_reason: ReasonView | None
    """Why it has this status; null when there is nothing to say."""
    last_success_at: Timestamp | None
    """When its data was last fetched; null when it never was, and for a manual account."""
    duplicate_of: str | None
    """Of a copy that does not count: the account that counts instead."""
    duplicate_reason: ReasonView | None = None
    """Why the other copy counts and not this one."""
    linked_account_id: str | None
    """The account of the other kind that it is joined with."""
    operation_id: str | None = None
    """The open operation that is enabling or disabling it."""
    institution_name: str | None = None
    """Of a manual account, as the user wrote it."""
    link_suggestions: tuple[LinkSuggestionView, ...] = ()
    """Of a manual account: synchronised accounts that may be the same, the likeliest first."""
    number_last4: str | None = None
    """The last four characters of its number, where it has no IBAN; Powens shows the same ones."""


@dataclass(frozen=True, slots=True)
class AccountRelations:
    """What an account shows that follows from all accounts of its user, worked out once for a list.

    `joined`: ids of synchronised accounts by those of their manual ones; `manual_of`: the other way round.
    """

    duplicates: Mapping[str, Duplicate]
    superseded: Mapping[str, str]
    joined: Mapping[str, str]
    manual_of: Mapping[str, str]
    uncounted: frozenset[str]
    suggestions: Mapping[str, tuple[Suggestion, ...]]

    @classmethod
    def of(cls, listed: Listed, now: datetime) -> Self:
        connections = Synchronised(listed.connections)
        doubled = duplicates(connections.connections, now)
        joined = {m.id: a.id for m in listed.manual_accounts if (a := joined_with(m, connections)) is not None}
        return cls(
            duplicates=doubled,
            superseded=superseded(connections.connections, doubled, now),
            joined=joined,
            manual_of={synchronised: manual for manual, synchronised in joined.items()},
            uncounted=frozenset(m.id for m in listed.manual_accounts if m.id in joined and not counts(m, connections)),
            suggestions=suggestions(listed.manual_accounts, connections, doubled),
        )


def account_view(
    account: Account, connection: Connection, *, relations: AccountRelations, language: Language
) -> AccountView:
    status, reason = account_status(account, connection)
    duplicate = relations.duplicates.get(account.id)
    return AccountView(
        id=account.id,
        kind="synced",
        connection_id=connection.id,
        name=account.shown_name,
        type=account.type,
        provider_type=account.provider_type,
        iban_last4=account.iban_last4,
        balance=account.balance,
        currency=account.currency,
        enabled=account.enabled,
        status=status,
        status_reason=reason_view(reason, language),
        last_success_at=account.last_success_at,
        duplicate_of=duplicate.account_id if duplicate is not None else None,
        duplicate_reason=reason_view(REASONS[duplicate.reason], language) if duplicate is not None else None,
        linked_account_id=relations.manual_of.get(account.id),
        operation_id=account.choice.operation_id if account.choice is not None else None,
        number_last4=None if account.iban_last4 else account.number_last4,
    )


def manual_view(account: ManualAccount, relations: AccountRelations) -> AccountView:
    """One whose synchronised account counts shows as disabled: it counts there."""
    enabled = account.id not in relations.uncounted
    return AccountView(
        id=account.id,
        kind="manual",
        connection_id=None,
        name=account.name,
        type=known(account.type, AccountType.OTHER),
        provider_type=None,
        iban_last4=None,
        balance=account.balance,
        currency=account.currency,
        enabled=enabled,
        status=AccountStatus.ENABLED if enabled else AccountStatus.DISABLED,
        status_reason=None,
        last_success_at=None,
        duplicate_of=None,
        linked_account_id=relations.joined.get(account.id),
        institution_name=account.institution_name,
        link_suggestions=tuple(
            LinkSuggestionView(account_id=suggestion.account_id, evidence=suggestion.evidence)
            for suggestion in relations.suggestions.get(account.id, ())
        ),
    )
