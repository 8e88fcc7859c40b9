"""What simulated Powens has beside the fake, and the webhooks that say that it changed."""

import functools
import json
from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from tests.simulation.banks import BANKS
from tests.simulation.engine import Engine
from tests.simulation.powens.reals import Real, Update, uuid_of
from tests.worlds.powens.fake import FakePowens
from tests.worlds.powens.model import Account, Connection, Connector


class PowensState(FakePowens):
    """`webhook(name, body, connection, emitted)` delivers one; `drawn` counts what came up, for the invariants."""

    def __init__(self, engine: Engine, kinds: Collection[str] = ()) -> None:
        super().__init__(lambda: engine.now)
        self.engine = engine
        self.kinds = frozenset(kinds)
        """Which uncommon kinds of accounts and habits there are in this run; `drawn` counts those that came up."""
        self.drawn: Counter[str] = Counter()
        self.webhook: Callable[[str, bytes, int | None, int], None] = lambda name, body, connection, emitted: None
        self.came_late: Callable[[Real, bool], None] = lambda real, enabled: None
        self.before_update: Callable[[Account, bool, str], None] = lambda account, disabled, task: None
        self.reals: dict[int, Real] = {}
        self.real_of: dict[int, Real] = {}
        self.carried_out: list[Update] = []
        self.outage_until = 0.0
        self.throttled_until = 0.0
        self.locked: dict[int, float] = {}
        self.changed: dict[int, int] = {}
        """When something of a connection changed last, in microseconds."""
        self.misread: dict[int, int] = {}
        """When an answer about a user was last a wrong one."""
        self.absent: dict[int, int] = {}
        """When a real account was last closed, or shown again."""
        self.deleted_users: set[int] = set()
        self.gone: dict[int, Connection] = {}
        self.permanent: list[int] = []
        self.witnesses: set[int] = set()
        """Users who were made to see whether our credentials work (ADR 0027). Who was killed may have left one."""
        self._witnessing: set[str] = set()
        self._asking = ""  # the key of the task whose request is being answered
        self.strays: dict[int, int] = {}
        """Since when which user is there that nobody here made, in microseconds."""
        self.erasing: dict[int, int] = {}
        """Since when which user is being erased here, in microseconds."""
        self.broken: Callable[[str], None] = lambda promise: None
        self.late: dict[int, int] = {}
        self.expiries: dict[int, datetime] = {}
        self.frozen: set[int] = set()
        """Connections that look well and are never synchronised."""
        self.unreadable: dict[int, tuple[int, object]] = {}
        """Accounts whose selection cannot be read: since when, in microseconds, and what stands there."""
        self.once_blurred: set[int] = set()
        self.once_spoilt: set[int] = set()
        """Accounts whose selection or id, or whose balance, could not be read at some time."""
        self.nameless: dict[int, object] = {}
        """Accounts whose id cannot be read."""
        self.unbound: set[int] = set()
        """New ids of accounts with a namesake, which the product has not paired with an old one."""
        self.gone_since: dict[int, int] = {}
        self.left_out: dict[int, int] = {}
        """In microseconds: when an id vanished; since when answers lack one, until a read that shows it is stored."""
        self.forbidden: dict[int, float] = {}
        """Until when, in seconds, a user's accounts may not be updated."""
        self.renewals: dict[int, list[int]] = {}
        self.succeeded: dict[int, datetime | None] = {}  # the date of accounts before they failed: it goes on
        self.forced: list[tuple[int, int]] = []
        """(when, connection) of every synchronisation that was asked for and taken."""
        self.syncing: dict[int, int] = {}
        self.synchronised: dict[int, int] = {}
        """When a connection was last synchronised well."""
        self.appeared: list[tuple[int, Real, str, str]] = []
        """When an account came up that was not there, the connector of its bank and the family of its type."""
        self.news: dict[str, int] = {}
        """When the connector of a bank began to give more."""
        self.disturbances: list[tuple[int, str, int | None]] = []
        self._hooks: dict[int, int] = {}
        self._places: Counter[int] = Counter()
        self._next_account = 900
        self._next_connection = 70
        for number, bank in enumerate((*BANKS, "Banque Lagune", "Banque Verveine")):
            connector = Connector(uuid=uuid_of(number), name=bank)
            self.connectors[connector.uuid] = connector

    def disturb(self, what: str, connection: int | None = None) -> None:
        self.disturbances.append((self.engine.at, what, connection))

    # --- webhooks

    def touch(self, connection: Connection, event: str, account: Account | None = None) -> None:
        """Something changed, and a webhook says so."""
        self.changed[connection.id] = self.engine.at
        self.emit(event, connection, account)

    def emit(self, event: str, connection: Connection, account: Account | None = None) -> None:
        engine, chance = self.engine, self.engine.chance
        self._hooks[connection.id] = self._hooks.get(connection.id, 0) + 1
        key = f"webhook/{connection.id}/{self._hooks[connection.id]}"
        said: dict[str, Any] = {"id_user": connection.user, "id_connection": connection.id}
        if account is not None:
            said |= {"id": account.id, "iban": account.iban, "name": account.name}
        if event == "account-categorized" and account is not None:
            # Nothing but transactions: no user, no connection.
            said = {"transactions": [{"id": 5000 + self._hooks[connection.id], "id_account": account.id}]}
        if event.startswith("connection-"):
            said = {"user": {"id": connection.user}, "connection": {"id": connection.id, "id_user": connection.user}}
        if chance.happens("webhook lost", key):
            engine.tell(f"Powens loses the webhook {event} of connection {connection.id}")
            return
        copies = 1
        body = json.dumps(said).encode()
        if chance.happens("webhook doubled", key):
            engine.tell(f"Powens doubles the webhook {event} of connection {connection.id}")
            copies = 2
        for copy in range(copies):
            delay = chance.between(0.1, 2.5, "hook", key, copy)
            if chance.happens("webhook late", f"{key}/{copy}"):
                delay = chance.between(30, 3 * 3600, "late hook", key, copy)
                engine.tell(f"Powens will send {event} of connection {connection.id} {delay / 60:.0f} minutes late")
            engine.after(delay, functools.partial(self.webhook, event, body, connection.id, engine.at))
