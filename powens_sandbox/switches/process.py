"""The sandbox itself: settings, time, and how everything is forgotten."""

from datetime import timedelta

from powens_sandbox.errors import invalid
from powens_sandbox.faults import Faults
from powens_sandbox.gate import Received
from powens_sandbox.logbook import Logbook
from powens_sandbox.params import Call
from powens_sandbox.routing import Row
from powens_sandbox.switches.values import moment
from powens_sandbox.views.formats import Json
from powens_sandbox.webhooks.deliveries import Deliveries
from powens_sandbox.webview.entry import Webview
from powens_sandbox.world.world import World


class ProcessSwitches:
    """What holds for the whole process."""

    def __init__(
        self, world: World, deliveries: Deliveries, faults: Faults, webview: Webview, request_log: Logbook[Received]
    ) -> None:
        self.world = world
        self.deliveries = deliveries
        self.faults = faults
        self.webview = webview
        self.request_log = request_log
        self.first_settings = world.settings

    def rows(self) -> list[Row]:
        return [
            ("GET", "/health", lambda _call: {"status": "ok"}),
            ("GET", "/settings", self.settings_read),
            ("PATCH", "/settings", self.settings_change),
            ("GET", "/clock", self.clock_read),
            ("POST", "/clock", self.clock_move),
            ("POST", "/reset", self.reset),
        ]

    def settings_read(self, _call: Call) -> Json:
        described = self.world.settings.described()
        return {"settings": {str(item["name"]): item["value"] for item in described}, "described": described}

    def settings_change(self, call: Call) -> Json:
        self.world.configure(self.world.settings.changed(call.params))
        return self.settings_read(call)

    def clock_read(self, _call: Call) -> Json:
        return {
            "now": self.world.clock.now().isoformat().replace("+00:00", "Z"),
            "offset_seconds": self.world.clock.offset.total_seconds(),
        }

    def clock_move(self, call: Call) -> Json:
        """`now` (RFC 3339), or `seconds` / `days` to add, or `reset`."""
        if call.params.boolean("reset"):
            self.world.clock.reset()
        elif (to := call.params.optional_text("now")) is not None:
            self.world.clock.set(moment(to, "now"))
        else:
            seconds, days = (str(call.params.get(name) or 0) for name in ("seconds", "days"))
            try:
                self.world.clock.move(timedelta(seconds=float(seconds), days=float(days)))
            except (ValueError, OverflowError) as error:
                raise invalid("seconds") from error
        self.world.syncs.run_due()
        self.world.pass_time()
        return self.clock_read(call)

    def reset(self, _call: Call) -> Json:
        """Users, faults, logs, time and settings as at the start."""
        self.world.clock.reset()
        self.world.configure(self.first_settings)
        self.world.reset()
        self.faults.clear()
        self.deliveries.reset()
        self.webview.sessions.clear()
        self.request_log.clear()
        return {"status": "ok"}
