"""An AWS endpoint that answers at once, so that what is measured is the function."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

from local.runtime_api import read_requests_with_headers

_CONNECTION: dict[str, Any] = json.loads(Path(__file__).with_name("connection.json").read_bytes())
"""An item of the table: a connection with two accounts."""


class FakeAws:
    """Plays the few calls that the measured events cause. `calls` counts them by operation."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}
        self.url = ""
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async for _, _, headers, body in read_requests_with_headers(reader):
                operation = headers.get("x-amz-target", "").rpartition(".")[2]
                self.calls[operation] = self.calls.get(operation, 0) + 1
                answer = json.dumps(_answer(operation, json.loads(body or b"{}"))).encode()
                kind = headers.get("content-type", "application/x-amz-json-1.0")
                head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(answer)}\r\n\r\n"
                writer.write(head.encode() + answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the measured process has ended
        finally:
            writer.close()


def _answer(operation: str, asked: dict[str, Any]) -> dict[str, Any]:
    match operation:
        case "SendMessage":
            return {"MessageId": "1", "MD5OfMessageBody": _md5(asked["MessageBody"]), "SequenceNumber": "1"}
        case "SendMessageBatch":
            sent = [
                {"Id": entry["Id"], "MessageId": entry["Id"], "MD5OfMessageBody": _md5(entry["MessageBody"])}
                for entry in asked["Entries"]
            ]
            return {"Successful": sent, "Failed": []}
        case "PutEvents":
            return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in asked["Entries"]]}
        case "GetSecretValue":
            return {"SecretString": json.dumps({"client_id": "1", "client_secret": "s", "identity_key": "k"})}
        case "":
            # Powens is at the same address, and is asked for its catalogue only.
            return {"connectors": [{"uuid": "bench", "name": "Bench"}]}
        case "Query":
            of_list = asked["ExpressionAttributeValues"].get(":list") is not None
            items = [_CONNECTION] if of_list else []
            return {"Items": items, "Count": len(items), "ScannedCount": len(items)}
    return {}


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
