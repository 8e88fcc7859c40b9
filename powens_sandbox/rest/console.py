"""`/clients` and `/config`: what the operator of a Powens domain sets in its console."""

from starlette.responses import Response

from powens_sandbox.errors import invalid
from powens_sandbox.params import Call
from powens_sandbox.rest.callers import Callers, is_secret
from powens_sandbox.rest.lists import page
from powens_sandbox.routing import Row, answer, no_content
from powens_sandbox.views.formats import Json
from powens_sandbox.world.world import World


class Console:
    """Client applications and the configuration of the domain."""

    def __init__(self, world: World, callers: Callers) -> None:
        self.world = world
        self.callers = callers

    def rows(self) -> list[Row]:
        return [
            ("GET", "/clients", self.clients_list),
            ("POST", "/clients", self.client_create),
            ("GET", "/clients/{id}", self.client_read),
            ("PUT POST", "/clients/{id}", self.client_update),
            ("DELETE", "/clients/{id}", self.client_delete),
            ("GET", "/config", self.config_read),
            ("POST PUT", "/config", self.config_update),
        ]

    def _sees_secret(self, call: Call) -> bool:
        token = self.callers.bearer(call)
        if is_secret(token, self.world.settings.config_token, self.world.settings.manage_token):
            return True
        self.callers.user_token(call)
        return False

    def clients_list(self, call: Call) -> Response:
        with_secret = self._sees_secret(call)
        return page(
            call,
            self.world.settings,
            "clients",
            self.world.clients.all(),
            lambda item: item.shown(with_secret=with_secret),
        )

    def client_read(self, call: Call) -> Response:
        with_secret = self._sees_secret(call)
        return answer(self.world.clients.get(call.path("id")).shown(with_secret=with_secret))

    def client_create(self, call: Call) -> Response:
        self.callers.check_config(call)
        return answer(self.world.clients.create(call.params).shown(with_secret=True), 201)

    def client_update(self, call: Call) -> Response:
        self.callers.check_config(call)
        client = self.world.clients.get(call.path("id"))
        self.world.clients.update(client, call.params)
        return answer(client.shown(with_secret=True))

    def client_delete(self, call: Call) -> Response:
        self.callers.check_config(call)
        self.world.clients.delete(self.world.clients.get(call.path("id")))
        return no_content()

    def config_read(self, call: Call) -> Response:
        self.callers.check_config(call)
        return answer(self._config_view())

    def _config_view(self) -> Json:
        return {
            **self.world.config,
            "webhooks.compression.enabled": "1" if self.world.settings.webhook_gzip else "0",
            "autosync.frequency": str(self.world.settings.background_sync_hours),
            "autosync.retry_wrongpass": self.world.config.get("autosync.retry_wrongpass", "1"),
        }

    def config_update(self, call: Call) -> Response:
        self.callers.check_config(call)
        if len(self.world.config) + len(call.params) > 200:
            raise invalid("config", "has too many keys")
        # The documentation spells this key in two ways.
        for key in ("webhooks.compression.enabled", "webhooks.compressions.enabled"):
            if key in call.params:
                self.world.configure(self.world.settings.changed({"webhook_gzip": call.params.boolean(key)}))
        self.world.config |= {
            key: value for key, value in call.params.items() if isinstance(value, str | int | bool | None)
        }
        return answer(self._config_view())
