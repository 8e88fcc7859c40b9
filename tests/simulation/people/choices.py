"""What users choose of their accounts, on screens that may be old, and undo again."""

import json

from shared.domain.connection import connection_id
from tests.simulation.people.devices import Devices
from tests.simulation.people.memory import Action
from tests.simulation.powens.reals import Real


class Choices(Devices):
    def select(self, action: Action) -> None:
        """Tick and untick on the screen, and confirm; most devices send the revision that they show."""
        connection = self._connection(action)
        if connection is None:
            return
        ticks = {a["id"]: a["enabled"] for a in connection["accounts"] if a["status"] != "closed_at_bank"}
        if not ticks:
            return
        changed = {name: not on for name, on in ticks.items() if self.roll(action, "tick", name) < 0.4}
        if not changed:
            name = next(iter(ticks))
            changed = {name: not ticks[name]}
        careful = self.roll(action, "if-match") < 0.7
        headers = self._key(action)
        if careful:
            headers["if_match"] = f'"{connection["revision"]}"'
        chosen = {**ticks, **changed}
        # Without If-Match the whole screen is what she wants; with it, what she changed.
        said = self._reals(changed if careful else chosen)
        reals = self.world.powens.reals
        for real in [
            reals[real_id] for real_id in said if connection_id(reals[real_id].connection) != connection["id"]
        ]:
            # It has moved: a list without its id says nothing about it in its old place.
            self.oracle.two_ways(real)
            del said[real.id]
        self.tell(action, f"wants {self._words(said)}{'' if careful else ', on an unguarded screen'}")
        body = {"enabled_account_ids": [name for name, on in chosen.items() if on]}
        others = [] if careful else self._unseen(connection["id"], set(ticks))
        for real in others:
            self.oracle.expected[real.id].ordered.add(False)
            self.oracle.expected[real.id].allowed = {True, False}
        self._choose(action, "PUT", f"/v1/connections/{connection['id']}/selection", body, said, headers)

    def _unseen(self, our_id: str, seen: set[str]) -> "list[Real]":
        powens = self.world.powens
        held = [real for real in powens.reals.values() if connection_id(real.connection) == our_id]
        known = {real.id for name in seen if (real := self.oracle.real(name)) is not None}
        return [real for real in held if real.id not in known]

    def patch(self, action: Action) -> None:
        """One switch of one account."""
        connection = self._connection(action)
        account = self.pick(action, "account", connection["accounts"]) if connection else None
        if account is None:
            return
        wanted = not account["enabled"] if self.roll(action, "flip") < 0.85 else account["enabled"]
        said = self._reals({account["id"]: wanted})
        self.tell(action, f"switches {self._words(said)}")
        self._choose(action, "PATCH", f"/v1/accounts/{account['id']}", {"enabled": wanted}, said, self._key(action))

    def undo(self, action: Action) -> None:
        user = self.users[action.who]
        operation = user.operations[-1] if user.operations else None
        if operation is None or operation["id"] not in user.before:
            return
        before = user.before[operation["id"]]
        said = {real_id: next(iter(values)) for real_id, values in before.items() if len(values) == 1}
        unclear = {real_id for real_id in before if real_id not in said}
        for real_id in unclear:
            self.oracle.expected[real_id].ordered |= {True, False}
            self.oracle.expected[real_id].allowed = {True, False}
        self.tell(action, f"undoes: back to {self._words(said)}")
        self._choose(action, "POST", f"/v1/operations/{operation['id']}/undo", None, said, self._key(action))

    def _choose(
        self, action: Action, method: str, path: str, body: object, said: dict[int, bool], headers: dict[str, str]
    ) -> None:
        before = {real_id: set(self.oracle.expected[real_id].allowed) for real_id in said}
        asked = self.oracle.ask(said)
        reply, doubt = self.ask(action, method, path, body, **headers)
        if reply is None or reply.status >= 500:
            self.tell(action, "does not know whether that went through")
            self.oracle.answered(asked, None)
        elif reply.status == 202:
            operation = reply.json
            self.tell(action, f"operation {operation['id'][-6:]} is recorded")
            user = self.users[action.who]
            user.operations.append(operation)
            reals = [self.oracle.real(a["account_id"]) for a in operation["accounts"]]
            user.before[operation["id"]] = {
                # The ledger may not have known what she did in the Webview: it then goes back to what it showed.
                real.id: {True, False}
                if real.id in asked.also
                else before.get(real.id, {True, False}) | ({not said[real.id]} if real.id in said else set())
                for real in reals
                if real is not None
            }
            # It may have failed, and said so, before this answer came through.
            failed = operation["id"] in self.oracle.ended and self.oracle.ended[operation["id"]].failed
            self.oracle.answered(
                asked, None if failed else True, [] if failed else [real.id for real in reals if real is not None]
            )
        else:
            self.tell(action, f"is refused: {json.loads(reply.body)['code']}")
            # A first attempt without an answer may have been the one that changed the revision.
            self.oracle.answered(asked, None if doubt and "idempotency_key" not in headers else False)

    def _reals(self, changed: dict[str, bool]) -> dict[int, bool]:
        said: dict[int, bool] = {}
        for name, on in changed.items():
            real = self.oracle.real(name)
            if real is not None and said.setdefault(real.id, on) is not on:
                self.oracle.two_ways(real)  # shown under its old and its new id
        return said
