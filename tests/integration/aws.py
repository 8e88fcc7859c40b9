"""moto's AWS as the functions reach it: every call counted, failed on request, and seen by the stream."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from tests.builders import NOW, FixedClock
from tests.worlds.deployment import BUS
from tests.worlds.queues import FifoQueue


class TickingClock(FixedClock):
    """No two readings are the same."""

    def __init__(self) -> None:
        super().__init__(NOW)
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        with self._lock:
            return self.advance(milliseconds=1)

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.advance(seconds=seconds)


def throttled(operation: str) -> ClientError:
    """What boto3 raises once its own retries have run out."""
    return ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, operation)


@dataclass
class Aws:
    """Every AWS call of the functions: counted, failed on request, and seen by the stream."""

    clock: TickingClock
    calls: list[str] = field(default_factory=list)
    faults: list[tuple[str, Callable[[dict[str, Any]], object]]] = field(default_factory=list)
    stream: list[dict[str, Any]] = field(default_factory=list)
    bus: list[dict[str, Any]] = field(default_factory=list)
    queues: dict[str, FifoQueue] = field(default_factory=dict)
    outside: bool = True
    function: str = ""
    _known: set[tuple[str, str]] = field(default_factory=set)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def fault(self, operation: str, answer: Callable[[dict[str, Any]], object], *, times: int = 1) -> None:
        """The next calls of `operation` get what `answer(parameters)` returns or raises; None is the usual answer."""
        self.faults += [(operation, answer)] * times

    def raising(self, operation: str, error: Exception, *, times: int = 1) -> None:
        def answer(_: dict[str, Any]) -> object:
            raise error

        self.fault(operation, answer, times=times)

    def call(self, real: Callable[[Any, str, Any], Any], client: Any, operation: str, parameters: Any) -> Any:
        # moto checks a condition and writes in two steps; DynamoDB does not.
        with self._lock:
            return self._one_call(real, client, operation, parameters)

    def _one_call(self, real: Callable[[Any, str, Any], Any], client: Any, operation: str, parameters: Any) -> Any:
        if self.outside:
            return real(client, operation, parameters)
        self.calls.append(operation)
        answer = self._faulty(operation, parameters)
        if answer is not None:
            return answer
        if client.meta.service_model.service_name == "sqs":
            shape = client.meta.service_model.operation_model(operation).input_shape
            report = ParamValidator().validate(parameters, shape)
            assert not report.has_errors(), report.generate_report()
            return self._sqs(operation, parameters)
        answer = real(client, operation, parameters)
        if operation == "TransactWriteItems":
            self._record([write["Put"]["Item"] for write in parameters["TransactItems"] if "Put" in write])
        if operation == "PutEvents":
            self._publish(parameters["Entries"])
        return answer

    def _faulty(self, operation: str, parameters: dict[str, Any]) -> object:
        for fault in self.faults:
            if fault[0] == operation:
                self.faults.remove(fault)
                return fault[1](parameters)
        return None

    def publish(self, entries: list[dict[str, Any]]) -> None:
        """Some entries of a call that failed for the rest."""
        self._publish(entries)

    def _publish(self, entries: list[dict[str, Any]]) -> None:
        for entry in entries:
            assert entry["EventBusName"] == BUS
            assert entry["Source"] == "synced-accounts"
            self.bus.append({"detail-type": entry["DetailType"], "detail": json.loads(entry["Detail"])})

    def _record(self, items: list[dict[str, Any]]) -> None:
        for item in items:
            key = (item["pk"]["S"], item["sk"]["S"])
            name = "MODIFY" if key in self._known else "INSERT"
            self._known.add(key)
            image = {"Keys": {"pk": item["pk"], "sk": item["sk"]}, "NewImage": item, "StreamViewType": "NEW_IMAGE"}
            self.stream.append({"eventName": name, "eventSource": "aws:dynamodb", "dynamodb": image})

    def _sqs(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        queue = self.queues[parameters["QueueUrl"]]
        now = self.clock().timestamp()
        match operation:
            case "SendMessageBatch":
                for entry in parameters["Entries"]:
                    queue.put(entry["MessageBody"], entry["MessageGroupId"], entry["MessageDeduplicationId"], now)
                return {"Successful": [{"Id": entry["Id"]} for entry in parameters["Entries"]]}
            case "SendMessage":
                body, group = parameters["MessageBody"], parameters["MessageGroupId"]
                queue.put(body, group, parameters["MessageDeduplicationId"], now)
                return {"MessageId": "m"}
            case "ChangeMessageVisibility":
                queue.change_visibility(parameters["ReceiptHandle"], parameters["VisibilityTimeout"], now)
                return {}
        raise AssertionError(operation)
