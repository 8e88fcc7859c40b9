"""Powens on simulated time: accounts that come, go, move and change their ids, webhooks, and each bad day of its API.

`tests/worlds/powens/fake.py` answers the requests; here are the time that they take, what goes wrong with them, and
what happens at Powens without us. The real session of the product sends its requests through `send`.
"""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from greenlet import GreenletExit

from tests.simulation.powens.odd_fields import OddFields
from tests.worlds.powens.fake import error, paris
from tests.worlds.powens.wire import Answer, response_to

PAGE = 2
"""Items of a list that Powens answers in pages."""
QUIET_AFTER_SECONDS = 30.5
"""What began before an erasure has run out of time by then (ADR 0020)."""


class SimulatedPowens(OddFields):
    """The time that requests take, and what goes wrong with them."""

    def send(  # type: ignore[override]  # the base class has the same parameters with looser types
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: tuple[float, float] = (0, 0),
        verify: bool | str = True,
        cert: object = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        engine, chance = self.engine, self.engine.chance
        if engine.closed:
            raise GreenletExit
        assert request.url is not None
        task = engine.current
        assert task is not None
        step = task.step()
        url = urlsplit(request.url)
        line = f"{request.method} {url.path.removeprefix('/2.0')}"
        body = json.loads(request.body) if request.body else {}
        query = parse_qs(url.query, keep_blank_values=True)
        self._only_deletes(line)
        if chance.happens("killed before a call", step):
            engine.tell(f"{task.key} is killed before {line}")
            engine.die()
        patience = timeout[1]
        there = chance.between(0.02, 0.2, "there", step)
        back = chance.between(0.02, 0.2, "back", step)
        if chance.happens("Powens is slow", step):
            there = chance.between(0.5, 14, "slow", step)
            engine.tell(f"{task.key}: {line} takes {there:.1f} s")
        if there >= patience:
            # It arrives all the same, when nobody waits for it any more.
            self._later(there, line, query, body, request.headers, task.key)
            engine.wait(patience)
            raise requests.ReadTimeout
        engine.wait(there)
        answer = self._in_trouble(line, step)
        if answer is None and request.method == "PUT" and chance.happens("Powens outlives our patience", step):
            engine.tell(f"{task.key}: {line} is carried out for longer than anybody waits")
            self._one_answer(line, query, body, request.headers, task.key)
            engine.wait(max(0.1, patience - there))
            raise requests.ReadTimeout
        if answer is None and request.method != "GET" and chance.happens("Powens applies too late", step):
            engine.tell(f"{task.key}: Powens will apply {line} after the timeout")
            self._later(patience + chance.between(0, 15, "later", step), line, query, body, request.headers, task.key)
            engine.wait(max(0.1, patience - there))
            raise requests.ReadTimeout
        if answer is None:
            answer = self._one_answer(line, query, body, request.headers, task.key)
            engine.note(f"{task.key} {line} {answer.status}")
            if chance.happens("killed after a call", step):
                engine.tell(f"{task.key} is killed after {line}")
                engine.die()
            if chance.happens("Powens applies and times out", step):
                engine.tell(f"{task.key}: Powens has done {line}, the answer is lost")
                engine.wait(max(0.1, patience - there))
                raise requests.ReadTimeout
            answer = self._mangled(line, query, answer, step)
        if there + back >= patience:
            engine.wait(max(0.0, patience - there))
            raise requests.ReadTimeout
        engine.wait(back)
        return response_to(request, answer)

    def _only_deletes(self, line: str) -> None:
        """After an erasure nobody asks Powens anything about the user but to delete her."""
        found = re.fullmatch(r"(\w+) /users/(\d+)(/.*)?", line)
        if found is None or (found[1] == "DELETE" and found[3] is None):
            return
        since = self.erasing.get(int(found[2]))
        if since is not None and self.engine.at > since + QUIET_AFTER_SECONDS * 1_000_000:
            self.broken(f"{line} is sent after the erasure of the user")

    def _later(
        self,
        seconds: float,
        line: str,
        query: Mapping[str, list[str]],
        body: Mapping[str, Any],
        headers: Mapping[str, Any],
        key: str,
    ) -> None:
        """The request takes effect although nobody waits for its answer."""
        if line.startswith("GET"):
            return
        found = line.rsplit("/", 1)[-1]
        real = self.real_of.get(int(found)) if found.isdigit() else None
        connection = real.connection if real else 0
        self.late[connection] = self.late.get(connection, 0) + 1

        def act() -> None:
            self.late[connection] -= 1
            now_at = self.connections.get(real.connection) if real else None
            account = now_at.accounts.get(int(found)) if now_at else None
            before = account.disabled if account else None
            self._one_answer(line, query, body, headers, key)
            if real is not None and account is not None and account.disabled != before:
                self.came_late(real, not account.disabled)

        self.engine.after(seconds, act)

    def _in_trouble(self, line: str, step: str) -> Answer | None:
        engine, chance = self.engine, self.engine.chance
        now = engine.at / 1_000_000
        if now < self.outage_until:
            return error(503)
        if now < self.throttled_until:
            return error(429, "tooManyRequests", **{"Retry-After": str(int(self.throttled_until - now) + 1)})
        if not line.startswith("GET") and "/users/" in line and self._locked_until(line) > now:
            return error(409, "connectionLocked")
        found = re.fullmatch(r"POST /users/(\d+)/accounts/\d+", line)
        if found and self.forbidden.get(int(found[1]), 0.0) > now:
            return error(403, "forbidden")
        if chance.happens("Powens answers 500", step):
            engine.tell(f"Powens answers 500 to {line}")
            return error(500)
        if chance.happens("Powens throttles", step):
            engine.tell(f"Powens answers 429 to {line}")
            return error(429, "tooManyRequests", **{"Retry-After": str(1 + int(chance.roll("retry", step) * 60))})
        return None

    def _locked_until(self, line: str) -> float:
        parts = line.split("/")
        if len(parts) < 5 or not parts[4].isdigit():
            return 0.0
        wanted = int(parts[4])
        if parts[3] == "accounts":
            real = self.real_of.get(wanted)
            wanted = real.connection if real else 0
        return self.locked.get(wanted, 0.0)

    def _one_answer(
        self, line: str, query: Mapping[str, list[str]], body: Mapping[str, Any], headers: Mapping[str, Any], key: str
    ) -> Answer:
        self.log.append(line)
        self._asking = key
        answer = self._answer(line, query, body, headers)
        if line == "POST /auth/renew" and not answer.status < 300:
            self._witnessing.add(key)
        elif line == "POST /auth/init" and key in self._witnessing:
            self.witnesses.add(json.loads(answer.content)["id_user"])
        return answer

    def _mangled(self, line: str, query: Mapping[str, list[str]], answer: Answer, step: str) -> Answer:
        engine, chance = self.engine, self.engine.chance
        if not line.startswith("GET") or answer.status != 200:
            return answer
        if chance.happens("Powens answers garbage", step):
            engine.tell(f"Powens answers garbage to {line}")
            return Answer(200, b"<html>a page of a proxy</html>")
        name = line.rsplit("/", 1)[-1]
        body: Any = answer.body
        if name in ("accounts", "connections") and chance.happens("Powens answers an empty list", step):
            engine.tell(f"Powens answers an empty list to {line}")
            self.misread[int(line.split("/")[2])] = engine.at
            return Answer(200, {name: []})
        if name == "accounts" and chance.happens("Powens answers a part of a list", step):
            engine.tell(f"Powens leaves an account out of {line}")
            self.misread[int(line.split("/")[2])] = engine.at
            return Answer(200, {name: self._part(body[name], step)})
        if "/users/" in line and "sources" not in name and chance.happens("Powens answers an odd field", step):
            self._spoil(line, body.get(name, [body]), step)
        if "/connections" in line and name != "accounts" and chance.happens("Powens answers an older date", step):
            engine.tell(f"Powens goes back to an older date in {line}")
            for item in body.get(name, [body]):
                known = self.connections.get(item["id"])
                if known is not None:
                    item["last_update"] = paris(
                        known.last_update - timedelta(hours=chance.between(1, 5, "older", step))
                    )
        if name in ("accounts", "connections", "connectors", "users"):
            return self._page(name, body[name], query, step)
        return answer

    def _part(self, accounts: list[Any], step: str) -> list[Any]:
        part = [account for account in accounts if self.engine.chance.roll("part", step, account["id"]) < 0.6]
        for account in accounts:
            if account not in part and isinstance(account["id"], int):
                self.left_out.setdefault(account["id"], self.engine.at)
        return part

    def _page(self, name: str, items: list[Any], query: Mapping[str, list[str]], step: str) -> Answer:
        """A part of a list that says how long it is, and not where it goes on."""
        start = int(query["offset"][0]) if "offset" in query else 0
        paged = len(items) > PAGE and (start > 0 or self.engine.chance.happens("Powens answers in pages", step))
        shown = items[start : start + PAGE] if paged or start else items
        return Answer(200, {name: shown, "total": len(items)})
