"""What comes in and what goes out: faults, the log of requests, deliveries, events."""

from dataclasses import asdict
from datetime import datetime

from powens_sandbox.errors import invalid, missing
from powens_sandbox.faults import Faults
from powens_sandbox.gate import Received
from powens_sandbox.logbook import Logbook
from powens_sandbox.params import Call
from powens_sandbox.routing import Row
from powens_sandbox.switches.values import limit, only, pattern
from powens_sandbox.views.formats import Json
from powens_sandbox.webhooks.deliveries import Deliveries
from powens_sandbox.webhooks.hooks import EVENTS
from powens_sandbox.world.world import World

_SHOWN_OF_AN_ATTEMPT = (
    "id", "event_id", "event", "hook_id", "url", "user_id", "number", "at", "outcome", "status", "milliseconds",
    "headers", "body", "answer",
)  # fmt: skip


class TrafficSwitches:
    """What is played on the wire, and what was seen there."""

    def __init__(self, world: World, deliveries: Deliveries, faults: Faults, request_log: Logbook[Received]) -> None:
        self.world = world
        self.deliveries = deliveries
        self.faults = faults
        self.request_log = request_log

    def rows(self) -> list[Row]:
        return [
            ("GET", "/faults", self.faults_list),
            ("POST", "/faults", self.fault_add),
            ("DELETE", "/faults", self.faults_clear),
            ("DELETE", "/faults/{id}", self.fault_remove),
            ("GET", "/requests", self.requests),
            ("GET", "/webhooks", self.webhooks),
            ("POST", "/events", self.event_send),
            ("POST", "/webhooks/flush", self.webhooks_flush),
            ("POST", "/webhooks/{id}/redeliver", self.webhook_redeliver),
        ]

    def faults_list(self, _call: Call) -> Json:
        return {"faults": [fault.shown() for fault in self.faults.all()]}

    def fault_add(self, call: Call) -> Json:
        return self.faults.add(call.params).shown()

    def faults_clear(self, _call: Call) -> Json:
        self.faults.clear()
        return {"faults": []}

    def fault_remove(self, call: Call) -> Json:
        self.faults.remove(call.path_id("id", "fault"))
        return self.faults_list(call)

    def requests(self, call: Call) -> Json:
        """Newest first. Filters: `method`, `path` (a regular expression), `area`, `id_user`, `status`, `since_id`,
        `limit`."""
        method, area = call.params.optional_text("method"), call.params.optional_text("area")
        user, status, since = (
            call.params.integer("id_user"),
            call.params.integer("status"),
            call.params.integer("since_id") or 0,
        )
        path = pattern(call.params, "path")
        found = [
            line
            for line in self.request_log.newest()
            if line.id > since
            and method in {None, line.method}
            and area in {None, line.area}
            and user in {None, line.user_id}
            and status in {None, line.status}
            and path.search(line.path)
        ]
        return {"requests": [_logged(asdict(line)) for line in found[: limit(call.params)]], "total": len(found)}

    def webhooks(self, call: Call) -> Json:
        """Every attempt, newest first. Filters: `event`, `outcome`, `id_user`, `since_id`, `limit`."""
        event, outcome = call.params.optional_text("event"), call.params.optional_text("outcome")
        wanted = event.upper().replace("-", "_") if event else None
        user, since = call.params.integer("id_user"), call.params.integer("since_id") or 0
        found = [
            line
            for line in self.deliveries.log.newest()
            if line.id > since
            and wanted in {None, line.event}
            and outcome in {None, line.outcome}
            and user in {None, line.user_id}
        ]
        return {
            "webhooks": [
                _logged({name: getattr(line, name) for name in _SHOWN_OF_AN_ATTEMPT})
                for line in found[: limit(call.params)]
            ],
            "total": len(found),
            "waiting": self.deliveries.waiting(),
            "lost": self.deliveries.lost,
            "overflowed": self.deliveries.overflowed,
        }

    def event_send(self, call: Call) -> Json:
        """Send an event of another product, or with another body: `event`, `id_user`, `data` (its body: an object)."""
        only(call.params, "event", "id_user", "data")
        name = call.params.text("event").upper().replace("-", "_")
        if name not in EVENTS:
            raise invalid("event")
        user_id = call.params.integer("id_user")
        if user_id is None:
            raise missing("id_user")
        user = self.world.user(user_id)
        data = call.params.get("data", {"id_user": user.id})
        if not isinstance(data, dict):
            raise invalid("data", "must be an object")
        self.world.emit(name, user.id, data)
        return {"status": "queued"}

    async def webhooks_flush(self, _call: Call) -> Json:
        """One run of the flusher, now."""
        await self.deliveries.flush()
        return {"waiting": self.deliveries.waiting()}

    def webhook_redeliver(self, call: Call) -> Json:
        self.deliveries.redeliver(call.path_id("id", "delivery"))
        return {"status": "queued"}


def _logged(entry: Json) -> Json:
    at = entry["at"]
    return entry | {"at": at.isoformat() if isinstance(at, datetime) else at}
