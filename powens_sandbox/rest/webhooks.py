"""`/webhooks`: which events go where, and how they are authenticated."""

from starlette.responses import Response

from powens_sandbox.params import Call
from powens_sandbox.rest.callers import Callers
from powens_sandbox.rest.lists import page
from powens_sandbox.routing import Row, answer
from powens_sandbox.webhooks.deliveries import Deliveries
from powens_sandbox.world.world import World


class Webhooks:
    """For the operator alone."""

    def __init__(self, world: World, callers: Callers, deliveries: Deliveries) -> None:
        self.world = world
        self.callers = callers
        self.deliveries = deliveries
        self.hooks = deliveries.hooks

    def rows(self) -> list[Row]:
        return [
            ("GET", "/webhooks", self.webhooks_list),
            ("POST", "/webhooks", self.webhook_create),
            ("DELETE", "/webhooks", self.webhooks_delete),
            *self.provider_rows(),
            ("GET", "/webhooks/{id}", self.webhook_read),
            ("POST PUT", "/webhooks/{id}", self.webhook_update),
            ("DELETE", "/webhooks/{id}", self.webhook_delete),
            ("GET", "/webhooks/{id}/logs", self.webhook_logs),
            ("GET", "/webhooks_events", self.webhook_events),
            ("POST", "/test/webhooks", self.webhook_test),
        ]

    def provider_rows(self) -> list[Row]:
        """The ways to authenticate, whose path looks like a webhook's and has to come before it."""
        return [
            ("GET", "/webhooks/auth", self.providers_list),
            ("POST", "/webhooks/auth", self.provider_create),
            ("DELETE", "/webhooks/auth/{id}", self.provider_delete),
        ]

    def webhooks_list(self, call: Call) -> Response:
        self.callers.check_config(call)
        return page(call, self.world.settings, "webhooks", self.hooks.all(), self.hooks.view)

    def webhook_create(self, call: Call) -> Response:
        self.callers.check_config(call)
        return answer(self.hooks.create(call.params))

    def webhook_read(self, call: Call) -> Response:
        self.callers.check_config(call)
        return answer(self.hooks.view(self.hooks.get(call.path_id("id", "webhook"))))

    def webhook_update(self, call: Call) -> Response:
        self.callers.check_config(call)
        return answer(self.hooks.update(call.path_id("id", "webhook"), call.params))

    def webhook_delete(self, call: Call) -> Response:
        self.callers.check_config(call)
        return answer(self.hooks.delete(call.path_id("id", "webhook")))

    def webhooks_delete(self, call: Call) -> Response:
        self.callers.check_config(call)
        return answer({"webhooks": [self.hooks.delete(hook.id) for hook in self.hooks.all()]})

    def webhook_logs(self, call: Call) -> Response:
        self.callers.check_config(call)
        hook = self.hooks.get(call.path_id("id", "webhook"))
        return page(call, self.world.settings, "webhooklogs", self.deliveries.attempts_of(hook), lambda item: item)

    def webhook_events(self, call: Call) -> Response:
        self.callers.check_config(call)
        return answer({"webhooks_events": self.hooks.event_names(), "total": len(self.hooks.event_names())})

    def webhook_test(self, call: Call) -> Response:
        self.callers.check_config(call)
        hook = self.hooks.get(call.params.integer("id_webhook") or call.params.integer("id") or 0)
        self.deliveries.send_test(hook)
        return answer({"id_webhook": hook.id})

    def providers_list(self, call: Call) -> Response:
        self.callers.check_config(call)
        providers = [provider.shown() for provider in self.hooks.providers.values()]
        return answer({"authproviders": providers, "total": len(providers)})

    def provider_create(self, call: Call) -> Response:
        self.callers.check_config(call)
        return answer(self.hooks.create_provider(call.params))

    def provider_delete(self, call: Call) -> Response:
        self.callers.check_config(call)
        return answer(self.hooks.delete_provider(call.path_id("id", "provider")))
