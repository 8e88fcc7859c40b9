"""A small Powens and everything between it and the ledger that can go wrong, for the properties.

`World` keeps, beside the ledger, what must come out in the end: `expected` is, for each real account, the choice that
has to win, or None where the design leaves it open (a choice failed and its user was told; or two choices met that
nobody can put in order, because the newer one was made in the Webview before the ledger had seen the older one).
"""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain import ledger
from shared.domain.connection import Account, Connection, ItemStatus, Operation, OperationKind
from shared.domain.errors import InvalidInput
from shared.domain.facts import Cause, Fact, FactType
from shared.domain.ledger import OrderResult, Outcome
from shared.domain.observation import ObservedConnection
from tests.builders import NOW, POWENS_USER, USER, observed
from tests.unit.domain.powens import REALS, PowensAccount, Read, Worker, keys, levels
from tests.worlds.folding import fold


class World:
    def __init__(self) -> None:
        self.now = NOW
        self.powens: dict[int, PowensAccount] = {}
        self.next_powens_id = 1
        self.synced_at: datetime | None = None
        self.held: Connection | None = None
        self.facts: list[Fact] = []
        self.operations: dict[str, Operation] = {}
        self.failed: set[tuple[str, str]] = set()
        self.reads: list[Read] = []
        self.worker: Worker | None = None
        self.expected: dict[int, bool | None] = {}
        self.ids: dict[int, str] = {}

    # --- looking ---

    def tick(self, **by: float) -> datetime:
        self.now += timedelta(**(by or {"seconds": 1}))
        return self.now

    def living(self, real: int) -> PowensAccount | None:
        """The account at Powens that a user can tick or untick now."""
        return next((a for a in self.powens.values() if a.real == real and not a.deleted), None)

    def account(self, real: int) -> Account | None:
        if self.held is None:
            return None
        if real in self.ids:
            return self.held.account(self.ids[real])
        return next(iter(self.alike(real)), None)

    def alike(self, real: int) -> list[Account]:
        """All accounts that are held for a real one: two from when it shows anew until its old id is gone."""
        assert self.held is not None
        return [a for a in self.held.accounts if (a.iban_key, a.number_key, a.currency) == keys(real)]

    def caught_up(self, real: int) -> bool:
        """Whether the ledger holds exactly what Powens has, and nothing that is under way can say otherwise."""
        known, there = self.account(real), self.living(real)
        if self.held is None or known is None or there is None or known.choice is not None:
            return False
        level = not there.disabled
        if (known.powens_id, known.closed_at, known.enabled, known.wanted) != (there.powens_id, None, level, level):
            return False
        under_way = [read.shown for read in self.reads if read.started_at >= self.held.read_started_at and read.shown]
        return not self._ordered(real) and all(there.level() in levels(shown) for shown in under_way)

    def _ordered(self, real: int) -> set[bool]:
        known = self.account(real)
        if self.worker is None or known is None:
            return set()
        return {order.enabled for order in self.worker.in_hand if order.account_id == known.id}

    # --- what happens at Powens ---

    def discover(self, real: int) -> None:
        self.powens[self.next_powens_id] = PowensAccount(self.next_powens_id, real)
        self.next_powens_id += 1
        self.expected.setdefault(real, False)

    def flip_in_webview(self, real: int) -> None:
        there = self.living(real)
        assert there is not None
        chosen = there.disabled
        if self.expected[real] != chosen and self.account(real) is not None and not self.caught_up(real):
            self.expected[real] = None
        else:
            self.expected[real] = chosen
        there.disabled = not chosen

    def recreate(self, real: int, *, listed: bool) -> None:
        there = self.living(real)
        assert there is not None
        self._forget_unseen_choice(real)
        self._take_away(there, listed=listed)
        self.powens[self.next_powens_id] = PowensAccount(self.next_powens_id, real, balance=there.balance)
        self.next_powens_id += 1

    def close_at_bank(self, real: int) -> None:
        there = self.living(real)
        assert there is not None
        self._forget_unseen_choice(real)
        there.deleted = True

    def show_again(self, real: int, *, disabled: bool) -> None:
        """The bank shows an account again under its old id. Disabled by Powens only if we saw it closed before."""
        hidden = max((a for a in self.powens.values() if a.real == real), key=lambda a: a.powens_id)
        known = self.account(real)
        hidden.deleted = False
        if disabled and known is not None and known.closed_at is not None and known.powens_id == hidden.powens_id:
            hidden.disabled = True

    def _forget_unseen_choice(self, real: int) -> None:
        known = self.account(real)
        if known is None or known.wanted != self.expected[real]:
            self.expected[real] = None

    def _take_away(self, there: PowensAccount, *, listed: bool) -> None:
        if listed:
            there.deleted = True
        else:
            del self.powens[there.powens_id]

    def synchronise(self) -> None:
        self.synced_at = self.tick()
        for account in self.powens.values():
            account.balance += 1

    # --- reads ---

    def begin_read(self) -> Read:
        read = Read(self.tick())
        self.reads.append(read)
        return read

    def fetch(self, read: Read, *, without: frozenset[int] = frozenset()) -> None:
        """Powens answers; an answer that leaves accounts out is a partial one."""
        accounts = [a.seen() for a in self.powens.values() if a.real not in without]
        read.shown = observed(*accounts, at=read.started_at, last_update=self.synced_at)

    def apply(self, read: Read) -> None:
        """Reconcile; and at once again, which must change nothing. A read that may not speak must change nothing."""
        assert read.shown is not None
        before = self.held
        stale = before is not None and read.started_at < max(
            filter(None, (before.read_started_at, before.written_at, before.removed_at))
        )
        outcome = self._reconcile(read.shown)
        if stale:
            assert (outcome.connection, outcome.facts, outcome.operations) == (before, (), ())
        self.take(outcome)
        again = self._reconcile(read.shown)
        assert again.connection == self.held
        assert again.facts == ()

    def _reconcile(self, shown: ObservedConnection) -> Outcome:
        return ledger.reconcile(
            self.held,
            shown,
            user_id=USER,
            powens_user_id=POWENS_USER,
            trigger=Cause.BANK,
            correlation_id="c",
            now=self.now,
        )

    def read_now(self) -> None:
        read = Read(self.tick())
        self.fetch(read)
        self.apply(read)

    # --- our side ---

    def choose(self, wants: dict[str, bool]) -> None:
        assert self.held is not None
        operation_id = f"operation-{len(self.operations)}"
        try:
            outcome = ledger.choose(self.held, wants, operation_id=operation_id, correlation_id="c", now=self.tick())
        except InvalidInput as error:
            if error.code != "account_closed_at_bank":
                raise
            return
        operation = next(o for o in outcome.operations if o.id == operation_id)
        for item in operation.items:
            real = next(real for real, known in self.ids.items() if known == item.account_id)
            self._expect(real, item.wanted, settled=item.status is ItemStatus.DONE)
        self.take(outcome)

    def _expect(self, real: int, wanted: bool, *, settled: bool) -> None:
        known, there = self.account(real), self.living(real)
        assert known is not None
        overtaken = (not wanted) in self._ordered(real)
        unseen = settled and known.closed_at is None and (there is None or there.disabled == wanted)
        # Ticked under an id that the ledger has never seen alive: when that was, nobody can tell.
        elsewhere = any(
            a.real == real and a.powens_id != known.powens_id and not a.disabled for a in self.powens.values()
        )
        self.expected[real] = None if overtaken or unseen or elsewhere else wanted

    def undo(self, operation: Operation) -> None:
        if operation.undo_until is not None and self.now < operation.undo_until:
            self.choose(ledger.undo(operation, self.now))

    def begin_refresh(self) -> None:
        assert self.held is not None
        self.take(
            ledger.begin(
                self.held,
                OperationKind.REFRESH,
                operation_id=f"operation-{len(self.operations)}",
                correlation_id="c",
                now=self.tick(),
            )
        )

    def start_worker(self) -> None:
        assert self.held is not None
        operation_id = self.held.operations[0].id if self.held.operations else "none"
        self.worker = Worker(list(ledger.orders(self.held)), operation_id)

    def send(self, how: str = "obeyed") -> None:
        """One order reaches Powens: `obeyed`, `refused`, `ignored` (acknowledged, no effect) or `unanswered`."""
        assert self.worker is not None
        order = self.worker.in_hand.pop(0)
        at = self.tick()
        there = self.powens.get(order.powens_id)
        if there is not None and how in {"obeyed", "unanswered"}:
            there.disabled = not order.enabled
        if how == "unanswered":
            self.worker.in_hand.clear()
            return
        refusal = "not_found_at_powens" if there is None else "refused_by_powens" if how == "refused" else None
        self.worker.results.append(OrderResult(order=order, refusal=refusal))
        self.worker.answered_at = at

    def write_down(self) -> None:
        assert self.held is not None
        assert self.worker is not None
        at = self.worker.answered_at or self.now
        worker, self.worker = self.worker, None
        self.take(ledger.record(self.held, worker.results, operation_id=worker.operation_id, at=at, now=self.tick()))

    def work(self) -> None:
        """A worker that nothing disturbs."""
        self.start_worker()
        while self.worker is not None and self.worker.in_hand:
            self.send()
        self.write_down()

    def expire(self) -> None:
        assert self.held is not None
        self.take(ledger.expire(self.held, self.now))

    def remove_wrongly(self) -> None:
        """The connection was taken for gone; every wish but what was seen last is given up."""
        assert self.held is not None
        self.take(ledger.remove(self.held, cause=Cause.BANK, at=self.tick(), now=self.now))
        self.expected = dict.fromkeys(self.expected)

    def take(self, outcome: Outcome) -> None:
        """Write an outcome down, as the store would, and check what must hold after every single step."""
        self.held = outcome.connection
        self.facts += outcome.facts
        for operation in outcome.operations:
            self.operations[operation.id] = operation
            for item in operation.items:
                if item.status in {ItemStatus.FAILED, ItemStatus.NEEDS_USER}:
                    self._failed(operation.id, item.account_id)
        self.check()

    def _failed(self, operation_id: str, account_id: str) -> None:
        if (operation_id, account_id) not in self.failed:
            self.failed.add((operation_id, account_id))
            self.expected.update({real: None for real, known in self.ids.items() if known == account_id})

    # --- what must hold ---

    def check(self) -> None:
        held = self.held
        assert held is not None
        told = [fact for fact in self.facts if fact.type is not FactType.OPERATION_ENDED]
        assert [fact.revision for fact in told] == list(range(1, held.revision + 1))
        ended = Counter(fact.operation_id for fact in self.facts if fact.type is FactType.OPERATION_ENDED)
        assert ended == Counter(o.id for o in self.operations.values() if not o.open)
        assert {o.id for o in held.operations} == {o.id for o in self.operations.values() if o.open}
        for fact in self.facts:
            assert len({line.account_id for line in fact.accounts}) == len(fact.accounts)
        assert fold(self.facts) == self._shown()
        self._check_identities(held)
        self._check_choices(held)

    def _shown(self) -> dict[str, tuple[bool, object, str | None]]:
        assert self.held is not None
        if self.held.removed_at is not None:
            return {}
        return {a.id: (a.enabled, a.type, a.currency) for a in self.held.accounts}

    def _check_identities(self, held: Connection) -> None:
        """No account is doubled but while its old id is absent, none vanishes, none changes its id."""
        known = {real: account.id for real in range(REALS) if (account := self.account(real)) is not None}
        assert len({account.id for account in held.accounts}) == len(held.accounts)
        for real in range(REALS):
            shown = [a for a in self.alike(real) if not (a.missing_since or a.closed_at or a.choice)]
            assert len(shown) <= 1, f"{real} is shown twice"
        assert self.ids.items() <= known.items()
        self.ids = known

    def _check_choices(self, held: Connection) -> None:
        """A choice is being carried out exactly while an open operation waits for it."""
        waiting = [
            (operation.id, item.account_id)
            for operation in held.operations
            for item in operation.items
            if item.status is ItemStatus.PENDING
        ]
        under_way = [(a.choice.operation_id, a.id) for a in held.accounts if a.choice is not None]
        assert sorted(waiting) == sorted(under_way)
        for account in held.accounts:
            assert account.closed_at is None or account.choice is None
            if account.choice is None and account.closed_at is None and account.problem is None:
                assert account.wanted == account.enabled

    def come_to_rest(self) -> None:
        """Everything under way is lost; from now on each read is fresh and each worker is left in peace."""
        self.reads.clear()
        self.worker = None
        for _ in range(8):
            self.read_now()
            self.work()
            self.read_now()
            self.tick(hours=25)
            self.expire()
            self.read_now()
            if self.at_rest():
                return
        raise AssertionError(f"still busy: {self.held}")

    def at_rest(self) -> bool:
        assert self.held is not None
        return not self.held.operations and not any(a.missing_since for a in self.held.accounts if a.closed_at is None)

    def check_at_rest(self) -> None:
        assert self.held is not None
        assert len(self.held.accounts) == len(self.ids)
        for real in range(REALS):
            there, known = self.living(real), self.account(real)
            if there is None:
                continue
            assert known is not None
            assert (known.powens_id, known.closed_at, known.enabled) == (there.powens_id, None, not there.disabled)
            assert known.problem is not None or known.wanted == known.enabled
            if self.expected[real] is not None:
                assert (real, known.wanted) == (real, self.expected[real])
                assert known.wanted == known.enabled


def without_times(held: Connection) -> Connection:
    """A connection as people see it: two histories that end alike are equal."""
    accounts = sorted(held.accounts, key=lambda a: a.id)
    return replace(
        held,
        accounts=tuple(
            replace(a, discovered_at=NOW, missing_since=None, chosen_at=None, synchronised_since=None) for a in accounts
        ),
        revision=0,
        version=0,
        created_at=NOW,
        read_started_at=NOW,
    )
