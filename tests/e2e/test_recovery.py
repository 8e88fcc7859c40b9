"""A table that lost a user, rehearsed on the running system: restored beside it, copied back, read at Powens."""

from typing import Any

import pytest

from ops.__main__ import main
from tests.e2e.conftest import System
from tests.e2e.operator import Operator
from tests.e2e.people import ALL, EUR_ONLY, Person

pytestmark = pytest.mark.slow


def kept(system: System, user: str) -> list[dict[str, Any]]:
    pages = (
        system.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=system.outputs["TableName"],
            KeyConditionExpression="pk = :user",
            ExpressionAttributeValues={":user": {"S": f"USER#{user}"}},
            ConsistentRead=True,
        )
    )
    return [item for page in pages for item in page["Items"]]


def exported(person: Person) -> list[dict[str, Any]]:
    """What is held and not over by now."""
    items = person.api.get("/v1/me/export").raise_for_status().json()["items"]
    return [item for item in items if item["kind"] not in ("event", "message", "answered_request", "webview_session")]


def test_a_user_whose_items_are_gone_gets_everything_back_and_nothing_is_told_twice(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"AWS_ENDPOINT_URL": system.aws_endpoint, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    dynamodb, table = system.client("dynamodb"), system.outputs["TableName"]
    with Person(system) as person:
        person.wait(lambda: person.agreed(ALL))
        # What Powens does not know: a choice, an account kept by hand, a wish.
        person.ended(person.select("EUR"))
        person.wait(lambda: person.agreed(EUR_ONLY))
        manual = {
            "name": "Livret",
            "type": "savings",
            "currency": "EUR",
            "balance": "12.00",
            "institution_name": "Revolut",
        }
        person.api.post("/v1/accounts", json=manual).raise_for_status()
        institution = person.connection["institution"]["id"]
        person.api.post("/v1/wishes", json={"institution_id": institution, "type": "savings"}).raise_for_status()
        before, held = person.api.get("/v1/connections").json(), exported(person)
        assert {"connection", "manual_account", "wish", "operation", "access"} <= {item["kind"] for item in held}

        dynamodb.restore_table_to_point_in_time(
            SourceTableName=table, TargetTableName=f"repair-{person.id}", UseLatestRestorableTime=True
        )
        lost = [*kept(system, person.id), {"pk": {"S": f"POWENS#{person.powens_user}"}, "sk": {"S": "USER"}}]
        for item in lost:
            dynamodb.delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})
        assert person.connections() == []
        told = len(person.events())

        assert main(["copy-back", "--stack", "synced-accounts-dev", f"repair-{person.id}", person.id]) == 0

        after = person.api.get("/v1/connections").json()
        assert after == before
        assert exported(person) == held
        assert not [item for item in kept(system, person.id) if item["sk"]["S"].startswith(("EVENT#", "COMMAND#"))]

        # Something happened at Powens meanwhile: the next planned read finds it, and our choice stands.
        person.flip("GBP", enabled=True)
        Operator(system).twelve_hours_later([person.id])
        person.wait(lambda: person.agreed({**EUR_ONLY, "Compte courant GBP": True}), seconds=30)
        again = [
            d for d in person.events()[told:] if d["metadata"]["cause"] not in ("webview", "bank", "reconciliation")
        ]
        assert again == []
