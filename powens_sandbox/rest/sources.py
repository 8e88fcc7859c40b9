"""The ways into the bank that a connection has, and the log of what became of them."""

from collections.abc import Sequence

from starlette.responses import Response

from powens_sandbox.errors import not_found
from powens_sandbox.params import Call
from powens_sandbox.rest.callers import Callers
from powens_sandbox.rest.lists import page, period
from powens_sandbox.routing import Row, answer
from powens_sandbox.world.model import Connection, Source
from powens_sandbox.world.world import World


class Sources:
    """Disabled sources are shown with `?all` only."""

    def __init__(self, world: World, callers: Callers) -> None:
        self.world = world
        self.callers = callers

    def rows(self) -> list[Row]:
        one = "/users/{u}/connections/{c}"
        return [
            ("GET", f"{one}/sources", self.sources_list),
            ("GET", f"{one}/sources/{{s}}", self.source_read),
            ("POST PUT", f"{one}/sources/{{s}}", self.source_update),
            ("GET", f"{one}/logs", self.logs_list),
            ("GET", "/users/{u}/logs", self.logs_list),
        ]

    def _shown(self, call: Call, connection: Connection) -> list[Source]:
        return [source for source in connection.sources if call.params.flag("all") or source.disabled is None]

    def sources_list(self, call: Call) -> Response:
        connection = self.callers.connection(call)
        shown = self._shown(call, connection)
        return page(call, self.world.settings, "sources", shown, lambda item: self.world.views.source(connection, item))

    def _source(self, call: Call, among: Sequence[Source]) -> Source:
        wanted = call.path_id("s", "source")
        source = next((source for source in among if source.id == wanted), None)
        if source is None:
            raise not_found("source")
        return source

    def source_read(self, call: Call) -> Response:
        connection = self.callers.connection(call)
        source = self._source(call, self._shown(call, connection))
        return answer(self.world.views.source(connection, source))

    def source_update(self, call: Call) -> Response:
        connection = self.callers.connection(call)
        source = self._source(call, connection.sources)
        if "disabled" in call.params:
            source.disabled = self.world.clock.now() if call.params.boolean("disabled") else None
        return answer(self.world.views.source(connection, source))

    def logs_list(self, call: Call) -> Response:
        user = self.callers.user(call)
        chosen = [self.callers.connection(call)] if "c" in call.request.path_params else self.world.connections_of(user)
        since, until = period(call)
        wanted = call.params.integer("id_source")
        lines = sorted(
            (
                (line.at, line.id, line, connection)
                for connection in chosen
                for line in connection.log
                if since <= line.at < until and wanted in {None, line.source_id}
            ),
            key=lambda entry: entry[:2],
            reverse=True,
        )
        return page(
            call,
            self.world.settings,
            "connectionlogs",
            lines,
            lambda entry: self.world.views.log_line(entry[3], entry[2]),
        )
