"""What a Powens domain lacks for a stack to work with it (docs/deploying.md, step 4), and how it is made.

Only what is ours is changed: the stack's redirect URI, its HMAC provider, its webhooks, and the domain's compression.
No key is ever shown: the one that Powens shows once goes straight into the stack's webhook secret.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.powens import Powens, Refused
from ops.system import System

EVENTS = (
    "ACCOUNT_FOUND",
    "ACCOUNT_ENABLED",
    "ACCOUNT_DISABLED",
    "ACCOUNTS_FETCHED",
    "CONNECTION_DELETED",
    "CONNECTION_SYNCED",
    "USER_DELETED",
)
"""The webhooks to register, as the table of docs/deploying.md says."""
ONLY_COMPRESSED = "CONNECTION_SYNCED"
# The documentation spells it in two ways.
COMPRESSION_KEYS = ("webhooks.compression.enabled", "webhooks.compressions.enabled")
_ROUNDS = 3


class State(StrEnum):
    """`WAITS`: for something else of this list. `BY_HAND`: no call does it. `EXTRA`: does no harm."""

    OK = "ok"
    EXTRA = "extra"
    MISSING = "missing"
    WRONG = "wrong"
    WAITS = "waits"
    BY_HAND = "by hand"


class Source(StrEnum):
    """Where the calls are described that see or mend this."""

    DOCUMENTED = "documented"
    OLDER = "older documentation only"
    UNKNOWN = "documented in two ways"
    OURS = "ours"


@dataclass(frozen=True)
class Finding:
    """`mend` does what is missing and raises Refused, Unreachable or botocore's errors; None when nobody here can."""

    state: State
    what: str
    detail: str
    source: Source
    mend: Callable[[], None] | None = None

    def __str__(self) -> str:
        return f"{self.state:<8} {self.what:<30} {self.detail}  [{self.source}]{' *' if self.mend else ''}"


class KeyLost(RuntimeError):
    """The key of a new provider could not be kept: the provider has to go."""


@dataclass(frozen=True)
class Domain:
    """`config_token` is the one of the console's settings. It may change the whole domain, so it is kept nowhere."""

    system: System
    powens: Powens
    config_token: str

    def survey(self) -> list[Finding]:
        """What is there and what is not. Reads only. Raises Refused (the token), Unreachable, botocore's errors."""
        compression = self._compression()
        hooks = self._hooks()
        provider, found = self._provider(hooks or [])
        deployed = self._deployed_key()
        webhooks = self._webhooks(hooks, provider, deployed.state is State.OK, compression.state is State.OK)
        return [self._redirect_uri(), compression, found, deployed, *webhooks]

    def apply(self, say: Callable[[Finding], None]) -> list[Finding]:
        """Mends what can be mended and tells `say` of each; what is left. Raises as `survey`, and KeyLost."""
        tried: set[str] = set()
        # What is mended first lets something else begin.
        for _ in range(_ROUNDS):
            todo = [finding for finding in self.survey() if finding.mend and finding.what not in tried]
            if not todo:
                break
            for finding in todo:
                tried.add(finding.what)
                say(self._mended(finding))
        return self.survey()

    @staticmethod
    def _mended(finding: Finding) -> Finding:
        assert finding.mend is not None  # noqa: S101 - the caller has looked
        try:
            finding.mend()
        except Refused as error:
            return replace(finding, state=State.BY_HAND, detail=str(error), mend=None)
        return replace(finding, state=State.OK, detail="done", mend=None)

    def _call(self, what: str, method: str, path: str, body: Mapping[str, object] | None = None) -> Mapping[str, Any]:
        return self.powens.call(what, method, path, token=self.config_token, body=body)

    # --- the client application ------------------------------------------------------------------------------------

    def _redirect_uri(self) -> Finding:
        what, wanted = "redirect URI", self.system.outputs["WebviewReturnUrl"]
        secret = self.system.client("secretsmanager").get_secret_value(
            SecretId=self.system.parameters["PowensSecretName"]
        )
        path = f"/clients/{int(json.loads(secret['SecretString'])['client_id'])}"
        try:
            shown = self._call("read the client application", "GET", path).get("redirect_uris")
        except Refused as error:
            return Finding(State.BY_HAND, what, f"allow {wanted} ({error})", Source.DOCUMENTED)
        allowed = shown.split(",") if isinstance(shown, str) else shown if isinstance(shown, list) else []
        if wanted in allowed:
            return Finding(State.OK, what, wanted, Source.DOCUMENTED)

        def allow() -> None:
            self._call("allow a redirect URI", "PUT", path, {"redirect_uris": [*allowed, wanted]})

        return Finding(State.MISSING, what, wanted, Source.DOCUMENTED, allow)

    # --- the configuration -----------------------------------------------------------------------------------------

    def _compressed(self) -> bool:
        config = self._call("read the configuration", "GET", "/config")
        return any(str(config.get(key)).lower() in ("1", "true") for key in COMPRESSION_KEYS)

    def _compression(self) -> Finding:
        what = "compression of webhooks"
        try:
            if self._compressed():
                return Finding(State.OK, what, "on", Source.UNKNOWN)
        except Refused as error:
            return Finding(State.BY_HAND, what, f"ask Powens to switch gzip on ({error})", Source.UNKNOWN)

        def switch_on() -> None:
            for key in COMPRESSION_KEYS:
                self._call("switch compression on", "POST", "/config", {key: "1"})
                if self._compressed():
                    return

        return Finding(
            State.MISSING, what, "off: first synchronisations are too large for Lambda", Source.UNKNOWN, switch_on
        )

    # --- authentication --------------------------------------------------------------------------------------------

    def _provider(self, hooks: list[Mapping[str, Any]]) -> tuple[int | None, Finding]:
        """The id of the HMAC provider of this stack's webhooks, if there is one."""
        what, name = "HMAC provider", re.sub(r"[^A-Za-z0-9]", "", self.system.name)[:32]
        providers = {
            provider["id"]: str(provider.get("name"))
            for provider in self.powens.listed(
                "list the webhook providers", "/webhooks/auth", "authproviders", token=self.config_token
            )
            if provider.get("type") == "hmac_signature"
        }
        linked = {hook.get("id_auth") for hook in hooks if self._event_of(hook)} & set(providers)
        ours = [known for known, called in providers.items() if called == name]
        chosen = linked.pop() if len(linked) == 1 else next(iter(ours), None)
        if chosen is None:
            return None, Finding(State.MISSING, what, name, Source.DOCUMENTED, lambda: self._make_provider(name))
        return chosen, Finding(State.OK, what, f"{providers[chosen]}; its key shows in no answer", Source.DOCUMENTED)

    def _make_provider(self, name: str) -> None:
        made = self._call("make a webhook provider", "POST", "/webhooks/auth", {"type": "hmac_signature", "name": name})
        key = made.get("config", {}).get("secret_key")
        try:
            if not isinstance(key, str) or not key:
                raise KeyLost("Powens showed no key")
            # Alone: what was there before is the placeholder of the first deployment, which anybody could guess.
            self.system.client("secretsmanager").put_secret_value(
                SecretId=self.system.parameters["WebhookSecretName"], SecretString=json.dumps({"current": key})
            )
        except (KeyLost, BotoCoreError, ClientError) as error:
            kept = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
            self._call("delete a webhook provider", "DELETE", f"/webhooks/auth/{made.get('id')}")
            raise KeyLost(f"the new key could not be kept ({kept}), so the provider was deleted again") from None

    def _deployed_key(self) -> Finding:
        """A stack reads its key when it is deployed with another version of the secret (ADR 0039)."""
        what, name = "deployed webhook key", self.system.parameters["WebhookSecretName"]
        stages = self.system.client("secretsmanager").describe_secret(SecretId=name)["VersionIdsToStages"]
        current = next(version for version, labels in stages.items() if "AWSCURRENT" in labels)
        if self.system.parameters.get("WebhookSecretVersionId") == current:
            return Finding(State.OK, what, current, Source.OURS)
        return Finding(
            State.BY_HAND, what, f"deploy with WebhookSecretVersionId={current}, then come back", Source.OURS
        )

    # --- webhooks --------------------------------------------------------------------------------------------------

    def address(self, event: str) -> str:
        return f"{self.system.outputs['WebhooksUrl']}/{event.lower().replace('_', '-')}"

    def _event_of(self, hook: Mapping[str, Any]) -> str | None:
        """Which of our events an address is for: neither the body nor a header of a delivery names it."""
        return next((event for event in EVENTS if hook.get("url") == self.address(event)), None)

    def _hooks(self) -> list[Mapping[str, Any]] | None:
        """None when the API does not list them."""
        try:
            return self.powens.listed("list the webhooks", "/webhooks", "webhooks", token=self.config_token)
        except Refused as error:
            if error.status in (401, 403):
                raise
            return None

    def _webhooks(
        self, hooks: list[Mapping[str, Any]] | None, provider: int | None, key_deployed: bool, compressed: bool
    ) -> Iterator[Finding]:
        for event in EVENTS:
            what, address = f"webhook {event}", self.address(event)
            if hooks is None:
                yield Finding(State.BY_HAND, what, f"register {address}; the API lists no webhooks", Source.OLDER)
                continue
            mine = [hook for hook in hooks if self._event_of(hook) == event]
            if len(mine) > 1:
                yield Finding(State.WRONG, what, f"{len(mine)} times; delete all but one in the console", Source.OLDER)
            elif mine and mine[0].get("event") not in (None, event):
                yield Finding(State.WRONG, what, f"{address} is given to another event", Source.OLDER)
            elif mine and provider is not None and mine[0].get("id_auth") == provider:
                yield Finding(State.OK, what, address, Source.OLDER)
            elif provider is None or not key_deployed:
                yield Finding(State.WAITS, what, "until the webhook key is deployed", Source.OLDER)
            elif mine:
                link = self._change(f"/webhooks/{mine[0]['id']}", {"id_auth": provider})
                yield Finding(State.WRONG, what, "is not signed by the provider", Source.OLDER, link)
            elif event == ONLY_COMPRESSED and not compressed:
                yield Finding(State.WAITS, what, "until webhooks are compressed", Source.OLDER)
            else:
                register = self._change("/webhooks", {"event": event, "url": address, "id_auth": provider})
                yield Finding(State.MISSING, what, address, Source.OLDER, register)
        yield from self._strangers(hooks or [])

    def _strangers(self, hooks: list[Mapping[str, Any]]) -> Iterator[Finding]:
        """At our address and not one of ours. Those of other consumers are none of our business."""
        base = self.system.outputs["WebhooksUrl"]
        for hook in hooks:
            if not str(hook.get("url") or "").startswith(f"{base}/") or self._event_of(hook) is not None:
                continue
            event = hook.get("event")
            what = f"webhook {event or hook.get('id')}"
            if event and hook["url"] == self.address(str(event)):
                yield Finding(State.EXTRA, what, "is not needed; delete it in the console", Source.OLDER)
            else:
                yield Finding(State.WRONG, what, f"comes to {hook['url']}, which is of no event of ours", Source.OLDER)

    def _change(self, path: str, body: Mapping[str, object]) -> Callable[[], None]:
        def mend() -> None:
            self._call("register a webhook", "POST", path, body)

        return mend
