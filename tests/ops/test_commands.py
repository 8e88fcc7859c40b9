"""`python -m ops`: the stack that it works on, and the users at Powens whom nobody owns."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from ops.__main__ import main
from shared.adapters.dynamodb.budget import DynamoDBBudget
from shared.adapters.dynamodb.orphans import DynamoDBOrphans
from shared.adapters.dynamodb.table import Table
from shared.application.budget import Budget
from shared.application.orphans import Listing
from shared.domain.errors import PowensBusy
from shared.domain.users import user_key

STACK = "synced-accounts-test"
TABLE, RESTORED = "accounts", "repair"


class CloudFormation:
    """Knows one stack."""

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        if StackName != STACK:
            reason: Any = {"Code": "ValidationError", "Message": f"Stack with id {StackName} does not exist"}
            raise ClientError({"Error": reason}, "DescribeStacks")
        outputs = [{"OutputKey": "TableName", "OutputValue": TABLE}]
        return {"Stacks": [{"Outputs": outputs, "Parameters": [{"ParameterKey": "Stage", "ParameterValue": "dev"}]}]}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoDBOrphans]:
    """The table of a deployed stack, whose name is in the environment as the Makefile leaves it there."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("STACK", STACK)
    with mock_aws():
        client: Any = boto3.Session("t", "t").client("dynamodb", "eu-west-3")
        keys = (("pk", "HASH"), ("sk", "RANGE"))
        for table in (TABLE, RESTORED):
            client.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
                KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            )
        secrets: Any = boto3.Session("t", "t").client("secretsmanager", "eu-west-3")
        secrets.create_secret(Name="synced-accounts/dev/traces", SecretString=json.dumps({"key": "of-the-traces"}))
        services = {"cloudformation": CloudFormation(), "dynamodb": client, "secretsmanager": secrets}
        monkeypatch.setattr(boto3.session.Session, "client", lambda _, service: services[service])
        yield DynamoDBOrphans(Table(client, TABLE))


def test_orphans_are_listed_by_id_and_date_as_the_last_check_saw_them(
    store: DynamoDBOrphans, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["orphans"]) == 0
    assert capsys.readouterr().out == "no check has run yet\n"
    earlier, now = datetime(2026, 3, 5, 9, tzinfo=UTC), datetime(2026, 3, 6, 9, tzinfo=UTC)
    store.save_orphan_listing(Listing(checked_at=now, suspects={43: now, 42: earlier}, last=43))
    assert main(["orphans", "--stack", STACK]) == 0
    first, second, last = capsys.readouterr().out.splitlines()
    assert first.split() == ["42", "since", "2026-03-05T09:00:00Z"]
    assert second.split() == ["43", "since", "2026-03-06T09:00:00Z"]
    assert last == "2 without an owner, checked at 2026-03-06T09:00:00Z"


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("command", [["dead-letters"], ["orphans"], ["replay-dlq", "refresh"]])
def test_a_stack_that_is_not_there_is_said_in_one_line(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--stack", "synced-accounts-other"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("stopped: ")
    assert said.err.count("\n") == 1


def test_no_command_works_on_a_stack_that_was_not_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("STACK", raising=False)
    with pytest.raises(SystemExit, match="2"):
        main(["dead-letters"])
    assert "--stack" in capsys.readouterr().err


# --- a restored table ------------------------------------------------------------------------------------------------

USER = "USER#u-1"


def items(store: DynamoDBOrphans, table: str) -> dict[tuple[str, str], str]:
    """What a table holds: a word of each item by its key."""
    found = store.table.client.scan(TableName=table)["Items"]
    return {(item["pk"]["S"], item["sk"]["S"]): item["word"]["S"] for item in found}


def given(store: DynamoDBOrphans, table: str, pk: str, sk: str, word: str, **more: Any) -> None:
    item: Any = {"pk": {"S": pk}, "sk": {"S": sk}, "word": {"S": word}, **more}
    store.table.client.put_item(TableName=table, Item=item)


def test_what_a_user_lost_comes_back_and_what_there_is_stays(
    store: DynamoDBOrphans, capsys: pytest.CaptureFixture[str]
) -> None:
    given(store, RESTORED, USER, "PROFILE", "old", powens_user_id={"N": "41"})
    given(store, RESTORED, USER, "LIST#CONNECTION#c-1", "old")
    given(store, RESTORED, USER, "OPERATION#o-1", "old")
    given(store, RESTORED, "POWENS#41", "USER", "old")
    given(store, RESTORED, "USER#u-2", "PROFILE", "old")
    for over in ("EVENT#e-1", "COMMAND#m-1", "SESSION#s-1", "SOCKET#s-2", "IDEMPOTENCY#k-1"):
        given(store, RESTORED, USER, over, "old")
    given(store, TABLE, USER, "LIST#CONNECTION#c-1", "new")

    assert main(["copy-back", RESTORED, "u-1"]) == 0

    assert capsys.readouterr().out == "   3 items of u-1\n"
    assert items(store, TABLE) == {
        (USER, "PROFILE"): "old",
        (USER, "LIST#CONNECTION#c-1"): "new",
        (USER, "OPERATION#o-1"): "old",
        ("POWENS#41", "USER"): "old",
    }


def test_a_user_who_is_being_erased_gets_nothing_back(store: DynamoDBOrphans) -> None:
    given(store, RESTORED, USER, "PROFILE", "old")
    given(store, RESTORED, USER, "OPERATION#o-1", "old")
    mark = {"erasure_id": "x", "erasure_requested_at": "2026-03-05T09:00:00+00:00", "erasure_correlation_id": "c"}
    given(store, TABLE, USER, "PROFILE", "new", **{name: {"S": value} for name, value in mark.items()})

    assert main(["copy-back", RESTORED, "u-1"]) == 0

    assert items(store, TABLE) == {(USER, "PROFILE"): "new"}


# --- the switch ------------------------------------------------------------------------------------------------------


def test_powens_is_called_by_nobody_until_the_pause_ends_or_is_ended(
    store: DynamoDBOrphans, capsys: pytest.CaptureFixture[str]
) -> None:
    budget = DynamoDBBudget(Table(store.table.client, TABLE))
    workers = Budget(budget, lambda: datetime.now(UTC), 0)
    workers.admit(1, sweep=False)

    assert main(["pause-powens", "60"]) == 0

    until = budget.paused_until()
    assert until is not None
    assert capsys.readouterr().out == f"nobody calls Powens before {until:%Y-%m-%dT%H:%M:%SZ}\n"
    assert abs(until - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=1)
    with pytest.raises(PowensBusy):
        workers.admit(1, sweep=False)

    assert main(["resume-powens"]) == 0
    workers.admit(1, sweep=False)
    # Nothing is wrong when there is nothing to end.
    assert main(["resume-powens"]) == 0


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("minutes", ["0", "-5", "10081", "soon", "nan"])
def test_a_pause_that_would_be_none_or_be_forgotten_is_refused(minutes: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["pause-powens", minutes])


def test_how_the_traces_name_a_user_is_said_as_the_functions_write_it(
    store: DynamoDBOrphans, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["user-key", "alice"]) == 0
    said = capsys.readouterr().out
    assert said == f"{user_key('alice', 'of-the-traces')}\n"
    assert "alice" not in said
    assert user_key("alice", "another-key") not in said
