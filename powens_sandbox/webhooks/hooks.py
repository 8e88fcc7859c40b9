"""Which webhooks are registered, and how each proves that it comes from here."""

import itertools
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from powens_sandbox.errors import ApiError, invalid, missing, not_found
from powens_sandbox.params import Params
from powens_sandbox.settings import Settings
from powens_sandbox.views.formats import Json
from powens_sandbox.views.views import Views
from powens_sandbox.world.clock import Clock

EVENTS = (
    "USER_CREATED", "USER_DELETED", "USER_SYNCED", "CONNECTION_SYNCED", "CONNECTION_DELETED", "ACCOUNTS_FETCHED",
    "ACCOUNT_SYNCED", "ACCOUNT_CATEGORIZED", "ACCOUNT_FOUND", "ACCOUNT_ENABLED", "ACCOUNT_DISABLED",
    "ACCOUNT_OWNERSHIPS_FOUND", "TRANSACTION_ATTACHMENTS_FOUND", "SUBSCRIPTION_FOUND", "SUBSCRIPTION_SYNCED",
    "PAYMENT_STATE_UPDATED", "TRANSACTIONS_CLUSTERED", "CONNECTION_CERTIFICATE_AVAILABLE",
)  # fmt: skip
# Events that do not belong to a user cannot be authenticated by a user's token; all of these do.
PROVIDER_TYPES = ("hmac_signature", "oauth")
_MAX_HOOKS = 500


def kebab(event: str) -> str:
    return event.lower().replace("_", "-")


@dataclass
class Provider:
    id: int
    type: str
    name: str
    config: dict[str, object]

    def shown(self) -> Json:
        """Without the secret, which is shown once."""
        return {"id": self.id, "type": self.type, "name": self.name}


@dataclass
class Hook:
    """`auth_id` None: the user's token. A hook without URL is registered and silent."""

    id: int
    event: str
    url: str | None
    auth_id: int | None
    created: datetime
    updated: datetime
    user_id: int | None = None
    service_id: int | None = None
    token: bool = True
    params: object = None
    health: dict[str, int] = field(default_factory=lambda: {"sent": 0, "accepted": 0, "failed": 0})


class Hooks:
    def __init__(self, settings: Settings, views: Views, clock: Clock) -> None:
        self._settings = settings
        self._views = views
        self._clock = clock
        self._ids = itertools.count(301)
        self._provider_ids = itertools.count(2356)
        self.providers: dict[int, Provider] = {}
        self._hooks: dict[int, Hook] = {}
        self.register_first()

    def register_first(self) -> None:
        """The webhooks that the settings ask for, and nothing else."""
        self._hooks.clear()
        self.providers.clear()
        settings = self._settings
        if not settings.webhook_base_url:
            return
        auth_id = None
        if settings.webhook_auth == "hmac_signature":
            auth_id = self._add_provider("hmac_signature", "sandbox", {"secret_key": settings.webhook_secret}).id
        elif settings.webhook_auth == "oauth":
            config: dict[str, object] = {
                "url": settings.webhook_oauth_url, "client_id": settings.client_id,
                "client_secret": settings.webhook_secret, "grant_type": "client_credentials",
            }  # fmt: skip
            auth_id = self._add_provider("oauth", "sandbox", config).id
        for event in EVENTS if "all" in settings.webhook_events else settings.webhook_events:
            if event not in EVENTS:
                raise ApiError(400, "invalidValue", f"There is no event {event}")
            hook = self._add(event, f"{settings.webhook_base_url.rstrip('/')}/{kebab(event)}", auth_id)
            hook.token = settings.webhook_auth != "none"

    def _add(self, event: str, url: str | None, auth_id: int | None) -> Hook:
        if len(self._hooks) >= _MAX_HOOKS:
            raise ApiError(409, "conflict", "There are too many webhooks")
        now = self._clock.now()
        hook = Hook(next(self._ids), event, url, auth_id, now, now)
        self._hooks[hook.id] = hook
        return hook

    def _add_provider(self, kind: str, name: str, config: dict[str, object]) -> Provider:
        provider = Provider(next(self._provider_ids), kind, name, config)
        self.providers[provider.id] = provider
        return provider

    def all(self) -> list[Hook]:
        return list(self._hooks.values())

    def of_event(self, event: str) -> list[Hook]:
        return [hook for hook in self._hooks.values() if hook.event == event and hook.url]

    def get(self, hook_id: int) -> Hook:
        hook = self._hooks.get(hook_id)
        if hook is None:
            raise not_found("webhook")
        return hook

    def event_names(self) -> list[Json]:
        return [{"id": position, "name": name} for position, name in enumerate(EVENTS, 1)]

    def view(self, hook: Hook) -> Json:
        return {
            "id": hook.id,
            "id_event": EVENTS.index(hook.event) + 1,
            "event": hook.event,
            "id_auth": hook.auth_id,
            "id_service": hook.service_id,
            "id_user": hook.user_id,
            "url": hook.url,
            "params": hook.params,
            "add_to_data": [],
            "created": self._views.moment(hook.created),
            "updated": self._views.moment(hook.updated),
            "deleted": None,
            "health_data": dict(hook.health),
            "warning": hook.health["failed"] > 0,
        }

    def create(self, params: Params) -> Json:
        event = params.text("event").upper().replace("-", "_")
        if event not in EVENTS:
            raise invalid("event")
        hook = self._add(event, None, None)
        try:
            self._apply(hook, params)
        except ApiError:
            del self._hooks[hook.id]
            raise
        return self.view(hook)

    def update(self, hook_id: int, params: Params) -> Json:
        hook = self.get(hook_id)
        self._apply(hook, params)
        hook.updated = self._clock.now()
        return self.view(hook)

    def _apply(self, hook: Hook, params: Params) -> None:
        url = params.optional_text("url")
        if url is not None and not _is_web_address(url):
            raise invalid("url", "must be an absolute web address")
        auth_id = params.integer("id_auth")
        if auth_id is not None and auth_id not in self.providers:
            raise invalid("id_auth")
        event = (params.optional_text("event") or hook.event).upper().replace("-", "_")
        if event not in EVENTS:
            raise invalid("event")
        user_id, service_id = params.integer("id_user"), params.integer("id_service")
        hook.event = event
        if url is not None:
            hook.url = url
        if "id_auth" in params:
            hook.auth_id, hook.token = auth_id, True
        if "id_user" in params:
            hook.user_id = user_id
        if "id_service" in params:
            hook.service_id = service_id
        if "params" in params:
            hook.params = params["params"] if len(str(params["params"])) < 2000 else None

    def delete(self, hook_id: int) -> Json:
        hook = self.get(hook_id)
        del self._hooks[hook_id]
        return self.view(hook) | {"deleted": self._views.moment(self._clock.now())}

    def create_provider(self, params: Params) -> Json:
        kind, name = params.text("type"), params.text("name")
        if kind not in PROVIDER_TYPES:
            raise invalid("type", f"must be one of {', '.join(PROVIDER_TYPES)}")
        if not re.fullmatch(r"[A-Za-z0-9]{1,32}", name):
            # Seen with a longer name that had dashes; a client that hits it should see the same here.
            raise ApiError(500, "dataError", "The name cannot be stored")
        if any(provider.name == name for provider in self.providers.values()):
            raise ApiError(409, "conflict", "There is a provider of this name")
        if len(self.providers) >= _MAX_HOOKS:
            raise ApiError(409, "conflict", "There are too many providers")
        config: dict[str, object] = {}
        if kind == "hmac_signature":
            config["secret_key"] = secrets.token_urlsafe(32)
        else:
            given = params.get("config")
            if not isinstance(given, dict):
                raise missing("config")
            names = ("url", "client_id", "client_secret", "grant_type", "public_cert", "private_cert")
            config = {key: str(given[key])[:20_000] for key in names if given.get(key) is not None}
            if not _is_web_address(str(config.get("url", ""))):
                raise invalid("config", "needs the url of a token endpoint")
        provider = self._add_provider(kind, name, config)
        return provider.shown() | {"config": config if kind == "hmac_signature" else {"url": config["url"]}}

    def delete_provider(self, provider_id: int) -> Json:
        provider = self.providers.pop(provider_id, None)
        if provider is None:
            raise not_found("provider")
        for hook in self._hooks.values():
            if hook.auth_id == provider_id:
                hook.auth_id = None
        return provider.shown()


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False
