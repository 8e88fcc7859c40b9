"""Connections in the HTTP API, the selection of their accounts, and their end."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from shared.contracts.api.accounts import AccountRelations, AccountView, account_view
from shared.contracts.api.bodies import Accepted, Answered, ReasonView, Url, reason_view
from shared.contracts.api.institutions import DiagnosisView, diagnosis_view
from shared.contracts.events import Timestamp
from shared.contracts.texts import Language, text
from shared.domain.connection import Connection
from shared.domain.diagnosis import can_add_accounts
from shared.domain.ledger import Preview
from shared.domain.status import ConnectionStatus, Freshness, connection_status, consent_expires_at, freshness


class SelectionRequest(Accepted):
    """Which accounts of a connection shall be enabled; the others shall not."""

    enabled_account_ids: Annotated[list[str], Field(max_length=1000)]
    """All of them, not only the changes."""


class EndConnectionRequest(Accepted):
    """The confirmation that a person has typed."""

    confirm: Annotated[str, Field(max_length=1000)]
    """The institution's name as a person types it, or what it is called where it has none."""


class ConnectionConfirmationRequest(Accepted):
    """Shows that the user knows an account of a new connection."""

    iban_last4: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{4}$")]
    """The last four characters of the IBAN of one of its accounts."""


class UnconfirmedView(Answered):
    """A new connection that nobody has confirmed yet. Nothing is kept of it but that it is there."""

    id: str
    """Ours; it stays the same once the connection is confirmed."""
    found_at: Timestamp
    """When it was first seen."""
    confirm_until: Timestamp
    """When it is ended unless it is confirmed before."""


class InstitutionView(Answered):
    """The institution of a connection."""

    id: str
    """As in the catalogue of institutions."""
    name: str
    """What users call it."""
    logo_url: Url | None
    """Its logo, from this API and with the same token; null when there is none."""
    color: str | None
    """Its colour, such as `#0f62fe`; null when nobody knows it."""


class ConnectionView(Answered):
    """One access of the user to one institution, with its accounts."""

    id: str
    """Ours."""
    institution: InstitutionView
    """Where the accounts are."""
    status: ConnectionStatus
    """What to show of it."""
    status_reason: ReasonView | None
    """Why it has this status; null when there is nothing to say."""
    last_success_at: Timestamp | None
    """When data was last fetched from the institution; null when it never was."""
    last_attempt_at: Timestamp | None
    """When fetching was last tried."""
    freshness: Freshness
    """How old the data is."""
    consent_expires_at: Timestamp | None
    """When the user's consent at the institution ends, where it does."""
    can_add_accounts: DiagnosisView
    """Whether more accounts can be added, and how."""
    revision: int
    """Counts the changes of the connection; its events carry it, too."""
    superseded_by: str | None = None
    """Of a dead connection: the one through which all of its enabled accounts count instead."""
    accounts: tuple[AccountView, ...]
    """All of them, enabled or not."""
    connected_at: Timestamp
    """When the user connected it, as far as we saw."""


class PreviewView(Answered):
    """What a selection would change. Nothing has happened yet."""

    connection_id: str
    """The connection whose accounts were selected."""
    revision: int
    """The connection's revision that this was worked out on."""
    enable: tuple[str, ...]
    """Accounts that would be enabled."""
    disable: tuple[str, ...]
    """Accounts that would be disabled."""
    unchanged: tuple[str, ...]
    """Accounts that would stay as they are."""
    deleted_at_powens: tuple[str, ...]
    """Accounts whose transactions and history Powens deletes when they are disabled."""
    enabled_total: int
    """How many accounts would be enabled afterwards."""
    requires_consent: bool
    """Whether the user must agree: more is going to be fetched."""
    entity_tag: str
    """For `If-Match` of the selection that this previews."""


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
        connected_at=connection.created_at,
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
