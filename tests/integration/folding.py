"""What a consumer of the bus knows after the events, and the same as the API shows it."""

from typing import Any

from shared.contracts.events import EventDetail
from shared.domain.connection import AccountType, connection_id
from shared.domain.facts import AccountChange, Fact, FactType, Folded, fold
from tests.worlds.powens.model import Connection


def folded(events: list[dict[str, Any]], connection: Connection | None = None) -> Folded:
    """What a consumer of the bus knows, from the events' JSON alone: of a connection, or else of everything."""
    facts = []
    for event in events:
        detail = EventDetail.model_validate(event["detail"])
        if connection is not None and detail.data.connection_id != connection_id(connection.id):
            continue
        lines = tuple(
            AccountChange(
                account_id=line.account_id,
                change=line.change,
                enabled=line.enabled,
                type=line.type,
                currency=line.currency,
            )
            for line in detail.data.accounts
        )
        facts.append(
            Fact(
                type=FactType(event["detail-type"]),
                user_id=detail.data.user_id,
                connection_id=detail.data.connection_id,
                revision=detail.data.revision,
                cause=detail.metadata.cause,
                accounts=lines,
            )
        )
    return fold(facts)


def shown(held: Any) -> Folded:
    """The same of a connection, or of the whole list, as the API shows it."""
    accounts = held["accounts"] if "accounts" in held else [a for c in held["connections"] for a in c["accounts"]]
    return {
        a["id"]: (a["enabled"], AccountType(a["type"]), a["currency"])
        for a in (*accounts, *held.get("manual_accounts", ()))
    }
