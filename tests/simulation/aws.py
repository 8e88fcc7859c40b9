"""AWS as the functions meet it: SQS FIFO, EventBridge, KMS and Secrets Manager beside the table, and what goes wrong.

Everything enters through botocore's `_make_api_call`, so the adapters run unchanged. A call takes time before and after
its effect; its process may be killed at either side, the service may throttle, and an answer may be lost after the
effect: then the caller knows nothing, as with a read timeout once boto3's own repetitions have run out.
"""

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError
from greenlet import GreenletExit

from tests.simulation.dynamodb import Refused, SimulatedTable
from tests.simulation.engine import Engine
from tests.simulation.expressions import UnknownSyntax
from tests.worlds.queues import FifoQueue

MOST_ENTRIES = 10
LARGEST_MESSAGE = 262_144

_THROTTLING = {
    "dynamodb": "ThrottlingException",
    "sqs": "RequestThrottled",
    "events": "ThrottlingException",
    "kms": "ThrottlingException",
    "secretsmanager": "ThrottlingException",
    "apigatewaymanagementapi": "LimitExceededException",
}
_USUAL_SECONDS = {"dynamodb": 0.008, "sqs": 0.012, "events": 0.025, "kms": 0.015, "secretsmanager": 0.03} | {
    "apigatewaymanagementapi": 0.02
}


class SimulatedAws:
    """Every AWS call of every function."""

    def __init__(self, engine: Engine, table: SimulatedTable, bus: str, secret: str) -> None:
        self.engine = engine
        self.table = table
        self.queues: dict[str, FifoQueue] = {}
        self.bus: list[dict[str, Any]] = []
        self.published: list[tuple[int, dict[str, Any]]] = []
        """Each event with when it was taken, in microseconds."""
        self.on_event: Callable[[dict[str, Any]], None] = lambda event: None
        self.sockets: dict[str, Callable[[str | None], None]] = {}
        """What an open socket does with a message, and with None when it is closed from here."""
        self.webhooks_queued: set[str] = set()
        self.calls = 0
        self._bus = bus
        self._secret = secret

    def seconds(self) -> float:
        return self.engine.at / 1_000_000

    def call(self, client: Any, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        service = client.meta.service_model.service_name
        engine, chance = self.engine, self.engine.chance
        task = engine.current
        if engine.closed:
            raise GreenletExit
        assert task is not None, f"{operation} outside of any invocation"
        self.calls += 1
        step = task.step()
        kind = "write" if operation in _WRITES else "read"
        if chance.happens("killed before a call", step):
            engine.tell(f"{task.key} is killed before {operation}")
            engine.die()
        usual = _USUAL_SECONDS[service] * (0.5 + chance.roll("time", step))
        if chance.happens("slow AWS call", step):
            usual += chance.between(0.5, 12, "slow", step)
            engine.tell(f"{task.key}: {operation} takes {usual:.1f} s")
        engine.wait(usual / 2)
        if chance.happens(f"AWS throttles a {kind}", step):
            engine.tell(f"{task.key}: {operation} is throttled")
            engine.wait(usual / 2)
            raise self._error(client, operation, _THROTTLING[service])
        if chance.happens("AWS request lost", step):
            engine.tell(f"{task.key}: {operation} never arrives")
            engine.wait(chance.between(1, 7, "lost", step))
            raise ReadTimeoutError(endpoint_url=service)
        try:
            answer = self._effect(service, operation, parameters, step)
        except Refused as refused:
            engine.note(f"{task.key} {operation} {refused.code}")
            if parameters.get("Key", {}).get("pk", {}).get("S", "").startswith("BUDGET#"):
                chance.note("Powens' budget is used up", step)
            engine.wait(usual / 2)
            raise self._error(client, operation, refused.code, refused.reasons) from None
        engine.note(f"{task.key} {operation}")
        if chance.happens("killed after a call", step):
            engine.tell(f"{task.key} is killed after {operation}")
            engine.die()
        if kind == "write" and chance.happens("AWS answer lost", step):
            engine.tell(f"{task.key}: the answer of {operation} is lost")
            engine.wait(chance.between(1, 7, "lost", step))
            raise ReadTimeoutError(endpoint_url=service)
        engine.wait(usual / 2)
        return answer

    def _error(
        self, client: Any, operation: str, code: str, reasons: list[dict[str, Any]] | None = None
    ) -> ClientError:
        kind: type[ClientError] = client.exceptions.from_code(code)
        response: dict[str, Any] = {"Error": {"Code": code, "Message": "said by AWS"}}
        if reasons is not None:
            response["CancellationReasons"] = reasons
        return kind(response, operation)  # type: ignore[arg-type]  # the stubs want every part of an answer

    def _effect(self, service: str, operation: str, parameters: dict[str, Any], step: str) -> dict[str, Any]:
        match service:
            case "dynamodb":
                return self._dynamodb(operation, parameters, step)
            case "sqs":
                return self._sqs(operation, parameters, step)
            case "events":
                return self._events(operation, parameters, step)
            case "kms":
                return self._kms(operation, parameters)
            case "secretsmanager":
                assert operation == "GetSecretValue"
                return {"SecretString": self._secret}
            case "apigatewaymanagementapi":
                return self._socket(operation, parameters)
        raise UnknownSyntax(f"{service} {operation}")

    def _dynamodb(self, operation: str, parameters: dict[str, Any], step: str) -> dict[str, Any]:
        chance = self.engine.chance
        if operation == "TransactWriteItems" and chance.happens("transaction conflict", step):
            reasons = [{"Code": "None"} for _ in parameters["TransactItems"]]
            reasons[0] = {"Code": "TransactionConflict"}
            raise Refused("TransactionCanceledException", "conflict", reasons)
        if operation in ("UpdateItem", "PutItem", "DeleteItem") and chance.happens("transaction conflict", step):
            raise Refused("TransactionConflictException", "conflict")
        return self.table.call(operation, parameters)

    def _sqs(self, operation: str, parameters: dict[str, Any], step: str) -> dict[str, Any]:
        queue = self.queues[parameters["QueueUrl"]]
        now = self.seconds()
        match operation:
            case "SendMessage":
                deduplication_id = parameters["MessageDeduplicationId"]
                self._put(queue, parameters, now)
                self.webhooks_queued.add(deduplication_id)
                return {"MessageId": deduplication_id}
            case "SendMessageBatch":
                entries = parameters["Entries"]
                if not 1 <= len(entries) <= MOST_ENTRIES:
                    raise Refused("TooManyEntriesInBatchRequest", str(len(entries)))
                done, failed = [], []
                for entry in entries:
                    if self.engine.chance.happens("SQS takes a part of a batch", f"{step}/{entry['Id']}"):
                        self.engine.tell(f"{step}: SQS refuses entry {entry['Id']} of {len(entries)}")
                        failed.append({"Id": entry["Id"], "Code": "InternalError", "SenderFault": False})
                        continue
                    self._put(queue, entry, now)
                    done.append({"Id": entry["Id"], "MessageId": entry["Id"]})
                return {"Successful": done, "Failed": failed} if failed else {"Successful": done}
            case "ChangeMessageVisibility":
                if not queue.change_visibility(parameters["ReceiptHandle"], parameters["VisibilityTimeout"], now):
                    raise Refused("MessageNotInflight", "not in flight")
                return {}
        raise UnknownSyntax(f"sqs {operation}")

    @staticmethod
    def _put(queue: FifoQueue, entry: dict[str, Any], now: float) -> None:
        body, group, deduplication_id = (entry[f"Message{name}"] for name in ("Body", "GroupId", "DeduplicationId"))
        if not group or not deduplication_id or len(body) > LARGEST_MESSAGE:
            raise Refused("InvalidParameterValue", "group, deduplication id and body")
        queue.put(body, group, deduplication_id, now)

    def _events(self, operation: str, parameters: dict[str, Any], step: str) -> dict[str, Any]:
        assert operation == "PutEvents", operation
        entries = parameters["Entries"]
        if not 1 <= len(entries) <= MOST_ENTRIES:
            raise Refused("ValidationException", f"{len(entries)} entries")
        answers: list[dict[str, str]] = []
        for position, entry in enumerate(entries):
            assert entry["EventBusName"] == self._bus
            key = f"{step}/{position}"
            if self.engine.chance.happens("EventBridge takes a part of a batch", key):
                self.engine.tell(f"{step}: EventBridge refuses entry {position} of {len(entries)}")
                answers.append({"ErrorCode": "InternalFailure", "ErrorMessage": "said by AWS"})
                continue
            event = {"detail-type": entry["DetailType"], "detail": json.loads(entry["Detail"])}
            copies = 2 if self.engine.chance.happens("EventBridge delivers twice", key) else 1
            self.published.append((self.engine.at, event))
            for _ in range(copies):
                self.bus.append(event)
                self.on_event(event)
            answers.append({"EventId": key})
        return {"FailedEntryCount": sum("ErrorCode" in answer for answer in answers), "Entries": answers}

    def _socket(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        socket = self.sockets.get(parameters["ConnectionId"])
        if socket is None:
            raise Refused("GoneException", "closed, or not yet open")
        match operation:
            case "PostToConnection":
                socket(parameters["Data"].decode())
            case "DeleteConnection":
                del self.sockets[parameters["ConnectionId"]]
                socket(None)
            case _:
                raise UnknownSyntax(f"sockets {operation}")
        return {}

    def _kms(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """A seal that anybody could open, yet which hides the plaintext and is bound to its context."""
        context = json.dumps(parameters["EncryptionContext"], sort_keys=True).encode()
        match operation:
            case "Encrypt":
                return {"CiphertextBlob": bytes(byte ^ 0x5A for byte in context + b"\0" + parameters["Plaintext"])}
            case "Decrypt":
                opened = bytes(byte ^ 0x5A for byte in parameters["CiphertextBlob"])
                bound, _, plaintext = opened.partition(b"\0")
                if bound != context:
                    raise Refused("InvalidCiphertextException")
                return {"Plaintext": plaintext}
        raise UnknownSyntax(f"kms {operation}")


_WRITES = frozenset(
    {
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "TransactWriteItems",
        "SendMessage",
        "SendMessageBatch",
        "ChangeMessageVisibility",
        "PutEvents",
        "PostToConnection",
        "DeleteConnection",
    }
)
