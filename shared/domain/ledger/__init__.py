"""The rules of the ledger, each stated once, as pure functions of what is held, what was seen and the time.

| rule | says | stated in |
| --- | --- | --- |
| 1 | a discovered account is not an enabled one | `reconciler` |
| 2 | a flip that we did not order is a choice, and the newest choice wins | `reconciler`, `choices` |
| 3 | an account re-created under another id is the same account | `matching`, `accounts`, `reconciler` |
| 4 | a removed account stays removed | `order` (from `wanted` alone), `reconciler`; `endings` for connections |
| 5 | an empty or partial answer removes nothing | `reconciler` |
| 6 | one real account seen through two connections counts once | `copies` |
| 7 | a read that began before the last known write or read does not speak | `reconciler` |
| 8 | a hint from before the last read's start is covered | `reconciler.covered` |

Level-triggered: nothing here applies a message; every function compares levels, so repeating one is harmless.
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
from shared.domain.ledger.draft import MOST_REPAIRS
from shared.domain.ledger.endings import end_operation, expire, remove
from shared.domain.ledger.order import Order, Ordered, orders, record
from shared.domain.ledger.outcome import OPERATION_DEADLINE, Outcome, then
from shared.domain.ledger.reconciler import covered, reconcile

__all__ = [
    "MOST_OPEN_OPERATIONS",
    "MOST_REPAIRS",
    "OPERATION_DEADLINE",
    "UNDO_FOR",
    "Order",
    "Ordered",
    "Outcome",
    "Preview",
    "begin",
    "choose",
    "covered",
    "end_operation",
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
