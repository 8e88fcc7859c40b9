"""Users as the contracts need them: known at Powens, with a connection, with an answer that is kept."""

from shared.application.ports import Answer
from shared.domain.connection import Connection
from shared.domain.erasure import Erasure
from shared.domain.ledger import Outcome
from tests.builders import POWENS_USER, USER, after, observed_account, read
from tests.integration.contracts.stores import Stores

ANSWER = Answer(key="key-1", fingerprint="f", status=202, body="{}")


def at_powens(stores: Stores, user_id: str = USER, powens_user_id: int = POWENS_USER) -> None:
    """The user has been at Powens, and is read back in twelve hours."""
    now, users = stores.clock(), stores.users
    assert users.claim_access(user_id, by="visit", now=now, until=after(seconds=30))
    users.note_powens_user(user_id, powens_user_id, by="visit")
    users.complete_access(user_id, b"sealed", by="visit", reconcile_at=after(hours=12))


def discovered() -> Outcome:
    """A first read: an account that is enabled, and one that is not."""
    return read(None, observed_account(1), observed_account(2, disabled=True))


def connected(stores: Stores) -> Connection:
    """Alice, at Powens, with her connection as it is stored."""
    at_powens(stores)
    outcome = discovered()
    stores.connections.save(None, outcome, correlation_id="c")
    held = stores.connections.connection(USER, outcome.connection.id)
    assert held is not None
    return held


def marked(stores: Stores, erasure_id: str = "erasure-1") -> Erasure:
    """Alice's erasure has begun."""
    erasure = Erasure(id=erasure_id, requested_at=stores.clock(), correlation_id="c")
    stores.erasures.begin_erasure(USER, erasure)
    return erasure
