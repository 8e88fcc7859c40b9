"""What a user does, played once with a test user and Powens' test connector, and looked at from both sides.

Everything that it makes at Powens goes again: the test user is erased at the end, a webhook and a temporary user of its
own are deleted. Nothing is printed of a token, a code, an address of the Webview or an account.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from ops.first_contact import unknowns
from ops.first_contact.findings import Finding, NotNow, Wrong, found
from ops.first_contact.unknowns import Seen
from ops.powens import Powens, Refused
from ops.powens_setup import EVENTS, Domain
from ops.system import System
from ops.wire import SECONDS, Answer, Send, send

TEST_CONNECTOR = "338178e6-3d01-564f-9a7b-52ca442459bf"
TEST_PASSWORD = "1234"  # noqa: S105 - as Powens documents it
PATIENCE = 90.0
"""Seconds until something that comes by a webhook has to be there."""
SYNC_SECONDS = 120.0
PRODUCT_WAITS = 10.0
"""As long as the product waits for an answer of Powens: `READ_SECONDS` of shared/adapters/powens/transport.py."""
TAP_SECONDS = 10.0
_REFUSED_EVENT = "ACCOUNTS_FETCHED"
_EXPECTED_EVENTS = ("ACCOUNT_FOUND", "ACCOUNT_ENABLED", "ACCOUNTS_FETCHED")
_GUIDE = 'first-contact.md, "What the journey needs"'


@dataclass
class Journey:
    """`token` is an access token of the test user. `show_webview` shows an address to the person at the terminal; None
    without one. `retry_patience` is how long a second delivery is waited for, in seconds. `seen` fills on the way.
    """

    system: System
    token: str = field(repr=False)
    allowed: Callable[[str], bool] = lambda _: False
    config_token: str | None = field(default=None, repr=False)
    show_webview: Callable[[str], None] | None = None
    send: Send = send
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    patience: float = PATIENCE
    retry_patience: float = 0.0
    seen: dict[str, Seen] = field(default_factory=dict)

    _calls: int = 0
    _throttled: list[Answer] = field(default_factory=list)
    _powens_user: int = 0
    _powens_token: str = field(default="", repr=False)
    _connection: Mapping[str, Any] = field(default_factory=dict)
    _hooks: dict[int, str] = field(default_factory=dict)
    _since: int = 0
    _refused_hook: int | None = None
    _webview: str = field(default="", repr=False)
    _powens_connection: int = 0
    _code: str = field(default="", repr=False)

    def steps(self) -> Iterator[Finding]:
        """In their order. What one lacks because an earlier one failed is skipped, and says so."""
        if not self.allowed("play a journey with the test user, who is erased at the end"):
            yield found("the journey", _GUIDE, _not_allowed)
            return
        try:
            yield found("Powens' lists and refusals", _GUIDE, self.look_around)
            yield found("the test user has nothing to lose", _GUIDE, self.begin)
            if self._powens_token:
                yield found("deliveries can be watched", 'deploying.md, "4. The Powens console"', self.watch)
                yield found("a new connection is shown", 'operating.md, "Missing webhooks"', self.connect)
            if self._connection:
                yield found("what Powens shows of it", _GUIDE, self.look_at_the_connection)
                yield found("a tap ends", 'operating.md, "Slow queues"', self.tap)
                yield found("a forced synchronisation", 'operating.md, "Powens throttles"', self.synchronise)
                yield found("deliveries came", 'operating.md, "Missing webhooks"', self.deliveries)
                yield found("a refused delivery comes again", 'operating.md, "Missing webhooks"', self.repeats)
            if self._powens_token:
                yield found("the test user is erased", 'operating.md, "Late erasures"', self.erase)
            self.seen["rate-limit"] = unknowns.throttling(self._calls, self._throttled)
        finally:
            self._forget_hook()

    # --- both sides ------------------------------------------------------------------------------------------------

    def _noted(self, method: str, url: str, **given: Any) -> Answer:
        answer = self.send(method, url, **given)
        self._calls += 1
        if answer.status == 429:
            self._throttled.append(answer)
        return answer

    @property
    def powens(self) -> Powens:
        return Powens(self.system.parameters["PowensApiUrl"], self._noted)

    def _app(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Mapping[str, Any]:
        """Raises Wrong unless our API agrees."""
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        sent = None if body is None else json.dumps(body).encode()
        url = f"{self.system.parameters['PublicUrl']}{path}"
        answer = self.send(method, url, headers=headers, body=sent, seconds=SECONDS)
        if not answer.ok:
            raise Wrong(
                f"{method} {path.partition('?')[0]} is answered {answer.status} {answer.members().get('code', '')}"
            )
        return answer.members()

    def _eventually[T](self, look: Callable[[], T | None], seconds: float, otherwise: str) -> tuple[T, float]:
        """What `look` finds, and after how many seconds. Raises Wrong."""
        began = self.clock()
        while True:
            result, waited = look(), (self.clock() - began).total_seconds()
            if result:
                return result, waited
            if waited >= seconds:
                raise Wrong(f"{otherwise} after {waited:.0f} s")
            self.pause(0.5)

    def _credentials(self) -> dict[str, str]:
        name = self.system.parameters["PowensSecretName"]
        secret = json.loads(self.system.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])
        return {"client_id": str(secret["client_id"]), "client_secret": str(secret["client_secret"])}

    def _renew(self, powens_user: int) -> Answer:
        body = {**self._credentials(), "grant_type": "client_credentials", "id_user": powens_user}
        return self.powens.ask("POST", "/auth/renew", body=body)

    # --- without a user --------------------------------------------------------------------------------------------

    def look_around(self) -> str:
        connectors = "/connectors?expand=sources,countries"
        limited = self.powens.call("list two connectors", "GET", f"{connectors}&limit=2")
        whole = self.powens.call("list the connectors", "GET", connectors)
        listed = [item for item in whole.get("connectors") or () if isinstance(item, dict)]
        sources = [source for item in listed for source in item.get("sources") or () if isinstance(source, dict)]
        self.seen["connectors-paging"] = unknowns.paging(limited, whole, "connectors")
        self.seen["source-account-types"] = unknowns.has(sources, "account_types")
        self.seen["connector-stability"] = unknowns.has(listed, "stability")
        self.seen["bad-token"] = unknowns.refusal(self.powens.ask("GET", "/users/me", token="not-a-token"), 401)  # noqa: S106
        self._try_a_temporary_user()
        return f"{len(listed)} connectors"

    def _try_a_temporary_user(self) -> None:
        """Powens deletes one by itself after half an hour, unless the renewal made it permanent."""
        made = self.powens.call("create a temporary user", "POST", "/auth/init", body={})
        answer = self._renew(int(made["id_user"]))
        self.seen["temporary-renewal"] = unknowns.refusal(answer, 200)
        token = _token(answer) if answer.ok else made.get("auth_token")
        self.powens.ask("DELETE", "/users/me", token=str(token))

    # --- the user --------------------------------------------------------------------------------------------------

    def begin(self) -> str:
        held = self._app("GET", "/v1/connections")
        if held.get("connections") or held.get("manual_accounts"):
            raise NotNow("this user has accounts, which would be erased: take a user who has none")
        url = self._app("POST", "/v1/webview-sessions", {"flow": "connect", "return_to": self._return_to()})["url"]
        # Kept here only: it lets whoever has it in.
        self._webview = str(url)
        items = self._app("GET", "/v1/me/export").get("items", ())
        known = [item.get("content", {}).get("powens_user_id") for item in items if item.get("kind") == "access"]
        if not known or not known[0]:
            raise Wrong("the export names no Powens user")
        self._powens_user = int(known[0])
        answer = self._renew(self._powens_user)
        if not answer.ok:
            raise Refused("renew a token", answer)
        self.seen["renewal-key"] = unknowns.Seen(
            "access_token" if "access_token" in answer.members() else "token", "access_token" in answer.members()
        )
        self._powens_token = _token(answer)
        return "a Powens user was made"

    def _return_to(self) -> str:
        allowed = self.system.parameters["ReturnToAllowed"].split(",")
        return next((place for place in allowed if place.startswith("http")), allowed[0])

    def watch(self) -> str:
        """From here on, what Powens writes down about each delivery is of this journey."""
        if self.config_token is None:
            raise NotNow("no config token: which events come is not seen")
        domain = Domain(self.system, self.powens, self.config_token)
        listed = self.powens.listed("list the webhooks", "/webhooks", "webhooks", token=self.config_token)
        wanted = {domain.address(event): event for event in EVENTS}
        self._hooks = {hook["id"]: wanted[hook["url"]] for hook in listed if hook.get("url") in wanted}
        self._since = max((line["id"] for hook in self._hooks for line in self._log(hook)), default=0)
        if self.retry_patience and self.allowed("register a webhook that is refused on purpose, and delete it again"):
            body = {
                "event": _REFUSED_EVENT,
                "url": f"{self.system.outputs['WebhooksUrl']}/first-contact",
                "id_user": self._powens_user,
            }
            made = self.powens.call("register a webhook", "POST", "/webhooks", token=self.config_token, body=body)
            self._refused_hook = int(made["id"])
        return f"{len(self._hooks)} webhooks"

    def _log(self, hook: int) -> list[Mapping[str, Any]]:
        return self.powens.listed(
            "read what was delivered", f"/webhooks/{hook}/logs", "webhooklogs", token=self.config_token
        )

    def connect(self) -> str:
        began = self.clock()
        body = {"connector_uuid": TEST_CONNECTOR, "login": "first-contact", "password": TEST_PASSWORD}
        path = f"/users/{self._powens_user}/connections"
        answer = self.powens.ask("POST", path, token=self._powens_token, body=body, seconds=SYNC_SECONDS)
        self.seen["connect-by-api"] = unknowns.refusal(answer, 200, 201, 202)
        patience = self.patience
        if not answer.ok:
            if self.show_webview is None:
                raise NotNow(f"the API answers {answer.status}: at a terminal, somebody can connect in the Webview")
            self.show_webview(self._webview)
            patience = 600.0

        def shown() -> Mapping[str, Any] | None:
            listed = self._app("GET", "/v1/connections")
            if listed["unconfirmed"]:
                self._confirm()
            connections: list[Mapping[str, Any]] = listed["connections"]
            return next((item for item in connections if item["accounts"]), None)

        self._connection, _ = self._eventually(shown, patience, "it is not shown")
        return f"after {(self.clock() - began).total_seconds():.1f} s"

    def _confirm(self) -> None:
        """Come back from the visit as the browser does, and confirm what was made in it (ADR 0043)."""
        shown = self.powens.listed(
            "read the connections", f"/users/{self._powens_user}/connections", "connections", token=self._powens_token
        )
        state = parse_qs(urlsplit(self._webview).query).get("state", [""])[0]
        way_back = urlencode({"state": state, "connection_id": shown[0]["id"]})
        address = f"{self.system.parameters['PublicUrl']}/v1/webview-return?{way_back}"
        returned = self.send("GET", address, headers={}, body=None, seconds=SECONDS)
        query = parse_qs(urlsplit(returned.headers.get("location", "")).query)
        # Only the first return gets one: later ones, of a person's browser too, do without.
        self._code = query.get("return_code", [self._code])[0]
        if self._code:
            self._app("POST", "/v1/webview-confirmations", {"return_code": self._code})

    def look_at_the_connection(self) -> str:
        base = f"/users/{self._powens_user}"
        shown = self.powens.listed(
            "read the connections", f"{base}/connections", "connections", token=self._powens_token
        )
        sources = self.powens.call(
            "read the sources", "GET", f"{base}/connections/{shown[0]['id']}?expand=sources", token=self._powens_token
        ).get("sources", ())
        # Not `listed`: a limit would hide whether they have one of their own.
        accounts = self.powens.call("read the accounts", "GET", f"{base}/accounts?all", token=self._powens_token)
        listed = [item for item in accounts.get("accounts", ()) if isinstance(item, dict)]
        disabled = next((item for item in listed if item.get("disabled")), None)
        self._powens_connection = int(shown[0]["id"])
        self.seen["date-zone"] = unknowns.zone(shown[0].get("created"), self.clock())
        self.seen["account-type-form"] = unknowns.form_of([item.get("type") for item in listed], str)
        self.seen["currency-form"] = unknowns.form_of([item.get("currency") for item in listed], dict)
        self.seen["source-form"] = unknowns.source_form([item for item in sources if isinstance(item, dict)])
        self.seen["disabled-fields"] = unknowns.filled(disabled)
        return f"{len(listed)} accounts"

    def tap(self) -> str:
        """Every account is ticked, as somebody does who connects a bank to see it."""
        ids = [account["id"] for account in self._connection["accounts"]]
        began = self.clock()
        path = f"/v1/connections/{self._connection['id']}/selection"
        status, _ = self._ended(self._app("PUT", path, {"enabled_account_ids": ids}), self.patience)
        took = (self.clock() - began).total_seconds()
        if status != "completed":
            raise Wrong(f"it ends as {status} after {took:.1f} s")
        if took > TAP_SECONDS:
            raise Wrong(f"it takes {took:.1f} s; people wait {TAP_SECONDS:.0f} s")
        return f"after {took:.1f} s"

    def _ended(self, operation: Mapping[str, Any], seconds: float) -> tuple[str, float]:
        def look() -> str | None:
            shown = self._app("GET", f"/v1/operations/{operation['id']}")
            return str(shown["status"]) if shown["ended_at"] else None

        return self._eventually(look, seconds, "the operation is still open")

    def synchronise(self) -> str:
        path = f"/users/{self._powens_user}/connections/{self._powens_connection}?psu_requested=false"
        answer = self.powens.ask("PUT", path, token=self._powens_token, seconds=SYNC_SECONDS)
        seen = unknowns.synchronisation(answer, PRODUCT_WAITS)
        self.seen["forced-sync"] = seen
        return seen.text

    # --- deliveries ------------------------------------------------------------------------------------------------

    def deliveries(self) -> str:
        if not self._hooks:
            raise NotNow("they are not watched")

        counts: dict[str, int] = {}

        def all_arrived() -> bool:
            for hook, event in self._hooks.items():
                counts[event] = sum(1 for line in self._log(hook) if line["id"] > self._since)
            return all(counts.get(event) for event in _EXPECTED_EVENTS)

        with suppress(Wrong):
            self._eventually(all_arrived, self.patience, "not all was delivered")
        counts = {event: count for event, count in counts.items() if count}
        self.seen["delivered-events"] = unknowns.events(counts, _EXPECTED_EVENTS)
        if not counts:
            raise Wrong("none was made")
        refused = [
            f"{event} ({line.get('response_code')})"
            for hook, event in self._hooks.items()
            for line in self._log(hook)
            if line["id"] > self._since and line.get("response_code") not in (200, None)
        ]
        if refused:
            raise Wrong(f"we refused {refused[0]}")
        return self.seen["delivered-events"].text

    def repeats(self) -> str:
        """How long Powens waits until it sends again what was refused, from what it writes down about it."""
        hook = self._refused_hook
        if hook is None:
            raise NotNow("no webhook was registered to be refused")
        lines: list[Mapping[str, Any]] = []

        def twice() -> bool:
            lines[:] = self._log(hook)
            return any(len(_attempts(lines, payload)) > 1 for payload in _payloads(lines))

        try:
            with suppress(Wrong):
                self._eventually(twice, self.retry_patience, "it did not come again")
            attempts = max((_attempts(lines, payload) for payload in _payloads(lines)), key=len, default=[])
            self.seen["retry-interval"] = unknowns.repeats(attempts)
            return self.seen["retry-interval"].text
        finally:
            self._forget_hook()

    def _forget_hook(self) -> None:
        if self._refused_hook is not None and self.config_token is not None:
            path = f"/webhooks/{self._refused_hook}"
            self._refused_hook = None
            self.powens.call("delete a webhook", "DELETE", path, token=self.config_token)

    # --- the end ---------------------------------------------------------------------------------------------------

    def erase(self) -> str:
        self._forget_hook()
        status, took = self._ended(self._app("DELETE", "/v1/me"), self.patience)
        if status != "completed":
            raise Wrong(f"it ends as {status}")
        path = f"/users/{self._powens_user}"
        self.seen["gone-user-status"] = unknowns.refusal(self._renew(self._powens_user), 400, 403, 404, 409)
        self.seen["gone-user-token"] = unknowns.refusal(self.powens.ask("GET", path, token=self._powens_token), 401)
        return f"here and at Powens, after {took:.1f} s"


def _not_allowed() -> str:
    raise NotNow("not allowed")


def _token(answer: Answer) -> str:
    members = answer.members()
    return str(members.get("access_token") or members.get("token") or "")


def _payloads(lines: list[Mapping[str, Any]]) -> set[object]:
    return {line.get("id_webhook_data") for line in lines}


def _attempts(lines: list[Mapping[str, Any]], payload: object) -> list[datetime]:
    """When one payload was tried. Only the distance between two counts, so their zone does not matter."""
    dates: list[datetime] = []
    for line in lines:
        if line.get("id_webhook_data") == payload and isinstance(line.get("timestamp"), str):
            with suppress(ValueError):
                dates.append(datetime.fromisoformat(line["timestamp"]))
    return sorted(dates)
