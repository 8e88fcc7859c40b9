"""What must hold whatever happens: any loss, repetition and order of reads, any interleaving of choices, any crash."""

import os
import random
from datetime import timedelta

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.unit.domain.powens import REALS, Read
from tests.unit.domain.world import World, without_times
from tests.worlds.folding import fold

EXPLORE = int(os.environ.get("EXPLORE_EXAMPLES", "0"))
"""Set to a number to look for new counter-examples; the gate itself is the same run each time."""

BOUNDED = settings(
    derandomize=not EXPLORE,
    database=None,
    deadline=None,
    max_examples=EXPLORE or 120,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)

reals = st.integers(0, REALS - 1)
bits = st.integers(0, 2**REALS - 1)


def among(mask: int) -> frozenset[int]:
    return frozenset(real for real in range(REALS) if mask >> real & 1)


class LedgerMachine(RuleBasedStateMachine):
    """Powens, the Webview, our API, reads and the worker, each taking its step whenever hypothesis says so."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(ticked=bits)
    def the_user_connects_a_bank(self, ticked: int) -> None:
        for real in range(3):
            self.world.discover(real)
            if real in among(ticked):
                self.world.flip_in_webview(real)
        self.world.read_now()

    # --- at Powens ---

    @rule(real=reals)
    def somebody_flips_an_account_in_the_webview(self, real: int) -> None:
        if self.world.living(real) is not None:
            self.world.flip_in_webview(real)

    @rule(real=reals)
    def powens_discovers_an_account(self, real: int) -> None:
        if real not in self.world.expected:
            self.world.discover(real)

    @rule(real=reals, listed=st.booleans())
    def powens_recreates_an_account(self, real: int, *, listed: bool) -> None:
        if self.world.living(real) is not None:
            self.world.recreate(real, listed=listed)

    @rule(real=reals)
    def the_bank_closes_an_account(self, real: int) -> None:
        if self.world.living(real) is not None:
            self.world.close_at_bank(real)

    @rule(real=reals, disabled=st.booleans())
    def the_bank_shows_an_account_again(self, real: int, *, disabled: bool) -> None:
        if real in self.world.expected and self.world.living(real) is None:
            self.world.show_again(real, disabled=disabled)

    @rule()
    def powens_synchronises(self) -> None:
        self.world.synchronise()

    # --- reads: begun, answered in the order in which they began, written down in any order or never ---

    @rule()
    def a_read_begins(self) -> None:
        self.world.begin_read()

    @precondition(lambda self: any(read.shown is None for read in self.world.reads))
    @rule(missing=bits, whole=st.booleans())
    def a_read_is_answered(self, missing: int, *, whole: bool) -> None:
        read = next(read for read in self.world.reads if read.shown is None)
        self.world.fetch(read, without=frozenset() if whole else among(missing))

    @precondition(lambda self: any(read.shown is not None for read in self.world.reads))
    @rule(nth=st.integers(0, 5), keep=st.booleans())
    def a_read_is_written_down(self, nth: int, *, keep: bool) -> None:
        answered = [read for read in self.world.reads if read.shown is not None]
        read = answered[nth % len(answered)]
        self.world.tick()
        self.world.apply(read)
        if not keep:
            self.world.reads.remove(read)

    @precondition(lambda self: self.world.reads)
    @rule(nth=st.integers(0, 5))
    def a_read_is_lost(self, nth: int) -> None:
        self.world.reads.pop(nth % len(self.world.reads))

    @rule()
    def a_read_is_done_at_once(self) -> None:
        if not any(read.shown is None for read in self.world.reads):
            self.world.read_now()

    # --- our API ---

    @precondition(lambda self: self.world.held.removed_at is None)
    @rule(about=bits, values=bits)
    def the_user_chooses(self, about: int, values: int) -> None:
        wants = {known: real in among(values) for real, known in self.world.ids.items() if real in among(about)}
        self.world.choose(wants)

    @precondition(lambda self: self.world.held.removed_at is None and self.world.operations)
    @rule(nth=st.integers(0, 9))
    def the_user_undoes(self, nth: int) -> None:
        operations = list(self.world.operations.values())
        self.world.undo(operations[-1 - nth % len(operations)])

    @precondition(lambda self: self.world.held.removed_at is None)
    @rule()
    def the_user_asks_for_a_refresh(self) -> None:
        self.world.begin_refresh()

    # --- the worker ---

    @precondition(lambda self: self.world.worker is None and self.world.held.operations)
    @rule()
    def a_worker_starts(self) -> None:
        self.world.start_worker()

    @precondition(lambda self: self.world.worker is not None and self.world.worker.in_hand)
    @rule(how=st.sampled_from(["obeyed", "obeyed", "obeyed", "refused", "ignored", "unanswered"]))
    def the_worker_sends_an_order(self, how: str) -> None:
        self.world.send(how)

    @precondition(lambda self: self.world.worker is not None)
    @rule()
    def the_worker_writes_down_the_answers(self) -> None:
        self.world.write_down()

    @precondition(lambda self: self.world.worker is not None)
    @rule()
    def the_worker_is_killed(self) -> None:
        self.world.worker = None

    @precondition(lambda self: self.world.worker is None and self.world.held.operations)
    @rule()
    def a_worker_does_it_all(self) -> None:
        self.world.work()

    # --- time, and mistakes ---

    @rule(minutes=st.sampled_from([1, 11, 60 * 25]))
    def time_passes(self, minutes: int) -> None:
        self.world.tick(minutes=minutes)
        self.world.expire()

    @precondition(lambda self: self.world.held.removed_at is None)
    @rule(dice=st.integers(0, 4))
    def the_connection_is_taken_for_removed(self, dice: int) -> None:
        if dice == 0:
            self.world.remove_wrongly()

    @invariant()
    def nothing_is_overdue_for_ever(self) -> None:
        if self.world.held is not None:
            assert all(o.deadline_at - o.created_at <= timedelta(minutes=10) for o in self.world.held.operations)

    def teardown(self) -> None:
        if self.world.held is None:
            return
        self.world.come_to_rest()
        self.world.check_at_rest()
        twice = self.world.facts * 2
        random.Random(len(twice)).shuffle(twice)
        assert fold(twice) == fold(self.world.facts)


def test_whatever_happens_the_ledger_comes_to_rest_on_powens_and_the_newest_choice() -> None:
    run_state_machine_as_test(LedgerMachine, settings=BOUNDED)


type Step = tuple[str, int]
steps = st.lists(st.tuples(st.sampled_from(["flip", "discover", "sync"]), reals), min_size=1, max_size=12)


def history(script: list[Step]) -> list[Read]:
    """One whole read after every step of what users and the bank do at Powens."""
    world = World()
    world.discover(0)
    reads = []
    for what, real in script:
        if what == "discover" and real not in world.expected:
            world.discover(real)
        elif what == "flip" and world.living(real) is not None:
            world.flip_in_webview(real)
        else:
            world.synchronise()
        read = Read(world.tick())
        world.fetch(read)
        reads.append(read)
    return reads


@BOUNDED
@given(script=steps, data=st.data())
def test_any_loss_repetition_and_order_of_reads_ends_in_the_same_state(script: list[Step], data: st.DataObject) -> None:
    reads = history(script)
    whole = World()
    for read in reads:
        whole.apply(read)
    some = World()
    for read in data.draw(st.lists(st.sampled_from(reads), max_size=20)):
        some.apply(read)
    some.apply(reads[-1])
    assert whole.held is not None
    assert some.held is not None
    assert without_times(some.held) == without_times(whole.held)
    assert fold(some.facts) == fold(whole.facts)
