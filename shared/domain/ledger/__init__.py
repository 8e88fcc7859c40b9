"""The ledger: its rules, each stated once, as pure functions of a stored connection, one read of Powens and the time.

| rule | content | stated in |
| --- | --- | --- |
| 1 | a discovered account is not an enabled one | `reconciler` |
| 2 | a change that we did not order is a choice, and the newest choice wins | `transition`, `choices` |
| 3 | an account that Powens re-creates under another id is the same account | `matching`, `accounts`, `transition` |
| 4 | a removed account stays removed | `order` (from `wanted` alone), `transition`; of a connection, `endings.remove` |
| 5 | an empty or partial answer removes nothing | `reconciler` |
| 6 | one real account that two connections show counts once | `copies` |
| 7 | a read that began before the last known write or read changes nothing | `reconciler`; of a choice, `transition` |
| 8 | a hint that came before the last read began needs no new read | `reconciler.covered` |

`matching` and `copies` lie beside this package. Everything is level-triggered: no function applies a message, each one
compares states, so repeating it is harmless. The rules are about connections that are their user's: of one that nobody
has confirmed, nothing is kept (`confirmation`).
"""

from shared.domain.ledger.choices import (
    MOST_OPEN_OPERATIONS,
    UNDO_FOR,
    Preview,
    begin,
    choose,
    preview,
    rename,
    selection,
    undo,
)
from shared.domain.ledger.confirmation import MOST_WRONG_ANSWERS, answer_wrongly, confirm, end_unconfirmed
from shared.domain.ledger.endings import end_operation, expire, remove
from shared.domain.ledger.order import Order, OrderResult, orders, record
from shared.domain.ledger.outcome import OPERATION_DEADLINE, Outcome, then
from shared.domain.ledger.reconciler import covered, reconcile
from shared.domain.ledger.transition import MOST_RESTORATIONS

__all__ = [
    "MOST_OPEN_OPERATIONS",
    "MOST_RESTORATIONS",
    "MOST_WRONG_ANSWERS",
    "OPERATION_DEADLINE",
    "UNDO_FOR",
    "Order",
    "OrderResult",
    "Outcome",
    "Preview",
    "answer_wrongly",
    "begin",
    "choose",
    "confirm",
    "covered",
    "end_operation",
    "end_unconfirmed",
    "expire",
    "orders",
    "preview",
    "reconcile",
    "record",
    "remove",
    "rename",
    "selection",
    "then",
    "undo",
]
