"""Connections in the HTTP API, the selection of their accounts, and their end."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from shared.contracts.api.accounts import AccountRelations, AccountView, account_view
from shared.contracts.api.bodies import Accepted, Answered, ReasonView, reason_view
from shared.contracts.api.institutions import DiagnosisView, diagnosis_view
from shared.contracts.events import Timestamp
from shared.contracts.texts import Language, text
from shared.domain.connection import Connection
from shared.domain.diagnosis import can_add_accounts
from shared.domain.ledger import Preview
from shared.domain.status import ConnectionStatus, Freshness, connection_status, consent_expires_at, freshness


class SelectionRequest(Accepted):
    enabled_account_ids: Annotated[list[str], Field(max_length=1000)]


class EndConnectionRequest(Accepted):
    """`confirm`: the institution's name as a person types it, or its id where it has no name."""

    confirm: Annotated[str, Field(max_length=1000)]


class InstitutionView(Answered):
    id: str
    name: str
    logo_url: str | None
    color: str | None


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


def shown_institution(connection: Connection, language: Language) -> str:
    """The institution's name; a word for it when nobody told us."""
    return connection.institution.name.strip() or text("unnamed_institution", language)


def connection_view(
    connection: Connection, *, now: datetime, relations: AccountRelations, language: Language, public_url: str
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
        can_add_accounts=diagnosis_view(
            can_add_accounts(connection, now), shown_institution(connection, language), language
        ),
        revision=connection.revision,
        superseded_by=relations.superseded.get(connection.id),
        accounts=tuple(
            account_view(account, connection, relations=relations, language=language) for account in connection.accounts
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


def entity_tag(connection: Connection) -> str:
    return f'"{connection.edition}"'
