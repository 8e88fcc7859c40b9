"""Fields that are something else than documented, once or until further notice."""

from collections.abc import Callable, Mapping

from tests.simulation.banks import NO_ID, NO_SELECTION, ODD_ACCOUNT, ODD_CONNECTION
from tests.simulation.powens.answers import Answers
from tests.worlds.powens.model import Account, Connection


class OddFields(Answers):
    """Fields that are something else than documented."""

    def spoil(self, connection: Connection, account: Account | None, *names: object) -> str:
        """A field of an account or of its connection is odd from now on; what it says in words."""
        roll = self.engine.chance.roll
        spoilt, value = odd(roll, ODD_CONNECTION if account is None else ODD_ACCOUNT, *names)
        (account or connection).odd[spoilt] = value
        if account is not None and spoilt == "balance":
            self.once_spoilt.add(account.id)
        self.disturb("odd field", connection.id)
        self.touch(connection, "connection-synced")
        return f"{spoilt} is {value!a}"

    def blur(self, connection: Connection, account: Account, *names: object, whole: bool) -> None:
        """The selection of an account, or even its id, cannot be read from now on."""
        roll = self.engine.chance.roll
        if whole:
            self.nameless[account.id] = NO_ID[int(roll("no id", *names) * len(NO_ID))]
        else:
            value = NO_SELECTION[int(roll("no selection", *names) * len(NO_SELECTION))]
            self.unreadable[account.id] = self.engine.at, value
        self.once_blurred.add(account.id)
        self.disturb("unreadable", connection.id)
        self.touch(connection, "connection-synced")

    def clear(self, account_id: int) -> None:
        """What could not be read of an account can be read again."""
        connection = self.connections.get(self.real_of[account_id].connection)
        if connection is not None:
            self.touch(connection, "connection-synced")
        self.unreadable.pop(account_id, None)
        self.nameless.pop(account_id, None)

    def _spoil(self, line: str, items: list[dict[str, object]], step: str) -> None:
        """One field of one thing of an answer is something else than documented, this once."""
        roll = self.engine.chance.roll
        if not items or "id" not in items[0]:
            return
        item = items[int(roll("odd item", step) * len(items))]
        spoilt, value = odd(roll, ODD_ACCOUNT if "iban" in item else ODD_CONNECTION, step)
        if spoilt == "deleted" and item["deleted"] is not None:
            return
        item[spoilt] = value
        if spoilt == "balance" and isinstance(item["id"], int):
            self.once_spoilt.add(item["id"])
        self.engine.tell(f"Powens answers {value!a} for the {spoilt} of {item['id']} in {line}")


def odd(roll: Callable[..., float], fields: Mapping[str, tuple[object, ...]], *names: object) -> tuple[str, object]:
    """A field, and a value that means nothing in it."""
    field_name = [*fields][int(roll("odd field", *names) * len(fields))]
    values = fields[field_name]
    return field_name, values[int(roll("odd value", *names) * len(values))]
