"""The open screens (ADR 0013)."""

from datetime import datetime, timedelta

from shared.adapters.dynamodb.keys import expiry, instant, partition_of, user_key
from shared.adapters.dynamodb.table import Item, Key, Table, delete, put
from shared.application.live import OpenSocket


def socket_key(socket_id: str) -> Key:
    return {"pk": f"SOCKET#{socket_id}", "sk": "SOCKET"}


def _user_key(user_id: str, socket_id: str) -> Key:
    return user_key(user_id, f"SOCKET#{socket_id}")


class DynamoDBSockets:
    """The port `SocketStore`."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def add_socket(self, socket: OpenSocket) -> None:
        attributes: Item = {
            "user_id": socket.user_id,
            "opened_at": instant(socket.opened_at),
            "until": instant(socket.until),
            "ttl": expiry(socket.until, timedelta()),
        }
        keys = (_user_key(socket.user_id, socket.id), socket_key(socket.id))
        self.table.transact(put({**key, **attributes}) for key in keys)

    def remove_socket(self, socket_id: str) -> None:
        key = socket_key(socket_id)
        item = self.table.get(key)
        if item is not None:
            self.table.transact([delete(key), delete(_user_key(item["user_id"], socket_id))])

    def sockets(self, user_id: str) -> list[OpenSocket]:
        page = self.table.query(
            "pk = :user AND begins_with(sk, :socket)",
            {"ConsistentRead": True},
            user=partition_of(user_id),
            socket="SOCKET#",
        )
        return [
            OpenSocket(
                id=item["sk"].removeprefix("SOCKET#"),
                user_id=user_id,
                opened_at=datetime.fromisoformat(item["opened_at"]),
                until=datetime.fromisoformat(item["until"]),
            )
            for item in page.items
        ]
