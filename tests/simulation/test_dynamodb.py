"""The in-memory DynamoDB against moto's: the same operations, the same answers, refusals and items."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from tests.simulation.dynamodb import Refused, SimulatedTable
from tests.simulation.expressions import UnknownSyntax, condition
from tests.worlds.deployment import TABLE, aws_client, resources

PARTITIONS = st.sampled_from(["USER#a", "USER#b"])
SORTS = st.sampled_from(["LIST#1", "LIST#2", "OPERATION#1", "PROFILE"])
NUMBERS = st.integers(0, 3).map(lambda number: {"N": str(number)})
TEXTS = st.sampled_from(["x", "y"]).map(lambda text: {"S": text})
DUE: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{}, {"due_pk": {"S": "D#0"}, "due_sk": {"S": "1"}}, {"due_pk": {"S": "D#0"}, "due_sk": {"S": "2"}}]
)
CONDITIONS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {},
        {"ConditionExpression": "attribute_not_exists(pk)"},
        {"ConditionExpression": "attribute_exists(pk)"},
        {"ConditionExpression": "version = :seen", "ExpressionAttributeValues": {":seen": {"N": "1"}}},
        {
            "ConditionExpression": "attribute_not_exists(pk) OR #ttl <= :now",
            "ExpressionAttributeNames": {"#ttl": "ttl"},
            "ExpressionAttributeValues": {":now": {"N": "2"}},
        },
        {
            "ConditionExpression": "attribute_not_exists(document) AND (attribute_not_exists(version) OR version < :v)",
            "ExpressionAttributeValues": {":v": {"N": "2"}},
        },
        {"ConditionExpression": "document <> :d", "ExpressionAttributeValues": {":d": {"S": "x"}}},
    ]
)
UPDATES = st.sampled_from(
    [
        ("SET version = :u", {":u": {"N": "2"}}),
        ("REMOVE due_pk, due_sk", {}),
        ("SET document = :u, version = :w REMOVE due_pk", {":u": {"S": "z"}, ":w": {"N": "3"}}),
        ("ADD version :u", {":u": {"N": "1"}}),
    ]
)


@st.composite
def items(draw: st.DrawFn) -> dict[str, Any]:
    item = {"pk": {"S": draw(PARTITIONS)}, "sk": {"S": draw(SORTS)}, "version": draw(NUMBERS), "document": draw(TEXTS)}
    return item | draw(DUE) | ({"ttl": draw(NUMBERS)} if draw(st.booleans()) else {})


@st.composite
def writes(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """(kind, parameters) of one write."""
    kind = draw(st.sampled_from(["Put", "Put", "Put", "Update", "Delete", "ConditionCheck"]))
    given_condition = dict(draw(CONDITIONS))
    item = draw(items())
    key = {"pk": item["pk"], "sk": item["sk"]}
    if kind == "Put":
        return kind, {"Item": item, **given_condition}
    if kind == "Update":
        expression, values = draw(UPDATES)
        both = {**given_condition.get("ExpressionAttributeValues", {}), **values}
        given_condition |= {"ExpressionAttributeValues": both} if both else {}
        return kind, {"Key": key, "UpdateExpression": expression, **given_condition}
    if kind == "ConditionCheck" and "ConditionExpression" not in given_condition:
        given_condition = {"ConditionExpression": "attribute_exists(pk)"}
    return kind, {"Key": key, **given_condition}


QUERIES: list[dict[str, Any]] = [
    {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "USER#a"}}},
    {
        "KeyConditionExpression": "pk = :p AND begins_with(sk, :s)",
        "ExpressionAttributeValues": {":p": {"S": "USER#a"}, ":s": {"S": "LIST#"}},
        "Limit": 1,
    },
    {
        "KeyConditionExpression": "pk = :p AND sk BETWEEN :a AND :z",
        "FilterExpression": "document = :d",
        "ExpressionAttributeValues": {
            ":p": {"S": "USER#b"},
            ":a": {"S": "LIST#1"},
            ":z": {"S": "OPERATION#9"},
            ":d": {"S": "x"},
        },
        "ScanIndexForward": False,
    },
    {
        "IndexName": "due",
        "KeyConditionExpression": "due_pk = :p AND due_sk <= :at",
        "ExpressionAttributeValues": {":p": {"S": "D#0"}, ":at": {"S": "1"}},
    },
]


@pytest.fixture(scope="module")
def moto(request: pytest.FixtureRequest) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patched:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patched.setenv(name, "testing")
        with mock_aws():
            yield aws_client("dynamodb")


def fresh(client: Any) -> SimulatedTable:
    """An empty table in moto, and one of ours."""
    if TABLE in client.list_tables()["TableNames"]:
        client.delete_table(TableName=TABLE)
    declared = resources()["Table"]["Properties"]
    names = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    client.create_table(TableName=TABLE, **{name: declared[name] for name in names})
    return SimulatedTable(TABLE, ("due", "due_pk", "due_sk"), lambda: 0.0, lambda: 0.0)


def answers(client: Any, table: SimulatedTable, operation: str, parameters: dict[str, Any]) -> list[Any]:
    """What both say, without what only moto adds."""
    method = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation)[1:]
    said: list[Any] = []
    try:
        theirs = getattr(client, method)(**parameters)
        said.append({name: theirs[name] for name in ("Item",) if name in theirs})
    except ClientError as error:
        reasons = [reason["Code"] for reason in error.response.get("CancellationReasons", [])]
        said.append((error.response["Error"]["Code"], reasons))
    try:
        said.append(table.call(operation, parameters))
    except Refused as refused:
        said.append((refused.code, [reason["Code"] for reason in refused.reasons or []]))
    return said


def every_page(table: SimulatedTable, asked: dict[str, Any]) -> list[Any]:
    """As DynamoDB, and unlike moto, ours names a last key whenever the limit is reached."""
    found, page = [], table.call("Query", asked)
    while "LastEvaluatedKey" in page:
        assert page["ScannedCount"] == asked["Limit"]
        found += page["Items"]
        page = table.call("Query", {**asked, "ExclusiveStartKey": page["LastEvaluatedKey"]})
    return [*found, *page["Items"]]


@settings(derandomize=True, database=None, deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(script=st.lists(st.lists(writes(), min_size=1, max_size=3), min_size=1, max_size=8))
def test_it_accepts_refuses_and_answers_as_moto_does(moto: Any, script: list[list[tuple[str, dict[str, Any]]]]) -> None:
    table = fresh(moto)
    for group in script:
        if len(group) == 1 and group[0][0] != "ConditionCheck":
            [(kind, parameters)] = group
            theirs, ours = answers(moto, table, f"{kind}Item", {"TableName": TABLE, **parameters})
        else:
            parts = [{kind: {"TableName": TABLE, **parameters}} for kind, parameters in group]
            theirs, ours = answers(moto, table, "TransactWriteItems", {"TransactItems": parts})
        assert ours == theirs, group
    for query in QUERIES:
        asked = {"TableName": TABLE, **query, **({} if "IndexName" in query else {"ConsistentRead": True})}
        assert every_page(table, asked) == moto.query(**{**asked, "Limit": 100})["Items"]
    for pk, sk in (("USER#a", "LIST#1"), ("USER#b", "PROFILE")):
        key = {"TableName": TABLE, "Key": {"pk": {"S": pk}, "sk": {"S": sk}}, "ConsistentRead": True}
        theirs, ours = answers(moto, table, "GetItem", key)
        assert ours == theirs


@pytest.mark.parametrize(
    "expression",
    ["size(document) > :n", "ttl = :n", "pk = other", "contains(document, :n)", "a = :b = :c", "document[0] = :n"],
)
def test_what_it_does_not_know_is_refused_loudly(expression: str) -> None:
    with pytest.raises(UnknownSyntax):
        condition(expression)


def test_a_read_that_does_not_ask_for_consistency_sees_the_past() -> None:
    now, lag = [0.0], [0.0]
    table = SimulatedTable(TABLE, ("due", "due_pk", "due_sk"), lambda: now[0], lambda: lag[0])
    key = {"pk": {"S": "USER#a"}, "sk": {"S": "PROFILE"}}
    for version in ("1", "2"):
        table.call("PutItem", {"TableName": TABLE, "Item": {**key, "version": {"N": version}}})
        now[0] += 5
    lag[0] = 6.0
    stale = table.call("GetItem", {"TableName": TABLE, "Key": key})
    fresh_one = table.call("GetItem", {"TableName": TABLE, "Key": key, "ConsistentRead": True})
    assert (stale["Item"]["version"], fresh_one["Item"]["version"]) == ({"N": "1"}, {"N": "2"})
