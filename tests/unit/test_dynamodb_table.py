"""The one class that speaks to DynamoDB: what it sends, and what it makes of a refusal, wherever that stands."""

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared.adapters.dynamodb.table import Table, Write, check, delete, put, unchanged, update
from shared.application.ports import StaleWriteError, TakenError
from shared.domain.errors import StoreUnavailable, UserBeingErased

KEY = {"pk": "USER#alice", "sk": "PROFILE"}
STALE = put({**KEY, "version": 2}, **unchanged(1))
TAKEN = put(KEY, "attribute_not_exists(pk)", otherwise=TakenError)
ERASED = check(KEY, "attribute_not_exists(erasure_id)", otherwise=UserBeingErased)
PLAIN = put(KEY)


class Refused(ClientError):
    """A condition that did not hold."""


class Cancelled(ClientError):
    """A transaction that was not written."""


class Client:
    """Remembers what it was asked, answers with `answers` in turn, and raises those that are errors."""

    class exceptions:  # noqa: N801 - boto3's name
        ConditionalCheckFailedException = Refused
        TransactionCanceledException = Cancelled

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    def _call(self, **request: Any) -> Any:
        self.asked.append(request)
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, Exception):
            raise answer
        return answer

    get_item = put_item = update_item = delete_item = query = batch_get_item = transact_write_items = _call


def table_of(client: Client, pause: Callable[[float], None] = lambda _: None) -> Table:
    stub: Any = client
    return Table(stub, "accounts", pause=pause)


def cancelled(*codes: str) -> Cancelled:
    reasons = [{"Code": code} for code in codes]
    response: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
    return Cancelled(response, "TransactWriteItems")


@pytest.mark.parametrize("writes", list(permutations([PLAIN, STALE, TAKEN, ERASED])))
@pytest.mark.parametrize("refused", [[STALE], [TAKEN], [ERASED], [STALE, TAKEN], [STALE, TAKEN, ERASED]])
def test_a_refused_transaction_means_what_the_refused_write_says_wherever_it_stands(
    writes: tuple[Write, ...], refused: list[Write]
) -> None:
    client = Client(cancelled(*("ConditionalCheckFailed" if write in refused else "None" for write in writes)))
    with pytest.raises(refused[-1].otherwise):
        table_of(client).transact(writes)


@pytest.mark.parametrize(("contested", "raised"), [(True, StaleWriteError), (False, StoreUnavailable)])
def test_a_transaction_in_the_way_is_a_write_that_came_first_only_where_that_is_said(
    contested: bool, raised: type[Exception]
) -> None:
    with pytest.raises(raised):
        table_of(Client(cancelled("TransactionConflict", "None"))).transact([STALE, PLAIN], contested=contested)


def test_a_refusal_counts_more_than_a_transaction_in_the_way() -> None:
    with pytest.raises(TakenError):
        table_of(Client(cancelled("TransactionConflict", "ConditionalCheckFailed"))).transact([STALE, TAKEN])


def test_a_transaction_is_sent_in_the_form_of_dynamodb() -> None:
    client = Client()
    table_of(client).transact(
        [
            put({**KEY, "ttl": 7, "packed": b"x"}, "attribute_not_exists(pk) OR #ttl <= :now", now=6),
            update(KEY, "SET due_sk = :at", "due_sk = :seen", at="b", seen="a"),
            delete(KEY),
            ERASED,
        ]
    )
    key = {"pk": {"S": "USER#alice"}, "sk": {"S": "PROFILE"}}
    assert client.asked == [
        {
            "TransactItems": [
                {
                    "Put": {
                        "TableName": "accounts",
                        "Item": {**key, "ttl": {"N": "7"}, "packed": {"B": b"x"}},
                        "ConditionExpression": "attribute_not_exists(pk) OR #ttl <= :now",
                        "ExpressionAttributeNames": {"#ttl": "ttl"},
                        "ExpressionAttributeValues": {":now": {"N": "6"}},
                    }
                },
                {
                    "Update": {
                        "TableName": "accounts",
                        "Key": key,
                        "UpdateExpression": "SET due_sk = :at",
                        "ConditionExpression": "due_sk = :seen",
                        "ExpressionAttributeValues": {":at": {"S": "b"}, ":seen": {"S": "a"}},
                    }
                },
                {"Delete": {"TableName": "accounts", "Key": key}},
                {
                    "ConditionCheck": {
                        "TableName": "accounts",
                        "Key": key,
                        "ConditionExpression": "attribute_not_exists(erasure_id)",
                    }
                },
            ]
        }
    ]


def test_a_write_by_itself_raises_what_its_refusal_means_or_says_that_it_was_refused() -> None:
    refusal = Refused({"Error": {"Code": "ConditionalCheckFailedException"}}, "PutItem")
    with pytest.raises(TakenError):
        table_of(Client(refusal)).write(TAKEN)
    assert table_of(Client(refusal)).attempt(STALE) is False
    assert table_of(Client()).attempt(STALE) is True


def test_what_is_read_is_plain_and_a_read_is_consistent_unless_that_is_not_needed() -> None:
    item = {"pk": {"S": "A"}, "version": {"N": "12"}, "packed": {"B": b"x"}, "of a newer release": {"BOOL": True}}
    client = Client({"Item": item}, {})
    found = table_of(client).get(KEY)
    assert found == {"pk": "A", "version": 12, "packed": b"x", "of a newer release": {"BOOL": True}}
    assert table_of(client).get(KEY, consistent=False) is None
    assert [request.get("ConsistentRead") for request in client.asked] == [True, None]


def test_an_item_that_is_read_and_written_again_is_the_same_whatever_kinds_it_has() -> None:
    item = {
        "pk": {"S": "A"},
        "whole": {"N": "12"},
        "fraction": {"N": "-0.125"},
        "packed": {"B": b"x"},
        "empty": {"S": ""},
        "no": {"NULL": True},
        "set": {"NS": ["1", "2"]},
        "list": {"L": [{"N": "1"}]},
        "map": {"M": {"S": {"S": "x"}}},
    }
    client = Client({"Item": item})
    read = table_of(client).get(KEY)
    assert read is not None
    table_of(client).write(put(read))
    assert client.asked[-1]["Item"] == item


@pytest.mark.parametrize("value", [True, 1.5, None, ["a"]])
def test_what_has_no_plain_form_is_not_stored(value: Any) -> None:
    client = Client()
    with pytest.raises(TypeError):
        table_of(client).write(put({**KEY, "odd": value}))
    assert client.asked == []


def test_pages_go_on_where_the_last_one_stopped_and_none_is_read_that_nobody_asks_for() -> None:
    last = {"pk": {"S": "A"}, "sk": {"S": "1"}}
    client = Client({"Items": [last], "LastEvaluatedKey": last}, {"Items": []})
    pages = table_of(client).pages("pk = :pk", {"Limit": 1}, pk="A")
    assert next(pages) == [{"pk": "A", "sk": "1"}]
    assert len(client.asked) == 1
    assert list(pages) == [[]]
    assert client.asked[1]["ExclusiveStartKey"] == last


def test_keys_that_were_not_read_at_once_are_asked_for_again() -> None:
    left = {"accounts": {"Keys": [{"pk": {"S": "B"}}]}}
    client = Client(
        {"Responses": {"accounts": [{"pk": {"S": "A"}}]}, "UnprocessedKeys": left},
        {"Responses": {"accounts": [{"pk": {"S": "B"}}]}},
    )
    assert table_of(client).get_many([{"pk": "A"}, {"pk": "B"}], "pk") == [{"pk": "A"}, {"pk": "B"}]
    assert client.asked[1] == {"RequestItems": left}


def test_keys_that_are_left_over_are_asked_for_again_after_longer_and_longer_pauses_and_not_for_ever() -> None:
    left = {"accounts": {"Keys": [{"pk": {"S": "B"}}]}}
    client = Client(*[{"Responses": {}, "UnprocessedKeys": left}] * 10)
    pauses: list[float] = []

    with pytest.raises(StoreUnavailable):
        table_of(client, pauses.append).get_many([{"pk": "B"}], "pk")

    assert pauses == sorted(set(pauses))
    assert len(client.asked) == len(pauses) + 1 < 10


@pytest.mark.parametrize("sort", ["x" * 1025, "é" * 513])
def test_a_key_longer_than_dynamodb_takes_is_no_item_and_is_not_asked_for(sort: str) -> None:
    client = Client()
    assert table_of(client).get({"pk": "USER#alice", "sk": sort}) is None
    assert client.asked == []


def test_one_write_alone_is_written_outside_a_transaction() -> None:
    client = Client()
    table_of(client).transact([STALE], contested=True)
    [request] = client.asked
    assert (request["Item"]["version"], "TransactItems" in request) == ({"N": "2"}, False)


@pytest.mark.parametrize(
    ("code", "contested", "error"),
    [
        ("ConditionalCheckFailedException", True, StaleWriteError),
        ("TransactionConflictException", True, StaleWriteError),
        ("TransactionConflictException", False, StoreUnavailable),
        ("ThrottlingException", True, StoreUnavailable),
    ],
)
def test_a_refusal_of_one_write_alone_means_what_it_does_in_a_transaction(
    code: str, contested: bool, error: type[Exception]
) -> None:
    kind = Refused if code.startswith("Conditional") else ClientError
    with pytest.raises(error):
        table_of(Client(kind({"Error": {"Code": code}}, "PutItem"))).transact([STALE], contested=contested)
