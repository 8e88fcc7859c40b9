"""The client applications: the first one comes from the settings, the operator may add others."""

import itertools
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from powens_sandbox.errors import ApiError, invalid, not_found
from powens_sandbox.settings import Settings
from powens_sandbox.views.formats import Json

_MAX_CLIENTS = 100


@dataclass
class Client:
    """`redirect_uris` is where the Webview may send people back to, when it was opened for this client."""

    id: str
    secret: str
    name: str
    redirect_uris: tuple[str, ...]
    primary_color: str | None = None
    config: dict[str, object] = field(default_factory=dict)

    def shown(self, *, with_secret: bool) -> Json:
        """The secret is for the operator's eyes only."""
        public: Json = {
            "id": int(self.id),
            "name": self.name,
            "public_key": None,
            "redirect_uris": list(self.redirect_uris),
            "id_logo": None,
            "primary_color": self.primary_color,
            "config": self.config,
        }
        return public | ({"secret": self.secret, "private_key": None} if with_secret else {})


class Clients:
    def __init__(self, settings: Settings) -> None:
        self._ids = itertools.count(int(settings.client_id) + 1)
        self._settings = settings
        self._clients: dict[str, Client] = {}
        self.reset(settings)

    def configure(self, settings: Settings) -> None:
        """The first client follows a setting that changed; what was changed through its own door stays otherwise."""
        first = self._clients[settings.client_id]
        if settings.app_name != self._settings.app_name:
            first.name = settings.app_name
        if settings.redirect_uris != self._settings.redirect_uris:
            first.redirect_uris = settings.redirect_uris
        self._settings = settings

    def reset(self, settings: Settings) -> None:
        self._settings = settings
        first = Client(settings.client_id, settings.client_secret, settings.app_name, settings.redirect_uris)
        self._clients = {settings.client_id: first}

    def all(self) -> list[Client]:
        return list(self._clients.values())

    def find(self, client_id: str | None) -> Client | None:
        return self._clients.get(client_id or "")

    def get(self, client_id: str) -> Client:
        client = self.find(client_id)
        if client is None:
            raise not_found("client")
        return client

    def create(self, params: Mapping[str, object]) -> Client:
        if len(self._clients) >= _MAX_CLIENTS:
            raise ApiError(409, "conflict", "There are too many clients")
        client = Client(str(next(self._ids)), secrets.token_urlsafe(24), "Application", ())
        self.update(client, params)
        self._clients[client.id] = client
        return client

    def update(self, client: Client, params: Mapping[str, object]) -> None:
        """`name`, `redirect_uris` (a list, or text with commas), `primary_color`, `config`. Raises ApiError 400."""
        name = params.get("name", client.name)
        color = params.get("primary_color", client.primary_color)
        config = params.get("config", client.config)
        uris = params.get("redirect_uris", client.redirect_uris)
        if isinstance(uris, str):
            uris = [uri.strip() for uri in uris.split(",") if uri.strip()]
        if not isinstance(name, str) or not name:
            raise invalid("name")
        if not (color is None or isinstance(color, str)):
            raise invalid("primary_color")
        if not isinstance(config, dict):
            raise invalid("config", "must be an object")
        if not isinstance(uris, list | tuple) or not all(isinstance(uri, str) and uri for uri in uris):
            raise invalid("redirect_uris", "must be a list of addresses")
        client.name, client.primary_color = name[:100], color[:20] if color else None
        client.config = {str(key)[:100]: value for key, value in list(config.items())[:100]}
        client.redirect_uris = tuple(uris[:100])

    def delete(self, client: Client) -> None:
        """Raises ApiError 409 for the first one, which the settings bring back anyway."""
        if client is self.all()[0]:
            raise ApiError(409, "conflict", "The first client application stays")
        del self._clients[client.id]
