"""What operators and leaving users rely on, on the running system: dead letters, their way back, and an erasure."""

import json
from datetime import timedelta
from typing import Any

import pytest

from ops import switch
from ops.dead_letters import Letter, look, replay
from ops.system import System as Stack
from tests.e2e.conftest import System
from tests.e2e.people import ALL, Person
from tests.polling import eventually

pytestmark = pytest.mark.slow


@pytest.fixture
def watched(system: System, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """Found by its name, in the environment that `make endpoint` prints."""
    environment = {
        "AWS_ENDPOINT_URL": system.aws_endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Stack.of("synced-accounts-dev")


def letters(watched: Stack, queue: str) -> list[Letter]:
    return [letter for letter in look(watched)[0] if letter.queue == queue]


def test_a_poison_message_is_listed_without_its_words_and_comes_back_when_it_is_sent_too_early(
    system: System, watched: Stack
) -> None:
    system.client("sqs").send_message(
        QueueUrl=system.outputs["RefreshQueueUrl"],
        MessageBody="not JSON, of Mme Durand",
        MessageGroupId="poison",
        MessageDeduplicationId="poison-1",
    )
    [letter] = eventually(lambda: letters(watched, "refresh"), seconds=60)
    assert letter.why == "not readable"
    assert "Durand" not in str(letter)
    assert replay(watched, "refresh") == 1
    eventually(lambda: letters(watched, "refresh"), seconds=60)
    system.client("sqs").purge_queue(QueueUrl=system.outputs["RefreshDeadLetterQueueUrl"])


def test_outbox_entries_that_were_given_up_go_out_again_from_the_stream(system: System, watched: Stack) -> None:
    with Person(system) as person:
        person.wait(lambda: person.agreed(ALL))
        sent = {d["metadata"]["event_id"] for d in person.events()}
        since = system.mark()
        record = _first_event_of(system, person.id)
        note = {
            "requestContext": {"condition": "RetryAttemptsExhausted"},
            "DDBStreamBatchInfo": {
                "streamArn": system.outputs["TableStreamArn"],
                "shardId": record["shard"],
                "startSequenceNumber": record["number"],
                "endSequenceNumber": record["number"],
                "batchSize": 1,
            },
        }
        url = system.outputs["OutboxFailuresQueueUrl"]
        system.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(note))
        [letter] = eventually(lambda: letters(watched, "outbox"), seconds=20)
        assert letter.why == "RetryAttemptsExhausted"
        assert replay(watched, "outbox") == 1
        again = eventually(lambda: [e for e in system.events(since) if _is_of(e, person.id)], seconds=20)
        assert {event["detail"]["metadata"]["event_id"] for event in again} <= sent
    assert letters(watched, "outbox") == []


def _is_of(event: dict[str, Any], user: str) -> bool:
    return bool(event["detail"]["data"]["user_id"] == user)


def _first_event_of(system: System, user: str) -> dict[str, str]:
    streams, arn = system.client("dynamodbstreams"), system.outputs["TableStreamArn"]
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        position = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while position:
            page = streams.get_records(ShardIterator=position, Limit=1000)
            for record in page["Records"]:
                keys = record["dynamodb"]["Keys"]
                if keys["pk"]["S"] == f"USER#{user}" and keys["sk"]["S"].startswith("EVENT#"):
                    return {"shard": shard["ShardId"], "number": record["dynamodb"]["SequenceNumber"]}
            if not page["Records"]:
                break
            position = page.get("NextShardIterator")
    raise AssertionError("no event of this user in the stream")


def test_a_failed_pass_is_made_up_for_by_another(system: System, watched: Stack) -> None:
    failed = {"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": {}}
    url = system.outputs["HousekeepingFailuresQueueUrl"]
    system.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(failed))
    assert [letter.why for letter in eventually(lambda: letters(watched, "housekeeping"))] == ["RetriesExhausted"]
    assert replay(watched, "housekeeping") == 1
    assert letters(watched, "housekeeping") == []


def test_nobody_calls_powens_while_an_operator_has_switched_it_off(system: System, watched: Stack) -> None:
    with Person(system) as person:
        person.wait(lambda: person.agreed(ALL))
        switch.pause(watched, timedelta(hours=1))
        try:
            since = person.powens.get("/sandbox/requests", params={"limit": 1}).json()["requests"][0]["id"]
            refused = person.api.post(
                "/v1/webview-sessions", json={"flow": "manage", "return_to": f"{system.url}/", "language": "fr"}
            )
            person.flip("GBP", enabled=False)
            asked = person.select("EUR")
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) <= 900
            # What is held is shown all the same, and the choice waits.
            assert person.api.get(f"/v1/operations/{asked['id']}").json()["ended_at"] is None
            seen = person.powens.get(
                "/sandbox/requests", params={"since_id": since, "id_user": person.powens_user}
            ).json()["requests"]
            assert [line["path"] for line in seen] == []
        finally:
            switch.resume(watched)
        person.webview("manage")


def test_somebody_who_leaves_is_gone_here_and_at_powens_within_a_minute(system: System) -> None:
    with Person(system) as person:
        person.wait(lambda: person.agreed(ALL))
        copy = person.api.get("/v1/me/export").raise_for_status().json()
        assert {"connection", "access", "event"} <= {item["kind"] for item in copy["items"]}
        begun = person.api.delete("/v1/me")
        assert begun.status_code == 202
        person.wait(lambda: person.connections() == [], seconds=20)
        assert person.ended(begun.json(), seconds=60)["status"] == "completed"
        users = person.powens.get("/sandbox/users").json()["users"]
        assert person.powens_user not in {user["id"] for user in users}
        [event] = eventually(lambda: person.events("UserErased"), seconds=20)
        assert event["metadata"]["cause"] == "erasure"
        pages = system.client("dynamodb").get_paginator("scan").paginate(TableName=system.outputs["TableName"])
        held = [item for page in pages for item in page["Items"] if person.id in str(item)]
        assert [item["detail_type"]["S"] for item in held] == ["UserErased"]
