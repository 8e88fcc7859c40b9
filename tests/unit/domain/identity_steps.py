"""An account with an IBAN, what Powens shows when it makes it anew, and its restoration."""

from shared.domain.connection import (
    Account,
    Connection,
)
from shared.domain.facts import Change
from shared.domain.ledger import Outcome
from shared.domain.observation import ObservedAccount
from tests.builders import (
    after,
    answer,
    observed_account,
    read,
)

IBAN = "key-of-FR76-0112"
OTHER_IBAN = "key-of-FR76-0113"


def only(held: Connection) -> Account:
    (single,) = held.accounts
    return single


def changes(outcome: Outcome) -> list[tuple[Change, bool]]:
    return [(line.change, line.enabled) for fact in outcome.facts for line in fact.accounts]


def gone(powens_id: int = 1) -> ObservedAccount:
    """What Powens shows of an account that it has made anew under another id."""
    return observed_account(powens_id, iban_key=IBAN, disabled=True, deleted=True)


def restored(held: Connection) -> Connection:
    """Carry the restoration out: order, acknowledgement, read back."""
    confirmed = answer(held, at=after(minutes=2)).connection
    seen = observed_account(only(confirmed).powens_id, iban_key=IBAN)
    return read(confirmed, seen, at=after(minutes=3)).connection
