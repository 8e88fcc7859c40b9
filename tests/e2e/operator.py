"""What an operator of the stack sees and does, on the AWS double: the table, queues, keys and logs behind the doors."""

import itertools
import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import httpx

from shared.adapters.dynamodb.powens_users import DynamoDBPowensUsers
from shared.adapters.dynamodb.table import Table
from shared.adapters.kms import KmsSeal
from shared.application.housekeeping import MOST_USERS
from tests.e2e.conftest import System
from tests.worlds.events import Detail

QUEUES = {"commands": "CommandsQueueUrl", "hints": "RefreshQueueUrl"}
DEAD = {"commands": "CommandsDeadLetterQueueUrl", "hints": "RefreshDeadLetterQueueUrl"}
FAILURES = {
    "outbox": "OutboxFailuresQueueUrl",
    "housekeeping": "HousekeepingFailuresQueueUrl",
    "live updates": "LiveUpdatesFailuresQueueUrl",
}
COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")


class Operator:
    """Safe for several threads."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.sqs, self.table, self.lambdas = (system.client(name) for name in ("sqs", "dynamodb", "lambda"))
        self.users = DynamoDBPowensUsers(Table(self.table, system.outputs["TableName"]), lambda: datetime.now(UTC))

    def powens_user(self, user_id: str) -> int | None:
        access = self.users.access(user_id)
        return access.powens_user_id if access else None

    @cached_property
    def _seal(self) -> KmsSeal:
        return KmsSeal(self.system.client("kms"), self.system.outputs["TokenKeyArn"])

    def secrets(self, user_ids: Collection[str]) -> dict[str, str]:
        """The credentials of the deployment, and the Powens token of each user, by what they are."""
        manager = self.system.client("secretsmanager")
        found: dict[str, str] = {}
        for name in ("powens", "webhook"):
            value = json.loads(manager.get_secret_value(SecretId=f"synced-accounts/dev/{name}")["SecretString"])
            found |= {f"{name} {key}": str(secret) for key, secret in value.items() if key != "client_id"}
        for user_id in user_ids:
            access = self.users.access(user_id)
            if access is not None and access.sealed_token is not None:
                found[f"the token of {user_id}"] = self._seal.unseal(user_id, access.sealed_token)
        return found

    def written_events(self, user_ids: Collection[str]) -> tuple[tuple[str, Detail], ...]:
        """What is in the outbox of these users: (detail type, detail)."""
        pages = self.table.get_paginator("scan").paginate(
            TableName=self.system.outputs["TableName"],
            FilterExpression="begins_with(sk, :event)",
            ExpressionAttributeValues={":event": {"S": "EVENT#"}},
            ConsistentRead=True,
        )
        return tuple(
            (item["detail_type"]["S"], json.loads(item["detail"]["S"]))
            for page in pages
            for item in page["Items"]
            if item["pk"]["S"].removeprefix("USER#") in user_ids
        )

    def kept_of(self, user_id: str) -> list[str]:
        """The sort keys of all that is held about a user."""
        pages = self.table.get_paginator("query").paginate(
            TableName=self.system.outputs["TableName"],
            KeyConditionExpression="pk = :user",
            ExpressionAttributeValues={":user": {"S": f"USER#{user_id}"}},
            ConsistentRead=True,
        )
        return [item["sk"]["S"] for page in pages for item in page["Items"]]

    # --- queues ----------------------------------------------------------------------------------------------------

    def _messages(self, names: Mapping[str, str]) -> dict[str, int]:
        found = {}
        for name, output in names.items():
            url = self.system.outputs[output]
            counts = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(COUNTS))["Attributes"]
            if total := sum(int(count) for count in counts.values()):
                found[name] = total
        return found

    def waiting(self) -> dict[str, int]:
        """Messages that a consumer has not finished, by queue; queues without any are left out."""
        return self._messages(QUEUES)

    def dead(self) -> dict[str, int]:
        """Messages that were given up, by what they were."""
        return self._messages(DEAD | FAILURES)

    def take(self, name: str) -> list[dict[str, Any]]:
        """Empty a queue of given-up messages, and give what was in it."""
        url = self.system.outputs[(DEAD | FAILURES)[name]]
        taken = []
        while found := self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        ).get("Messages"):
            for message in found:
                taken.append(message)
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return taken

    def replay(self, name: str) -> int:
        """Send the dead letters of a queue back to it; how many."""
        letters = self.take(name)
        for letter in letters:
            self.sqs.send_message(
                QueueUrl=self.system.outputs[QUEUES[name]],
                MessageBody=letter["Body"],
                MessageGroupId=letter["Attributes"]["MessageGroupId"],
                MessageDeduplicationId=f"replay-{letter['MessageId']}",
            )
        return len(letters)

    def hurry(self, seconds: int) -> None:
        """How long a message stays away after its worker was killed; the template says three minutes."""
        for output in QUEUES.values():
            self.sqs.set_queue_attributes(
                QueueUrl=self.system.outputs[output], Attributes={"VisibilityTimeout": str(seconds)}
            )

    # --- time ------------------------------------------------------------------------------------------------------

    def twelve_hours_later(self, user_ids: Collection[str]) -> None:
        """Make these users' reconciliation due, and run the minute's pass that plans it, as often as it takes."""
        now = datetime.now(UTC)
        for users in itertools.batched(user_ids, MOST_USERS, strict=False):
            for user_id in users:
                access = self.users.access(user_id)
                if access is not None and access.reconcile_at is not None:
                    self.users.bring_forward(user_id, now)
            self.lambdas.invoke(FunctionName=self.system.outputs["HousekeepingFunctionName"], Payload=b"{}")

    # --- processes and what they printed ---------------------------------------------------------------------------

    def workers(self) -> list[dict[str, Any]]:
        """The function processes that live now: `function`, `pid`, `busy`."""
        found: list[dict[str, Any]] = httpx.get(f"{self.system.plane_url}/@workers", timeout=10).json()
        return found

    def logs(self) -> dict[str, str]:
        """What each function has printed, and the front server."""
        return {file.name: file.read_text("utf-8", "replace") for file in self.system.logs.glob("*.log")}
