"""The published events. Their JSON Schemas and examples lie in `events/` and are checked against these models."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema

from shared.domain.connection import AccountType
from shared.domain.facts import Cause, Change, Fact
from shared.domain.unknown import known

SOURCE = "synced-accounts"


def rfc3339(at: datetime) -> str:
    """An instant as the API and the events write it: UTC, seconds, `Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Timestamp = Annotated[
    datetime,
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]


class Published(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Metadata(Published):
    """Consumers drop an `event_id` that they have seen: delivery is at least once."""

    event_id: str
    schema_version: Literal[1] = 1
    occurred_at: Timestamp
    correlation_id: str
    cause: Cause


class AccountLine(Published):
    account_id: str
    change: Change
    enabled: bool
    type: AccountType
    currency: str | None


class Data(Published):
    """`revision` orders the events of one connection, or of the account where no connection is named."""

    user_id: str
    connection_id: str | None = None
    revision: int
    accounts: tuple[AccountLine, ...] = ()
    status: str | None = None
    operation_id: str | None = None
    wish_id: str | None = None
    institution_id: str | None = None
    type: AccountType | None = None


_OPTIONAL = ("connection_id", "status", "operation_id", "wish_id", "institution_id", "type")


class EventDetail(Published):
    metadata: Metadata
    data: Data

    def as_json(self) -> str:
        """What is published: without the members that the detail type does not have; an unknown currency is null."""
        absent = {name for name in _OPTIONAL if getattr(self.data, name) is None}
        return self.model_dump_json(exclude={"data": absent})


def detail_of(fact: Fact, *, event_id: str, occurred_at: datetime, correlation_id: str) -> EventDetail:
    return EventDetail(
        metadata=Metadata(event_id=event_id, occurred_at=occurred_at, correlation_id=correlation_id, cause=fact.cause),
        data=Data(
            user_id=fact.user_id,
            connection_id=fact.connection_id,
            revision=fact.revision,
            accounts=tuple(
                AccountLine(
                    account_id=line.account_id,
                    change=line.change,
                    enabled=line.enabled,
                    type=known(line.type, AccountType.OTHER),
                    currency=line.currency,
                )
                for line in fact.accounts
            ),
            status=fact.status,
            operation_id=fact.operation_id,
            wish_id=fact.wish_id,
            institution_id=fact.institution_id,
            type=known(fact.account_type, AccountType.OTHER) if fact.account_type else None,
        ),
    )
