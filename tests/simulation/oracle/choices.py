"""Which ends are allowed for an account after each choice, and after what makes choices uncertain."""

from collections.abc import Iterable

from tests.simulation.oracle.ledger_view import LedgerView
from tests.simulation.oracle.memory import Asked
from tests.simulation.powens.reals import Real


class Choices(LedgerView):
    def webview(self, real: Real, enabled: bool) -> None:
        """Somebody ticked or unticked the account at Powens just now."""
        expected = self.expected[real.id]
        _, held = self.held(real)
        known = held is None or held["powens_id"] == real.ids[-1]
        certain = held is None or (self.settled(real) and (enabled or known))
        # Shown under two ids: what becomes of it in the end was perhaps wanted under the other one.
        certain = certain and not self._blurred(real) and not self.doubled(real)
        expected.alike = False
        expected.now({enabled} if certain else {*expected.allowed, enabled}, self.world.engine.at)
        for asked in self.asked:
            if real.id in asked.wants:
                asked.also.setdefault(real.id, set()).add(enabled)

    def unread(self, reals: Iterable[Real]) -> None:
        """Powens changes accounts by itself: a choice that was not read before can no longer be told from that."""
        for real in reals:
            if not (self.caught_up(real) and self.settled(real)):
                self.expected[real.id].allowed = {True, False}

    def _blurred(self, real: Real) -> bool:
        return any(name in self.world.powens.unreadable or name in self.world.powens.nameless for name in real.ids)

    def blurred(self, real: Real) -> None:
        """Its selection can no longer be read, or can again: what was chosen at Powens meanwhile was not seen."""
        if not (self.caught_up(real) and self.settled(real)):
            self.expected[real.id].allowed = {True, False}

    def recreated(self, real: Real) -> None:
        """Powens has made an account anew. If nothing tells it from others that are gone, their wishes must agree."""
        powens = self.world.powens
        group = [
            other
            for other in powens.reals.values()
            if real.shared and other.identity == real.identity and other.connection == real.connection
        ]
        lost = [other for other in group if other.ids[-1] in powens.unbound or self.living(other) is None]
        wishes = {frozenset(self.expected[other.id].allowed) for other in lost}
        if len(lost) > 1 and (len(wishes) > 1 or len(next(iter(wishes))) > 1):
            certain = all(len(allowed) == 1 for allowed in wishes)
            for other in lost:
                expected = self.expected[other.id]
                expected.missed = other.ids[-1] in powens.unbound and certain
                expected.alike, expected.excused, expected.allowed = True, True, {True, False}

    def two_ways(self, real: Real) -> None:
        """Its user wants it on and off at once, as it shows under two ids."""
        self.expected[real.id].ordered |= {True, False}
        self.expected[real.id].allowed = {True, False}

    def renamed(self, real: Real, name: str, *, certain: bool) -> None:
        expected = self.expected[real.id]
        expected.names = {name} if certain and not self.doubled(real) else {*expected.names, name}

    def ask(self, wants: dict[int, bool]) -> Asked:
        """A device sends a choice."""
        asked = Asked(dict(wants))
        for real_id, wanted in wants.items():
            expected = self.expected[real_id]
            expected.ordered.add(wanted)
            expected.alike = False
            if self.doubled(self.world.powens.reals[real_id]):
                asked.also[real_id] = {True, False}
            elif not self.caught_up(self.world.powens.reals[real_id]):
                asked.also[real_id] = set(expected.allowed)
                there = self.living(self.world.powens.reals[real_id])
                if there is not None:
                    asked.also[real_id].add(not there.disabled)
            for other in self.asked:
                if real_id in other.wants:
                    other.also.setdefault(real_id, set()).add(wanted)
                    asked.also.setdefault(real_id, set()).add(other.wants[real_id])
        self.asked.append(asked)
        return asked

    def answered(self, asked: Asked, recorded: bool | None, changed: Iterable[int] = ()) -> None:
        """How it went: recorded (changing these accounts), refused, or nobody knows (None)."""
        self.asked.remove(asked)
        if recorded is False:
            return
        for real_id, wanted in asked.wants.items():
            expected = self.expected[real_id]
            allowed = asked.also.get(real_id, set()) | {wanted} | (set() if recorded else expected.allowed)
            expected.now(allowed, self.world.engine.at)
            if real_id in changed:
                expected.excused = False
