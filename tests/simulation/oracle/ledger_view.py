"""How far the ledger had come at a moment: what it holds of a real account, and whether all was read."""

from datetime import datetime, timedelta
from typing import Any

from shared.domain.connection import account_id, connection_id
from tests.simulation.engine import START
from tests.simulation.oracle.memory import Asked, Expected
from tests.simulation.powens.reals import Real
from tests.simulation.world.world import SimulatedWorld
from tests.worlds.documents import content_of
from tests.worlds.powens.model import Account

SKEW = timedelta(milliseconds=50)


class LedgerView:
    """Real accounts by our ids, and how far the ledger has come with each."""

    def __init__(self, world: SimulatedWorld) -> None:
        self.world = world
        self.expected: dict[int, Expected] = {}
        self.asked: list[Asked] = []
        self.real_of_account: dict[str, Real] = {}
        self.owner: dict[int, str] = {}
        """The user of each connection at Powens."""

    # --- names

    def know(self, real: Real, owner: str, *, enabled: bool) -> None:
        """A real account has been found at Powens."""
        self.expected[real.id] = Expected({enabled})
        self.owner[real.connection] = owner
        self.real_of_account[account_id(real.ids[0])] = real

    def real(self, our_account_id: str) -> Real | None:
        """The real account behind one of our ids, which are derived from the first Powens id that was seen."""
        found = self.real_of_account.get(our_account_id)
        if found is None:
            for real in self.world.powens.reals.values():
                for powens_id in real.ids:
                    self.real_of_account.setdefault(account_id(powens_id), real)
            found = self.real_of_account.get(our_account_id)
        return found

    def living(self, real: Real) -> Account | None:
        """The account at Powens, None when the bank or Powens no longer has it."""
        connection = self.world.powens.connections.get(real.connection)
        account = connection.accounts.get(real.ids[-1]) if connection else None
        return None if account is None or account.deleted else account

    # --- how far the ledger is

    def document(self, connection: int) -> dict[str, Any] | None:
        item = self.world.table.get(f"USER#{self.owner[connection]}", f"LIST#CONNECTION#{connection_id(connection)}")
        return None if item is None else content_of(item)

    def held(self, real: Real) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """The connection's document, and the account in it: under its newest id if it shows under two."""
        document = self.document(real.connection)
        if document is None:
            return None, None
        held = [account for account in document.get("accounts", []) if self.real(account["id"]) is real]
        held.sort(key=lambda account: account["powens_id"] != real.ids[-1])
        return document, held[0] if held else None

    def known_as(self, real: Real) -> str | None:
        """Our id of what holds its newest id at Powens."""
        accounts = (self.document(real.connection) or {}).get("accounts", [])
        return next((account["id"] for account in accounts if account["powens_id"] == real.ids[-1]), None)

    def doubled(self, real: Real) -> bool:
        """Whether screens show it under its old and its new id, of which they may say different things."""
        document = self.document(real.connection)
        held = [account["id"] for account in (document or {}).get("accounts", []) if account.get("closed_at") is None]
        return sum(self.real(our_id) is real for our_id in held) > 1

    def namesake(self, real: Real) -> bool:
        """Whether nothing at all tells it from another account of its connection: which is which, nobody can say."""
        others = (other for other in self.world.powens.reals.values() if other.connection == real.connection)
        return real.shared and any(other is not real and other.identity == real.identity for other in others)

    def caught_up(self, real: Real) -> bool:
        """Whether the ledger has read whatever was chosen in the Webview."""
        document, held = self.held(real)
        there = self.living(real)
        if document is None or held is None or there is None:
            return False
        changed = self.world.powens.changed[real.connection]
        began = datetime.fromisoformat(document["read_started_at"])
        read = began > START + timedelta(microseconds=changed) + SKEW
        return bool(
            held["powens_id"] == real.ids[-1]
            and held["enabled"] is not there.disabled
            and held.get("closed_at") is None
            and (read or held.get("choice") is None)
        )

    def settled(self, real: Real) -> bool:
        """Whether no choice of our app about the account may still be under way."""
        _, held = self.held(real)
        return bool(
            held is not None
            and held.get("choice") is None
            and not any(real.id in asked.wants for asked in self.asked)
            and not self.world.working_on.get(connection_id(real.connection))
            and not self.world.powens.late.get(real.connection)
        )
