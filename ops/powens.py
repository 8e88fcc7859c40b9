"""Powens' REST API as its operator calls it: by tokens of the console, of the client, of a test user.

Not the product's own client, which reads what the product needs: here the answer itself is looked at.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.wire import SECONDS, Answer, Send, send

_CODE = re.compile(r"[A-Za-z]{1,40}")


class Refused(RuntimeError):
    """Powens said no. The message has our name for the request, the status and Powens' code, and nothing else."""

    def __init__(self, what: str, answer: Answer) -> None:
        code = answer.members().get("code")
        self.status = answer.status
        self.code = code if isinstance(code, str) and _CODE.fullmatch(code) else ""
        super().__init__(f"{what}: Powens answered {answer.status} {self.code}".rstrip())


@dataclass(frozen=True)
class Powens:
    """`api_url` as https://acme-sandbox.biapi.pro/2.0."""

    api_url: str
    send: Send = send

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: Mapping[str, object] | None = None,
        seconds: float = SECONDS,
    ) -> Answer:
        """Whatever Powens answers. Raises Unreachable."""
        headers = {"accept": "application/json"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        if body is not None:
            headers["content-type"] = "application/json"
        sent = None if body is None else json.dumps(body).encode()
        return self.send(method, f"{self.api_url.rstrip('/')}{path}", headers=headers, body=sent, seconds=seconds)

    def call(self, what: str, method: str, path: str, **given: Any) -> Mapping[str, Any]:
        """What Powens answers when it agrees. Raises Refused, Unreachable."""
        answer = self.ask(method, path, **given)
        if not answer.ok:
            raise Refused(what, answer)
        return answer.members()

    def listed(self, what: str, path: str, key: str, **given: Any) -> list[Mapping[str, Any]]:
        """The items of a list of the console's, which are few. Raises Refused, Unreachable."""
        found = self.call(what, "GET", f"{path}?limit=1000", **given).get(key)
        return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
