"""One attempt to deliver a payload: its headers, its signature, its outcome."""

import asyncio
import gzip
import itertools
import time
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

import httpx

from powens_sandbox.errors import ApiError
from powens_sandbox.logbook import Logbook
from powens_sandbox.webhooks.hooks import Hook, Hooks
from powens_sandbox.webhooks.signature import sign, signature_date
from powens_sandbox.world.model import Event
from powens_sandbox.world.world import World

_ANSWER_BYTES = 500


@dataclass
class Payload:
    """One event for one webhook, until it is accepted."""

    event: Event
    hook_id: int
    body: bytes
    first_date: str = ""
    attempts: int = 0


@dataclass
class Attempt:
    """A line of the log. `outcome`: accepted, refused, timeout, unreachable, lost, or a fault's kind."""

    id: int
    event_id: int
    event: str
    hook_id: int
    url: str
    user_id: int
    number: int
    at: datetime
    outcome: str = ""
    status: int | None = None
    milliseconds: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    answer: str = ""
    payload: Payload | None = None


class Sender:
    """Makes the attempts and logs them."""

    def __init__(self, world: World, hooks: Hooks, log: Logbook[Attempt]) -> None:
        self.world = world
        self.clock = world.clock
        self.hooks = hooks
        self.log = log
        self.under_way = 0
        self._ids = itertools.count(1)
        # Of the consumers' own token endpoints, by provider, with the time of their end.
        self._tokens: dict[int, tuple[str, float]] = {}
        self._client = httpx.AsyncClient(
            trust_env=False, follow_redirects=False, limits=httpx.Limits(max_connections=50)
        )

    async def stop(self) -> None:
        await self._client.aclose()

    def forget_tokens(self) -> None:
        self._tokens.clear()

    def line(self, payload: Payload, hook: Hook, outcome: str = "") -> Attempt:
        return Attempt(
            next(self._ids), payload.event.id, payload.event.name, hook.id, hook.url or "", payload.event.user_id,
            payload.attempts, self.clock.now(), outcome, body=payload.body.decode("utf-8", "replace"), payload=payload,
        )  # fmt: skip

    async def send(self, payload: Payload, hook: Hook) -> Attempt:
        payload.attempts += 1
        line = self.line(payload, hook)
        started = time.perf_counter()
        timeout = self.world.settings.webhook_timeout
        self.under_way += 1
        try:
            headers, content = await self._headers(payload, hook)
            line.headers = {name: value for name, value in headers.items() if name != "Authorization"}
            async with asyncio.timeout(timeout):
                reply = await self._client.post(hook.url or "", content=content, headers=headers, timeout=timeout)
            line.status = reply.status_code
            line.answer = reply.text[:_ANSWER_BYTES]
            line.outcome = "accepted" if reply.is_success else "refused"
        except (TimeoutError, httpx.TimeoutException):
            line.outcome = "timeout"
        except (httpx.HTTPError, httpx.InvalidURL, ApiError) as error:
            line.outcome = "unreachable"
            line.answer = type(error).__name__
        finally:
            self.under_way -= 1
        line.milliseconds = round(1000 * (time.perf_counter() - started), 1)
        hook.health["sent"] += 1
        hook.health["accepted" if line.outcome == "accepted" else "failed"] += 1
        self.log.add(line)
        return line

    async def _headers(self, payload: Payload, hook: Hook) -> tuple[dict[str, str], bytes]:
        settings = self.world.settings
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Budgea API/2.0"}
        content = payload.body
        if settings.webhook_gzip:
            content = await asyncio.to_thread(gzip.compress, payload.body, 6, mtime=0)
            headers["Content-Encoding"] = "gzip"
        provider = self.hooks.providers.get(hook.auth_id) if hook.auth_id is not None else None
        if provider is None:
            token = payload.event.token
            if hook.token and token:
                headers["Authorization"] = f"Bearer {token}"
        elif provider.type == "oauth":
            headers["Authorization"] = f"Bearer {await self._oauth_token(provider.id, provider.config)}"
        else:
            date = signature_date(self.clock.now())
            payload.first_date = payload.first_date or date
            if settings.webhook_date == "original":
                date = payload.first_date
            parts = urlsplit(hook.url or "")
            endpoint = parts.path or "/"
            if settings.webhook_signed_path == "path_and_query" and parts.query:
                endpoint += f"?{parts.query}"
            signed = payload.body if settings.webhook_gzip_signature == "plain" else content
            headers["BI-Signature-Date"] = date
            headers["BI-Signature"] = sign(str(provider.config["secret_key"]), "POST", endpoint, date, signed)
        return headers, payload.body if settings.webhook_gzip_arrival == "inflated" else content

    async def _oauth_token(self, provider_id: int, config: dict[str, object]) -> str:
        """A token of the consumer's own token endpoint, kept until it ends. Raises ApiError when there is none."""
        known = self._tokens.get(provider_id)
        if known and known[1] > time.monotonic():
            return known[0]
        form = {
            "grant_type": str(config.get("grant_type") or "client_credentials"),
            "client_id": str(config.get("client_id", "")),
            "client_secret": str(config.get("client_secret", "")),
        }
        reply = await self._client.post(str(config["url"]), data=form, timeout=self.world.settings.webhook_timeout)
        try:
            found = reply.json()
            token, lifetime = str(found["access_token"]), float(found.get("expires_in", 60))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ApiError(502, "keymanager", "The token endpoint gave no token") from error
        self._tokens[provider_id] = (token, time.monotonic() + max(0.0, lifetime - 5))
        return token
