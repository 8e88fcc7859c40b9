"""Reads the bus as another service would: a rule of its own that copies every event into a queue of its own."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

SOURCE = "synced-accounts"


class Spy:
    """`client` makes clients of the AWS double by service name. `close` removes rule and queue."""

    def __init__(self, client: Callable[[str], Any], bus: str) -> None:
        self._sqs, self._events, self._bus = client("sqs"), client("events"), bus
        self._name = f"spy-{uuid.uuid4().hex[:12]}"
        self._url = self._sqs.create_queue(QueueName=self._name)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        rule = self._events.put_rule(Name=self._name, EventBusName=bus, EventPattern=json.dumps({"source": [SOURCE]}))[
            "RuleArn"
        ]
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
                }
            ],
        }
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": json.dumps(policy)})
        self._events.put_targets(Rule=self._name, EventBusName=bus, Targets=[{"Id": "spy", "Arn": arn}])

    def receive(self, *, wait_seconds: int = 0) -> Iterator[dict[str, Any]]:
        """The events that have come since the last call, as EventBridge envelopes; each is given once."""
        while True:
            answer = self._sqs.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_seconds, VisibilityTimeout=60
            )
            messages = answer.get("Messages", [])
            if not messages:
                return
            for message in messages:
                yield json.loads(message["Body"])
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
            wait_seconds = 0

    def close(self) -> None:
        self._events.remove_targets(Rule=self._name, EventBusName=self._bus, Ids=["spy"])
        self._events.delete_rule(Name=self._name, EventBusName=self._bus)
        self._sqs.delete_queue(QueueUrl=self._url)
