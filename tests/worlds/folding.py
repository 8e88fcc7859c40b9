"""What a consumer of the bus knows after the events, and the same as the API shows it."""

from collections.abc import Iterable
from typing import Any

from shared.contracts.events import EventDetail
from shared.domain.connection import AccountType, connection_id
from shared.domain.facts import AccountChange, Change, Fact, FactType
from tests.worlds.events import WITHOUT_REVISION
from tests.worlds.powens.model import Connection

type Folded = dict[str, tuple[bool, AccountType, str | None]]
"""The state of a consumer: (enabled, type, currency) by account id."""


def fold(facts: Iterable[Fact]) -> Folded:
    """The state of a consumer after all facts, in any order and with repetitions.

    Revisions order the facts of one connection; without a connection, those of the one account that the fact names. So
    each connection is folded by itself: an account that moves is removed from one and added to another, and nothing
    orders these two facts.
    """
    states: dict[str, Folded] = {}
    applied: dict[str, int] = {}
    for fact in sorted(facts, key=lambda fact: fact.revision):
        if fact.type in WITHOUT_REVISION:
            continue
        ordered = fact.connection_id or fact.accounts[0].account_id
        if fact.revision <= applied.get(ordered, 0):
            continue
        applied[ordered] = fact.revision
        state = states.setdefault(ordered, {})
        for line in fact.accounts:
            if line.change is Change.REMOVED:
                state.pop(line.account_id, None)
            else:
                state[line.account_id] = (line.enabled, line.type, line.currency)
    return {account_id: account for state in states.values() for account_id, account in state.items()}


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
