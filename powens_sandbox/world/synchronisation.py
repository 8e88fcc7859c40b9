"""Synchronisations: when they are due, what they notice, and the events they cause."""

import heapq
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from powens_sandbox.errors import ApiError, not_found
from powens_sandbox.views.formats import Json
from powens_sandbox.world.discovery import Discovery
from powens_sandbox.world.model import USER_MUST_ACT, Account, Connection, LogLine, User
from powens_sandbox.world.state import State

_CONNECTION_EXPANDS = frozenset({"connector", "sources", "accounts", "subscriptions"})
_LOG_LINES = 200


class Synchronisation:
    """Does not wait: what has to happen later is a job with a time, and `run_due` does those whose time has come."""

    def __init__(self, state: State, discovery: Discovery) -> None:
        self.state = state
        self.discovery = discovery
        # When, which job, which connection.
        self._jobs: list[tuple[datetime, int, int]] = []

    def clear(self) -> None:
        self._jobs.clear()

    def schedule(self, connection: Connection, delay: float | None = None) -> None:
        due = self.state.clock.now() + timedelta(seconds=self.state.settings.sync_delay if delay is None else delay)
        job = self.state.next_id("job")
        # A later choice replaces the synchronisation that was waiting: one follows the last choice.
        connection.sync_job = job
        heapq.heappush(self._jobs, (due, job, connection.id))

    def next_due(self) -> datetime | None:
        return self._jobs[0][0] if self._jobs else None

    def run_due(self) -> None:
        """Do everything whose time has come."""
        while self.run_next():
            pass

    def run_next(self) -> bool:
        """Do one thing whose time has come, if there is any: several of them would keep requests waiting."""
        if not self._jobs or self._jobs[0][0] > self.state.clock.now():
            return False
        _, job, connection_id = heapq.heappop(self._jobs)
        connection = self.state.connections.get(connection_id)
        if connection is not None and connection.sync_job == job:
            self.sync(connection)
        return True

    def sync(self, connection: Connection) -> None:
        """One synchronisation, at once, with its events."""
        connection.sync_job = None
        connection.forced = False
        now = self.state.clock.now()
        for source in connection.sources:
            if source.access_expire and source.access_expire <= now and source.state is None:
                source.state = "SCARequired"
        self._follow_institution(connection, now)
        state = connection.shown_state
        connection.next_try = self._next_try(connection, state, now)
        connection.last_push = now
        self._log(connection, now)
        self._tell(connection, self._refresh(connection, now))
        late, connection.late_choices = connection.late_choices, []
        tell_choices(self.state, connection, late)

    def _refresh(self, connection: Connection, now: datetime) -> list[Account]:
        """Brings the accounts of the sources that work up to date, and returns them."""
        working = {source.id for source in connection.sources if source.state is None and not source.disabled}
        if connection.outage is not None or connection.state is not None or not working:
            return []
        fresh = [account for account in connection.enabled_accounts if account.source_id in working]
        for source in connection.sources:
            if source.id in working:
                source.last_update = now
        if connection.shown_state is None:
            connection.last_update = now
        for account in fresh:
            account.last_update = now
        return fresh

    def _tell(self, connection: Connection, fresh: Sequence[Account]) -> None:
        """The events of a synchronisation that brought these accounts up to date."""
        views = self.state.views
        user = self.state.users[connection.user_id]
        news = [account for account in fresh if not account.told]
        if fresh:
            self.state.emit("ACCOUNTS_FETCHED", user.id, self._sync_body(user, connection, ()))
        for account in fresh:
            self.state.emit("ACCOUNT_SYNCED", user.id, views.account(account, connection, transactions=account in news))
        if news:
            ownerships = [views.ownership(account, connection) for account in fresh]
            self.state.emit("ACCOUNT_OWNERSHIPS_FOUND", user.id, {"account_ownerships": ownerships})
            lines = [line for account in news for line in views.transactions(account)[:50]]
            self.state.emit("ACCOUNT_CATEGORIZED", user.id, {"transactions": lines})
        body = self._sync_body(user, connection, news)
        self.state.emit("CONNECTION_SYNCED", user.id, body | {"subscriptions": []})
        self.state.emit("USER_SYNCED", user.id, {"user": body["user"], "connections": [body["connection"]]})
        for account in news:
            account.told = True

    def _next_try(self, connection: Connection, state: str | None, now: datetime) -> datetime | None:
        """None when only the user can help. Wrong credentials are tried again all the same, unless configured not to:
        after twelve hours, then once a week."""
        if state == "wrongpass" and str(self.state.config.get("autosync.retry_wrongpass", "1")) in {"1", "True"}:
            connection.wrong_tries += 1
            return now + (timedelta(hours=12) if connection.wrong_tries == 1 else timedelta(days=7))
        connection.wrong_tries = 0
        return None if state in USER_MUST_ACT else now + timedelta(hours=self.state.settings.background_sync_hours)

    def _follow_institution(self, connection: Connection, now: datetime) -> None:
        """What a synchronisation notices of the institution: that it is out, that a way in is closed or open again,
        that it shares a type of account from now on or no longer."""
        connection.outage = self.state.institutions.outages.get(connection.connector.uuid)
        for source in connection.sources:
            connector_source = connection.connector.source(source.name)
            if connector_source is None:
                continue
            if (connector_source.disabled is not None) is not source.closed:
                source.closed = connector_source.disabled is not None
                source.state = "notSupported" if source.closed else None
            if connection.outage or connection.state or source.state or source.disabled is not None:
                continue
            if source.awaited:
                source.awaited = False
                self.discovery.look(connection, source)
            elif source.discovered:
                self.discovery.look_again(connection, source, now)

    def _sync_body(self, user: User, connection: Connection, news: Sequence[Account]) -> Json:
        return {
            "user": self.state.views.user(user),
            "connection": self.state.views.connection(connection, _CONNECTION_EXPANDS, told=news),
        }

    def force(self, connection: Connection, *, psu_requested: bool) -> None:
        """Begin a synchronisation, which `end_forced` ends. Raises ApiError 409 when Powens would rather not."""
        now = self.state.clock.now()
        recent = connection.last_update and now - connection.last_update < timedelta(
            seconds=self.state.settings.forced_sync_interval
        )
        refused = {"refused": True, "recent": bool(recent), "accepted": False}[self.state.settings.forced_sync]
        if refused or connection.forced:
            raise ApiError(409, "conflict", f"Can't force synchronization of connection {connection.id}")
        if connection.locked:
            raise ApiError(self.state.settings.locked_status, "connectionLocked", "The connection is locked for now")
        if psu_requested and self.state.settings.psu_sync_needs_sca:
            connection.state = "SCARequired"
        connection.forced = True

    def end_forced(self, connection: Connection) -> None:
        """Raises ApiError 404 when the connection went away meanwhile."""
        if self.state.connections.get(connection.id) is not connection:
            raise not_found("connection")
        if connection.forced:
            self.sync(connection)

    def _log(self, connection: Connection, now: datetime) -> None:
        for source in connection.sources:
            state = connection.outage or connection.state or source.state
            connection.log.append(LogLine(self.state.next_id("log"), now, source.id, state, connection.error_message))
        del connection.log[:-_LOG_LINES]

    def run_regular(self) -> None:
        """Those that nobody asked for: every connection is synchronised once in a while."""
        now = self.state.clock.now()
        for connection in list(self.state.connections.values()):
            if connection.active and connection.next_try and connection.next_try <= now:
                self.sync(connection)


def tell_choices(state: State, connection: Connection, accounts: Iterable[Account]) -> None:
    """An event for each account that was enabled or disabled."""
    for account in accounts:
        name = "ACCOUNT_ENABLED" if account.disabled is None else "ACCOUNT_DISABLED"
        state.emit(name, connection.user_id, state.views.account(account, connection))
