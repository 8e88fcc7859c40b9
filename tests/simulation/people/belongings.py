"""Manual accounts, wishes, and the end of everything about a user."""

from tests.simulation.banks import BANKS, WISHED
from tests.simulation.people.devices import Devices
from tests.simulation.people.memory import Action, Manual, Wish
from tests.simulation.powens.reals import uuid_of


class Belongings(Devices):
    def add_manual(self, action: Action) -> None:
        body = {"name": f"By hand {action.number}", "type": "savings", "currency": "EUR", "balance": "1523.07"}
        self.tell(action, "adds a manual account")
        reply, doubt = self.ask(action, "POST", "/v1/accounts", body, **self._key(action))
        user = self.users[action.who]
        if reply is not None and reply.status == 201:
            user.manual[reply.json["id"]] = Manual(body["name"])
        if reply is None or reply.status >= 500 or doubt:
            user.unclear.add(body["name"])

    def _manual(self, action: Action) -> tuple[str, "Manual"] | None:
        kept = self.users[action.who].manual
        return self.pick(action, "manual", list(kept.items()))

    def change_manual(self, action: Action) -> None:
        """A name, or a join with a synchronised account."""
        found = self._manual(action)
        if found is None:
            return
        manual_id, manual = found
        if self.roll(action, "what") < 0.5:
            name = f"Renamed by hand {action.number}"
            body = {"name": name}
            reply, doubt = self.ask(action, "PATCH", f"/v1/accounts/{manual_id}", body, **self._key(action))
            sure = reply is not None and reply.status == 200 and not doubt
            manual.names = {name} if sure else {*manual.names, name}
            return
        connection = self._connection(action)
        account = self.pick(action, "account", connection["accounts"]) if connection else None
        if account is not None:
            self.tell(action, "joins a manual account with a synchronised one")
            body = {"account_id": account["id"]}
            self.ask(action, "PUT", f"/v1/accounts/{manual_id}/link", body, **self._key(action))

    def drop_manual(self, action: Action) -> None:
        found = self._manual(action)
        if found is None:
            return
        manual_id, manual = found
        self.tell(action, "drops a manual account")
        manual.dropped = None  # on its way
        reply, _ = self.ask(action, "DELETE", f"/v1/accounts/{manual_id}", **self._key(action))
        if reply is not None and reply.status == 204:
            manual.dropped = True

    def wish(self, action: Action) -> None:
        bank = uuid_of(int(self.roll(action, "bank") * len(BANKS)))
        kind = [*WISHED][int(self.roll(action, "kind") * len(WISHED))]
        asked = self.world.engine.at
        self.tell(action, f"wishes for {WISHED[kind]} at {bank[-1]}")
        body = {"institution_id": bank, "type": WISHED[kind]}
        reply, doubt = self.ask(action, "POST", "/v1/wishes", body, **self._key(action))
        if reply is not None and reply.status == 201 and not doubt:
            wish = Wish(bank, kind, asked, self.world.engine.at)
            self.users[action.who].wishes[reply.json["id"]] = wish

    def dismiss(self, action: Action) -> None:
        """Of what she wished for, she wants to hear no more."""
        wishes = self.users[action.who].wishes
        wish_id = self.pick(action, "wish", [*wishes])
        if wish_id is not None:
            self.tell(action, "dismisses a wish")
            wishes.pop(wish_id)
            self.ask(action, "DELETE", f"/v1/wishes/{wish_id}", **self._key(action))

    def give_more(self, action: Action) -> None:
        """Powens begins to handle savings and investments at a bank; the catalogue shows it within the hour."""
        bank = uuid_of(int(self.roll(action, "bank") * len(BANKS)))
        powens = self.world.powens
        if bank not in powens.news:
            self.tell(action, f"Powens begins to give savings at {bank[-1]}")
            powens.connectors[bank].give_savings()
            powens.news[bank] = self.world.engine.at
            self.world.engine.after(3600 * self.roll(action, "hour"), self.world.renew_catalogue)

    def export(self, action: Action) -> None:
        self.ask(action, "GET", "/v1/me/export")

    def erase(self, action: Action) -> None:
        """Everything about the user ends; afterwards she may begin anew."""
        self.tell(action, "wants everything about her erased")
        user = self.users[action.who]
        reply, _ = self.ask(action, "DELETE", "/v1/me", **self._key(action))
        if reply is not None and reply.status == 202:
            user.erased_from = self.world.engine.at
        user.wishes.clear()
        for manual in user.manual.values():
            manual.dropped = True if reply is not None and reply.status == 202 else None
