"""The bodies of the HTTP API and how the ledger shows in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints, model_validator

from shared.application.manual import Balance
from shared.application.ports import HeldItem, HistoryEntry, Listed
from shared.contracts.events import EventDetail, Timestamp
from shared.contracts.sentences import diagnosis_sentence, refused_refresh_sentence
from shared.contracts.texts import Language, text
from shared.domain.connection import (
    Account,
    AccountType,
    Connection,
    ItemStatus,
    Operation,
    OperationKind,
    OperationStatus,
)
from shared.domain.copies import Duplicate, duplicates, superseded_by
from shared.domain.diagnosis import Diagnosis, can_add_accounts
from shared.domain.diagnosis_rules import DiagnosisAnswer, DiagnosisReason
from shared.domain.erasure import Erasure
from shared.domain.facts import Cause, Change
from shared.domain.joins import Suggestion, Synchronised, counts, joined_with, suggestions
from shared.domain.ledger import Preview
from shared.domain.manual import ManualAccount
from shared.domain.names import LONGEST_NAME_BYTES, clean_name
from shared.domain.status import (
    REASONS,
    AccountStatus,
    ConnectionStatus,
    Freshness,
    NextStep,
    Reason,
    Who,
    account_status,
    connection_status,
    consent_expires_at,
    freshness,
)
from shared.domain.wishes import Wish

Amount = Annotated[Decimal, PlainSerializer(lambda amount: format(amount, "f"), return_type=str)]


class Accepted(BaseModel):
    """A body that we accept: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answered(BaseModel):
    model_config = ConfigDict(frozen=True)


# --- requests


def _own_name(written: str) -> str:
    name = clean_name(written)
    if not name or len(name.encode()) > LONGEST_NAME_BYTES:
        raise ValueError(f"a name has a visible sign and at most {LONGEST_NAME_BYTES} bytes")
    return name


Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=LONGEST_NAME_BYTES, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
    AfterValidator(_own_name),
]
"""A name that a person gave: visible, on one line, at most LONGEST_NAME_BYTES long in UTF-8."""


class SelectionRequest(Accepted):
    enabled_account_ids: Annotated[list[str], Field(max_length=1000)]


DecimalText = Annotated[str, Field(pattern=r"^-?[0-9]{1,40}(\.[0-9]{1,18})?$")]
"""A decimal string, never a JSON number, which would lose digits on its way."""


class AccountPatch(Accepted):
    """Exactly one of them: a choice takes a while and is an operation, the others do not.

    `enabled` is for synchronised accounts, `balance` for those kept by hand.
    """

    enabled: bool | None = Field(default=None, strict=True)
    name: Name | None = None
    balance: DecimalText | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(member is not None for member in (self.enabled, self.name, self.balance)) != 1:
            raise ValueError("give either enabled, name or balance")
        return self


class ManualAccountRequest(Accepted):
    """`currency` is an active ISO 4217 code; for the type `crypto` the ticker of a known crypto-asset, too."""

    name: Name
    type: AccountType
    currency: Annotated[str, Field(pattern=r"^[A-Z]{2,10}$")]
    balance: DecimalText
    institution_name: Name | None = None


class LinkRequest(Accepted):
    account_id: Annotated[str, Field(min_length=1, max_length=100)]


class WishRequest(Accepted):
    institution_id: Annotated[str, Field(min_length=1, max_length=100)]
    type: AccountType


class EndConnectionRequest(Accepted):
    """`confirm`: the institution's name as a person types it, or its id where it has no name."""

    confirm: Annotated[str, Field(max_length=1000)]


class WebviewSessionRequest(Accepted):
    flow: Literal["connect", "manage", "reconnect"]
    return_to: Annotated[str, Field(min_length=1, max_length=2000)]
    connection_id: str | None = None
    language: Literal["fr", "en"] | None = None


# --- answers


class ReasonView(Answered):
    code: str
    message: str
    who_must_act: Who
    next_step: NextStep


class DiagnosisView(Answered):
    answer: DiagnosisAnswer
    reason: DiagnosisReason
    evidence: tuple[str, ...]
    message: str
    next_step: NextStep
    retry_at: Timestamp | None


class InstitutionView(Answered):
    id: str
    name: str
    logo_url: str | None
    color: str | None


class LinkSuggestionView(Answered):
    """A synchronised account that may be the same. `evidence` holds codes; the more of them, the likelier."""

    account_id: str
    evidence: tuple[str, ...]


class AccountView(Answered):
    id: str
    kind: Literal["synced", "manual"]
    connection_id: str | None
    name: str
    type: AccountType
    provider_type: str | None
    iban_last4: str | None
    balance: Amount | None
    currency: str | None
    enabled: bool
    status: AccountStatus
    status_reason: ReasonView | None
    last_success_at: Timestamp | None
    duplicate_of: str | None = Field(description="of a copy that does not count: the account that counts instead")
    duplicate_reason: ReasonView | None = Field(default=None, description="why the other copy counts and not this one")
    linked_account_id: str | None
    operation_id: str | None = Field(default=None, description="the open operation that is enabling or disabling it")
    institution_name: str | None = Field(default=None, description="of a manual account, as the user wrote it")
    link_suggestions: tuple[LinkSuggestionView, ...] = Field(
        default=(), description="of a manual account: synchronised accounts that may be the same, the likeliest first"
    )


class BalanceView(Answered):
    at: Timestamp
    balance: Amount
    currency: str | None
    kind: Literal["manual", "synced"]


class BalancesView(Answered):
    balances: tuple[BalanceView, ...]
    next: str | None = Field(description="the `cursor` of the next page; null on the last one")


class WishView(Answered):
    id: str
    institution_id: str
    institution_name: str
    type: AccountType
    created_at: Timestamp
    available_at: Timestamp | None = Field(description="since when the institution gives the type; null until then")


class ConnectionView(Answered):
    id: str
    institution: InstitutionView
    status: ConnectionStatus
    status_reason: ReasonView | None
    last_success_at: Timestamp | None
    last_attempt_at: Timestamp | None
    freshness: Freshness
    consent_expires_at: Timestamp | None
    can_add_accounts: DiagnosisView
    revision: int
    superseded_by: str | None = Field(
        default=None,
        description="of a dead connection: the one through which all of its enabled accounts count instead",
    )
    accounts: tuple[AccountView, ...]


class ConnectionList(Answered):
    connections: tuple[ConnectionView, ...]
    manual_accounts: tuple[AccountView, ...]
    wishes: tuple[WishView, ...]


class PreviewView(Answered):
    connection_id: str
    revision: int
    enable: tuple[str, ...]
    disable: tuple[str, ...]
    unchanged: tuple[str, ...]
    deleted_at_powens: tuple[str, ...] = Field(
        description="accounts whose transactions and history Powens deletes when they are disabled"
    )
    enabled_total: int
    requires_consent: bool
    entity_tag: str = Field(description="for `If-Match` of the selection that this previews")


class OperationItemView(Answered):
    account_id: str
    wanted: Literal["enabled", "disabled"]
    status: ItemStatus
    reason: ReasonView | None


class OperationView(Answered):
    id: str
    kind: OperationKind
    connection_id: str | None = Field(description="null for an erasure, which is about everything")
    status: OperationStatus
    status_reason: ReasonView | None
    created_at: Timestamp
    deadline_at: Timestamp
    ended_at: Timestamp | None
    accounts: tuple[OperationItemView, ...]
    undo_until: Timestamp | None
    last_success_at: Timestamp | None = Field(
        default=None, description="of a refresh: when the connection's data was from as it was asked for, or ended"
    )


class WebviewSessionView(Answered):
    url: str
    expires_at: Timestamp


class HistoryLineView(Answered):
    account_id: str
    name: str
    change: Change


class HistoryEntryView(Answered):
    id: str
    occurred_at: Timestamp
    kind: str
    cause: Cause
    connection_id: str | None
    institution_name: str | None
    accounts: tuple[HistoryLineView, ...]
    operation_id: str | None
    status: str | None
    type: AccountType | None = Field(default=None, description="of an `AccountNowAvailable`")


class HistoryView(Answered):
    entries: tuple[HistoryEntryView, ...]
    next: str | None


class HeldItemView(Answered):
    kind: str
    content: dict[str, object]


class ExportView(Answered):
    """What is held about a user, a page of at most a megabyte at a time."""

    user_id: str
    exported_at: Timestamp
    items: tuple[HeldItemView, ...]
    next: str | None = Field(description="the `cursor` of the next page; null on the last one")


class Health(Answered):
    status: Literal["ok"] = "ok"


class Problem(Answered):
    """RFC 9457, with a stable `code` and the `request_id` to quote."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    field: str | None = None


# --- how the ledger shows


def reason_view(reason: Reason | None, language: Language) -> ReasonView | None:
    if reason is None:
        return None
    return ReasonView(
        code=reason.code,
        message=text(reason.code, language),
        who_must_act=reason.who_must_act,
        next_step=reason.next_step,
    )


def _diagnosis_view(diagnosis: Diagnosis, institution: str, language: Language) -> DiagnosisView:
    return DiagnosisView(
        answer=diagnosis.answer,
        reason=diagnosis.reason,
        evidence=diagnosis.evidence,
        message=diagnosis_sentence(diagnosis, institution=institution, kind=None, language=language),
        next_step=diagnosis.next_step,
        retry_at=diagnosis.retry_at,
    )


@dataclass(frozen=True, slots=True)
class Around:
    """What an account shows that follows from all accounts of its user, worked out once for a list."""

    duplicates: Mapping[str, Duplicate]
    superseded: Mapping[str, str]
    manual_of: Mapping[str, str]
    uncounted: frozenset[str]
    suggestions: Mapping[str, tuple[Suggestion, ...]]

    @classmethod
    def of(cls, listed: Listed, now: datetime) -> Self:
        connections = Synchronised(listed.connections)
        doubled = duplicates(connections.connections, now)
        superseded = {c.id: superseded_by(c, connections.connections, doubled, now) for c in connections.connections}
        joined = {m.id: a.id for m in listed.manual_accounts if (a := joined_with(m, connections)) is not None}
        return cls(
            duplicates=doubled,
            superseded={dead: instead for dead, instead in superseded.items() if instead is not None},
            manual_of={synchronised: by_hand for by_hand, synchronised in joined.items()},
            uncounted=frozenset(m.id for m in listed.manual_accounts if m.id in joined and not counts(m, connections)),
            suggestions=suggestions(listed.manual_accounts, connections, doubled),
        )

    def joined(self, manual_id: str) -> str | None:
        return next((synchronised for synchronised, by_hand in self.manual_of.items() if by_hand == manual_id), None)


def account_view(account: Account, connection: Connection, *, around: Around, language: Language) -> AccountView:
    status, reason = account_status(account, connection)
    duplicate = around.duplicates.get(account.id)
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
        linked_account_id=around.manual_of.get(account.id),
        operation_id=account.choice.operation_id if account.choice is not None else None,
    )


def manual_view(account: ManualAccount, around: Around) -> AccountView:
    """One whose synchronised account counts shows as disabled: it counts there."""
    enabled = account.id not in around.uncounted
    return AccountView(
        id=account.id,
        kind="manual",
        connection_id=None,
        name=account.name,
        type=account.type,
        provider_type=None,
        iban_last4=None,
        balance=account.balance,
        currency=account.currency,
        enabled=enabled,
        status=AccountStatus.ENABLED if enabled else AccountStatus.DISABLED,
        status_reason=None,
        last_success_at=None,
        duplicate_of=None,
        linked_account_id=around.joined(account.id),
        institution_name=account.institution_name,
        link_suggestions=tuple(
            LinkSuggestionView(account_id=suggestion.account_id, evidence=suggestion.evidence)
            for suggestion in around.suggestions.get(account.id, ())
        ),
    )


def balances_view(balances: list[Balance], following: str | None) -> BalancesView:
    shown = tuple(BalanceView(at=b.at, balance=b.balance, currency=b.currency, kind=b.kind) for b in balances)
    return BalancesView(balances=shown, next=following)


def wish_view(wish: Wish) -> WishView:
    return WishView(
        id=wish.id,
        institution_id=wish.institution_id,
        institution_name=wish.institution_name,
        type=wish.type,
        created_at=wish.created_at,
        available_at=wish.available_at,
    )


def shown_institution(connection: Connection, language: Language) -> str:
    """The institution's name; a word for it when nobody told us."""
    return connection.institution.name.strip() or text("unnamed_institution", language)


def connection_view(
    connection: Connection, *, now: datetime, around: Around, language: Language, public_url: str
) -> ConnectionView:
    """`public_url` is this API's address: logos come from it, not from Powens."""
    status, reason = connection_status(connection, now)
    return ConnectionView(
        id=connection.id,
        institution=InstitutionView(
            id=connection.institution.id,
            name=shown_institution(connection, language),
            logo_url=(
                f"{public_url}/v1/institutions/{connection.institution.id}/logo"
                if connection.institution.logo_url
                else None
            ),
            color=connection.institution.color,
        ),
        status=status,
        status_reason=reason_view(reason, language),
        last_success_at=connection.last_success_at,
        last_attempt_at=connection.last_attempt_at,
        freshness=freshness(connection.last_success_at, now),
        consent_expires_at=consent_expires_at(connection),
        can_add_accounts=_diagnosis_view(
            can_add_accounts(connection, now), shown_institution(connection, language), language
        ),
        revision=connection.revision,
        superseded_by=around.superseded.get(connection.id),
        accounts=tuple(
            account_view(account, connection, around=around, language=language) for account in connection.accounts
        ),
    )


def preview_view(connection: Connection, preview: Preview) -> PreviewView:
    return PreviewView(
        connection_id=connection.id,
        revision=connection.revision,
        enable=preview.enable,
        disable=preview.disable,
        unchanged=preview.unchanged,
        deleted_at_powens=preview.disable,
        enabled_total=preview.enabled_total,
        requires_consent=bool(preview.enable),
        entity_tag=entity_tag(connection),
    )


def operation_view(operation: Operation, language: Language) -> OperationView:
    return OperationView(
        id=operation.id,
        kind=operation.kind,
        connection_id=operation.connection_id,
        status=operation.status,
        status_reason=_operation_reason(operation, language),
        created_at=operation.created_at,
        deadline_at=operation.deadline_at,
        ended_at=operation.ended_at,
        accounts=tuple(
            OperationItemView(
                account_id=item.account_id,
                wanted="enabled" if item.wanted else "disabled",
                status=item.status,
                reason=_reason_by_code(item.reason, language),
            )
            for item in operation.items
        ),
        undo_until=operation.undo_until,
        last_success_at=operation.last_success_at,
    )


def _operation_reason(operation: Operation, language: Language) -> ReasonView | None:
    shown = _reason_by_code(operation.reason, language)
    if shown is None or operation.reason != "refresh_refused":
        return shown
    return shown.model_copy(update={"message": refused_refresh_sentence(operation, language)})


def erasure_view(erasure: Erasure) -> OperationView:
    """As an operation like any other, whose end is the receipt."""
    done = erasure.ended_at is not None
    return OperationView(
        id=erasure.id,
        kind=OperationKind.ERASURE,
        connection_id=None,
        status=OperationStatus.COMPLETED if done else OperationStatus.RUNNING,
        status_reason=None,
        created_at=erasure.requested_at,
        deadline_at=erasure.deadline_at,
        ended_at=erasure.ended_at,
        accounts=(),
        undo_until=None,
    )


def export_view(user_id: str, items: list[HeldItem], following: str | None, now: datetime) -> ExportView:
    shown = tuple(HeldItemView(kind=item.kind, content=item.content) for item in items)
    return ExportView(user_id=user_id, exported_at=now, items=shown, next=following)


def _reason_by_code(code: str | None, language: Language) -> ReasonView | None:
    return reason_view(REASONS[code], language) if code is not None else None


def history_entry_view(entry: HistoryEntry) -> HistoryEntryView:
    detail = EventDetail.model_validate_json(entry.detail)
    return HistoryEntryView(
        id=entry.id,
        occurred_at=detail.metadata.occurred_at,
        kind=entry.type,
        cause=detail.metadata.cause,
        connection_id=detail.data.connection_id,
        institution_name=entry.institution_name,
        accounts=tuple(
            HistoryLineView(
                account_id=line.account_id, name=entry.account_names.get(line.account_id, ""), change=line.change
            )
            for line in detail.data.accounts
        ),
        operation_id=detail.data.operation_id,
        status=detail.data.status,
        type=detail.data.type,
    )


# --- entity tags


def entity_tag(connection: Connection) -> str:
    return f'"{connection.edition}"'
