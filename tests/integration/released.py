"""What released code left after `released_journey`: to record it, to go on with it, to compare today's with it.

Each `tests/released/table-<number>` is one recording: `items/<kind>.json` in DynamoDB's JSON, a file for each kind of
key; `messages/*.json`, what lies in the queues and in the stream; `answers.json`, what the API says of it;
`powens.json`, where Powens is at that moment. No token or IBAN is among them: tokens are sealed in the items, and the
fake makes the IBANs. The newest is what today's code writes; an older one must be gone on with as long as it is there.
"""

import base64
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.domain.connection import connection_id
from tests.ibans import iban
from tests.integration.released_journey import LARGE, LOCKED, UNDER_WAY, WORKING, decrypt
from tests.integration.world import World
from tests.worlds.deployment import TABLE
from tests.worlds.powens.model import Connector, User

FOLDER = Path(__file__).parents[1] / "released"
TABLES = sorted(FOLDER.glob("table-*"), key=lambda path: int(path.name.partition("-")[2]))
"""The recordings, oldest first."""

type Item = dict[str, dict[str, Any]]
"""In DynamoDB's JSON; bytes are in base64 where it is stored."""


# --- recording -------------------------------------------------------------------------------------------------------


def record(world: World, receipts: Iterable[tuple[str, str]], number: int) -> Path:
    """As the table of this number; returns its folder. `receipts`: the erasures of the journey, as it returned them."""
    table = FOLDER / f"table-{number}"
    for path in table.rglob("*.json"):
        path.unlink()
    for kind, items in by_kind(world.items()).items():
        _write(table / "items" / f"{kind}.json", items)
    for name, messages in messages_left(world).items():
        _write(table / "messages" / f"{name}.json", messages)
    _write(table / "powens.json", powens_state(world))
    _write(table / "answers.json", answers(world, receipts))
    return table


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False, default=_plain) + "\n", "utf-8")


def _plain(value: object) -> str:
    assert isinstance(value, bytes), value
    return base64.b64encode(value).decode()


def by_kind(items: Iterable[Item]) -> dict[str, list[Item]]:
    """Sorted, under what their keys begin with: `USER#alice` and `LIST#WISH#1` are of the kind `user-list-wish`."""
    kinds: dict[str, list[Item]] = {}
    for item in sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"])):
        words = [word for key in ("pk", "sk") for word in re.findall(r"(?:^|(?<=#))[A-Z]+(?=#|$)", item[key]["S"])]
        kinds.setdefault("-".join(words).lower(), []).append(dict(sorted(item.items())))
    return kinds


def messages_left(world: World) -> dict[str, Any]:
    """Bodies, groups and deduplication ids in the queues; records of the stream that nobody has read."""
    queues = {"commands": world.commands, "refresh": world.refresh}
    left: dict[str, Any] = {
        name: [{"body": m.body, "group": m.group, "deduplication_id": m.deduplication_id} for m in queue.messages]
        for name, queue in queues.items()
    }
    # Without what the filters of its readers keep back.
    return left | {"stream": [r for r in world.aws.stream if "queue" in _image(r) or "detail_type" in _image(r)]}


def _image(record: Mapping[str, Any]) -> Item:
    image: Item = record["dynamodb"]["NewImage"]
    return image


def powens_state(world: World) -> dict[str, Any]:
    fake = world.powens
    known = {iban(number): number for c in fake.connections.values() for number in c.accounts}
    return {
        "now": world.clock.now.isoformat(),
        "users": {user.id: user.temporary for user in fake.users.values()},
        "connectors": [{"uuid": c.uuid, "name": c.name, "listed": c.listed} for c in fake.connectors.values()],
        "connections": [
            {
                "connection_id": c.id,
                "user": c.user,
                "bank": c.bank,
                "uuid": c.uuid,
                "state": c.state,
                "last_update": c.last_update.isoformat(),
                "accounts": [
                    {
                        "account_id": a.id,
                        "iban_of": known[a.iban] if a.iban else None,
                        "type": a.type,
                        "currency": a.currency,
                        "balance": a.balance,
                        "disabled": a.disabled,
                        "deleted": a.deleted,
                        "last_update": a.last_update.isoformat() if a.last_update else None,
                    }
                    for a in c.accounts.values()
                ],
            }
            for c in fake.connections.values()
        ],
    }


def answers(world: World, receipts: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """What the API says, by user and address."""
    paths = ["/v1/connections", "/v1/history", "/v1/me/export"]
    asked = [(user, path) for user in ("alice", "bob", "user-5", "user-6") for path in paths]
    for user, number in (("alice", WORKING), ("alice", LOCKED), ("bob", UNDER_WAY), ("user-5", LARGE)):
        asked.append((user, f"/v1/connections/{connection_id(number)}/missing-accounts"))
    items = by_kind(world.items())
    for item in (*items["user-operation"], *items["user-list-manual"]):
        key, user = item["sk"]["S"], item["pk"]["S"].removeprefix("USER#")
        number = key.rpartition("#")[2]
        path = f"/v1/operations/{number}" if key.startswith("OPERATION#") else f"/v1/accounts/{number}/balances"
        asked.append((user, path))
    asked += [*receipts, ("alice", "/v1/institutions"), ("alice", "/v1/incidents")]
    return {f"{user} {path}": answered(world, user, path) for user, path in asked}


def answered(world: World, user: str, path: str) -> Any:
    reply = world.api("GET", path, user=user)
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


# --- going on with it ------------------------------------------------------------------------------------------------


def read(table: Path, name: str) -> Any:
    return json.loads((table / f"{name}.json").read_text("utf-8"))


def recorded_items(table: Path) -> list[Item]:
    names = sorted(path.stem for path in (table / "items").glob("*.json"))
    return [_with_bytes(item) for name in names for item in read(table, f"items/{name}")]


def _with_bytes(item: Item) -> Item:
    return {
        name: {kind: base64.b64decode(text) if kind == "B" else text for kind, text in value.items()}
        for name, value in item.items()
    }


def load(world: World, table: Path) -> None:
    """An empty world becomes the one that was recorded, at that moment. The messages are not in the queues yet."""
    items = recorded_items(table)
    with world.looking():
        for item in items:
            world.dynamodb.put_item(TableName=TABLE, Item=item)
    world.aws._known |= {(item["pk"]["S"], item["sk"]["S"]) for item in items}
    state = read(table, "powens")
    world.clock.now = datetime.fromisoformat(state["now"])
    _load_powens(world, state, items)


def _load_powens(world: World, state: Mapping[str, Any], items: Iterable[Item]) -> None:
    fake = world.powens
    for connector in state["connectors"]:
        fake.connectors[connector["uuid"]] = Connector(**connector)
    fake.users = {int(number): User(int(number), temporary) for number, temporary in state["users"].items()}
    for item in items:
        if "sealed_token" in item:
            context = {"user_id": item["pk"]["S"].removeprefix("USER#")}
            blob = item["sealed_token"]["B"]
            token = decrypt(KeyId="", CiphertextBlob=blob, EncryptionContext=context)["Plaintext"].decode()
            fake.users[int(item["powens_user_id"]["N"])].tokens.add(token)
            fake.secrets.add(token)
    # New users and tokens come after those that there are.
    while next(fake._ids) < max(fake.users):
        pass
    for _ in range(1000):
        next(fake._tokens)
    for shown in state["connections"]:
        accounts, last_update, at = shown.pop("accounts"), shown.pop("last_update"), shown.pop("state")
        connection = fake.add_connection(**shown)
        connection.state, connection.last_update = at, datetime.fromisoformat(last_update)
        for account in accounts:
            updated, same_as = account.pop("last_update"), account.pop("iban_of")
            last = datetime.fromisoformat(updated) if updated else None
            fake.add_account(connection, **account, last_update=last, iban=iban(same_as) if same_as else None)


def put_messages(world: World, table: Path) -> None:
    """Into the queues, and before the readers of the stream, as the released code had written them."""
    now = world.clock.now.timestamp()
    for queue, name in ((world.commands, "commands"), (world.refresh, "refresh")):
        for message in read(table, f"messages/{name}"):
            queue.put(message["body"], message["group"], message["deduplication_id"], now)
    world.aws.stream += read(table, "messages/stream")


# --- comparing -------------------------------------------------------------------------------------------------------

_ULID = re.compile(r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d):\d\d(?:\.\d+)?(Z|\+00:00)")
_MADE_OF_IDS = re.compile(r"(RECEIPT#)[0-9a-f]{64}|(?<![\w#])(OPERATION#)\d(?!\d)")
"""A hash of an id, and the part of an index that an id falls into."""


def comparable(items: Iterable[Item]) -> dict[str, list[Any]]:
    """By key. Equal for two journeys whose ids and clocks ran a little differently.

    An id becomes its place among the ids of its kind, a time its minute; documents are read, and unpacked. Items whose
    keys are hashes of ids share one key.
    """
    everything = list(items)
    names = _names(everything)
    found: dict[str, list[Any]] = {}
    for item in everything:
        key = _plain_text(f"{item['pk']['S']} / {item['sk']['S']}", names)
        attributes = {
            name: {kind: _value(name, kind, given, names) for kind, given in attribute.items()}
            for name, attribute in sorted(item.items())
            if name not in ("pk", "sk")
        }
        found.setdefault(key, []).append(attributes)
    return {key: sorted(alike, key=str) for key, alike in found.items()}


def comparable_messages(messages: Mapping[str, Any], items: Iterable[Item]) -> dict[str, Any]:
    """The same of what `messages_left` gives; the ids are named as they are among the items."""
    names = _names(items)
    images = [_image(record) for record in messages["stream"]]
    return {
        name: [{key: _text(value, names) for key, value in message.items()} for message in messages[name]]
        for name in ("commands", "refresh")
    } | {"stream": [{name: _text(str(value), names) for name, value in image.items()} for image in images]}


def _value(name: str, kind: str, given: Any, names: Mapping[str, str]) -> Any:
    if kind == "N" and name == "ttl":
        return int(given) // 60
    if kind == "B":
        with suppress(zlib.error):
            return _text(zlib.decompress(bytes(given)).decode(), names)
    return _text(given, names) if kind == "S" else given


def _text(text: str, names: Mapping[str, str]) -> Any:
    plain = _plain_text(text, names)
    try:
        return json.loads(plain)
    except ValueError:
        return plain


def _plain_text(text: str, names: Mapping[str, str]) -> str:
    told = _MADE_OF_IDS.sub(r"\1\2…", _TIME.sub(r"\1:…\2", text))
    return _ULID.sub(lambda found: names.get(found[0], "another id"), told)


def _names(items: Iterable[Item]) -> dict[str, str]:
    """The ids that stand in a sort key: `EVENT 3` is the third event of all."""
    kinds: dict[str, set[str]] = {}
    for item in items:
        for found in re.finditer(r"([A-Z]+)#([0-7][0-9A-HJKMNP-TV-Z]{25})\b", item["sk"]["S"]):
            kinds.setdefault(found[1], set()).add(found[2])
    return {
        known: f"{kind} {number}" for kind, ids in kinds.items() for number, known in enumerate(sorted(ids), start=1)
    }


def lost(released: Any, current: Any, at: str = "") -> list[str]:
    """What of a released answer is not in a current one, which may have more members, and say a message in other words.

    The code beside a message says what it means; that there is a text for each code is a test of the texts.
    """
    if isinstance(released, dict) and isinstance(current, dict):
        return [
            line
            for name, value in released.items()
            if not (name == "message" and current.get(name))
            for line in (lost(value, current[name], f"{at}.{name}") if name in current else [f"{at}.{name} is gone"])
        ]
    if isinstance(released, list) and isinstance(current, list) and len(released) == len(current):
        return [
            line
            for number, (old, new) in enumerate(zip(released, current, strict=True))
            for line in lost(old, new, f"{at}[{number}]")
        ]
    return [] if released == current else [f"{at} was {released!r}, is {current!r}"]
