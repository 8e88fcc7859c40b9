"""The stores of a user's state, by role, as DynamoDB's adapters and in memory; and what each has sent by its outbox."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from typing import Any, NamedTuple, Protocol

from boto3.dynamodb.types import TypeDeserializer

from local.intrinsics import load
from local.paths import TEMPLATE
from shared.adapters.dynamodb.answers import DynamoDBAnswers
from shared.adapters.dynamodb.budget import DynamoDBBudget
from shared.adapters.dynamodb.connections import DynamoDBConnections
from shared.adapters.dynamodb.erasure import DynamoDBErasures
from shared.adapters.dynamodb.manual import DynamoDBManualAccounts
from shared.adapters.dynamodb.markers import InstitutionMarkers
from shared.adapters.dynamodb.operations import DynamoDBOperations
from shared.adapters.dynamodb.outbox import Outbox
from shared.adapters.dynamodb.powens_users import DynamoDBPowensUsers
from shared.adapters.dynamodb.table import Table
from shared.adapters.dynamodb.webview import DynamoDBWebviewSessions
from shared.adapters.dynamodb.wishes import DynamoDBWishes
from shared.application.access import PowensUserStore, TokenStore
from shared.application.budget import BudgetStore
from shared.application.changes import ConnectionStore
from shared.application.confirmation import Returns
from shared.application.erasure import ErasureStore
from shared.application.housekeeping import LateErasures, OpenOperations, ReconciliationPlan, UnconfirmedConnections
from shared.application.manual import ManualAccountStore
from shared.application.ports import Answers
from shared.application.read_back import KnownPowensUsers
from shared.application.webview import SessionStore
from shared.application.wishes import WishStore
from shared.domain.erasure import Erasure
from tests.builders import FixedClock
from tests.worlds.memory.connections import InMemoryAnswers, InMemoryConnections, InMemoryOperations
from tests.worlds.memory.erasures import InMemoryErasures
from tests.worlds.memory.manual import InMemoryManualAccounts
from tests.worlds.memory.powens_users import InMemoryPowensUsers
from tests.worlds.memory.sessions import InMemoryBudget, InMemorySessions
from tests.worlds.memory.state import Memory
from tests.worlds.memory.wishes import InMemoryWishes

TABLE = "contracts-table"


class PowensUserPorts(PowensUserStore, TokenStore, KnownPowensUsers, ReconciliationPlan, Protocol): ...


class ErasurePorts(ErasureStore, LateErasures, Protocol):
    def erasure(self, user_id: str, erasure_id: str) -> Erasure | None: ...


class Sent(NamedTuple):
    """What has left: of events their type and revision, of messages their bodies. Both in no order."""

    events: list[tuple[str, int]]
    messages: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Stores:
    clock: FixedClock
    connections: ConnectionStore
    operations: OpenOperations
    answers: Answers
    users: PowensUserPorts
    erasures: ErasurePorts
    manual: ManualAccountStore
    wishes: WishStore
    sessions: SessionStore
    returns: Returns
    unconfirmed: UnconfirmedConnections
    budget: BudgetStore
    sent: Callable[[], Sent]


def in_memory() -> Stores:
    clock = FixedClock()
    memory = Memory(clock)

    def sent() -> Sent:
        events = sorted((fact.type.value, fact.revision) for fact in memory.facts)
        return Sent(events, _sorted([json.loads(message.model_dump_json()) for message in memory.messages]))

    return Stores(
        clock=clock,
        connections=InMemoryConnections(memory),
        operations=InMemoryOperations(memory),
        answers=InMemoryAnswers(memory),
        users=InMemoryPowensUsers(memory),
        erasures=InMemoryErasures(memory),
        manual=InMemoryManualAccounts(memory),
        wishes=InMemoryWishes(memory),
        sessions=InMemorySessions(memory),
        returns=InMemorySessions(memory),
        unconfirmed=InMemoryConnections(memory),
        budget=InMemoryBudget(),
        sent=sent,
    )


def dynamodb(client: Any) -> Stores:
    """On an empty table, with the keys and indexes that the template declares."""
    declared = load(TEMPLATE.read_text("utf-8"))["Resources"]["Table"]["Properties"]
    names = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    client.create_table(TableName=TABLE, **{name: declared[name] for name in names})
    clock, ids = FixedClock(), count(1)
    table = Table(client, TABLE)
    outbox = Outbox(clock, lambda: f"{next(ids):026d}")
    markers = InstitutionMarkers(clock, lambda text: sha256(text.encode()).hexdigest())

    def sent() -> Sent:
        deserialize = TypeDeserializer().deserialize
        found = client.scan(TableName=TABLE)["Items"]
        items = [{name: deserialize(value) for name, value in item.items()} for item in found]
        events = [(i["detail_type"], json.loads(i["detail"])["data"]["revision"]) for i in items if "detail" in i]
        return Sent(sorted(events), _sorted([json.loads(item["body"]) for item in items if "queue" in item]))

    return Stores(
        clock=clock,
        connections=DynamoDBConnections(table, outbox, markers),
        operations=DynamoDBOperations(table),
        answers=DynamoDBAnswers(table, clock),
        users=DynamoDBPowensUsers(table, clock),
        erasures=DynamoDBErasures(table, outbox, markers),
        manual=DynamoDBManualAccounts(table, outbox),
        wishes=DynamoDBWishes(table, outbox),
        sessions=DynamoDBWebviewSessions(table, outbox),
        returns=DynamoDBWebviewSessions(table, outbox),
        unconfirmed=DynamoDBConnections(table, outbox, markers),
        budget=DynamoDBBudget(table),
        sent=sent,
    )


def _sorted(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(messages, key=str)
