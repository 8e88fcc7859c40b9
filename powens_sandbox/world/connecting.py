"""How a connection comes to be: sources, credentials, the bank's challenges; how it is repaired, and how it ends."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from powens_sandbox.banks.catalogue import OPENAPI, TEST_OUTCOMES, TEST_PASSWORD, Connector
from powens_sandbox.errors import ApiError, invalid, missing
from powens_sandbox.world.discovery import Discovery
from powens_sandbox.world.model import USER_MUST_ACT, Account, Connection, Source, User
from powens_sandbox.world.state import State
from powens_sandbox.world.synchronisation import Synchronisation

_REFUSED = "wrong"
# What the bank says in these states, in its own words.
_BANK_MESSAGES: Mapping[str, str] = {
    "actionNeeded": "Merci d'accepter les nouvelles conditions générales sur le site de votre banque.",
    "passwordExpired": "Votre mot de passe a expiré. Merci de le renouveler sur le site de votre banque.",
}


class Connecting:
    """Methods raise ApiError for what cannot be."""

    def __init__(self, state: State, discovery: Discovery, syncs: Synchronisation) -> None:
        self.state = state
        self.discovery = discovery
        self.syncs = syncs

    def connect(self, user: User, connector: Connector, sources: Sequence[str], persona: str = "") -> Connection:
        """A new connection with the accounts that those sources show, all of them disabled."""
        if connector.restricted:
            raise ApiError(403, "forbidden", "No new connection can be added to this connector")
        now = self.state.clock.now()
        connection = Connection(self.state.next_id("connection"), user.id, connector, persona, now)
        connection.next_try = now + timedelta(hours=self.state.settings.background_sync_hours)
        self.state.connections[connection.id] = connection
        for name in sources:
            self.add_source(connection, name)
        return connection

    def add_source(self, connection: Connection, name: str) -> None:
        """Open one more way into the bank, whose accounts are there at once."""
        self.discovery.look(connection, self.open_source(connection, name))

    def open_source(self, connection: Connection, name: str) -> Source:
        """One more way into the bank, which shows nothing before somebody authenticates. Raises ApiError 400."""
        connector_source = connection.connector.source(name)
        if connector_source is None:
            raise invalid("source", "is not a source of this connector")
        if (there := connection.source(name)) is not None:
            return there
        if connector_source.disabled is not None:
            raise invalid("source", "is disabled for now")
        now = self.state.clock.now()
        source = Source(self.state.next_id("source"), connector_source.id, name, now)
        if name == OPENAPI:
            source.access_expire = now + timedelta(days=self.state.settings.consent_days)
        connection.sources.append(source)
        return source

    def authenticate(self, connection: Connection, source_name: str, values: Mapping[str, str]) -> None:
        """Check what the user gave for a source and set its state.

        The test connector takes any login with its one password, and plays the outcome that its list field names. Other
        connectors take everything but the password `wrong`.
        """
        source = connection.source(source_name)
        if source is None:
            raise invalid("source")
        source.state = None
        connection.state = connection.error_message = None
        connection.outage = self.state.institutions.outages.get(connection.connector.uuid)
        password = values.get("password", "")
        outcome = values.get(f"{source_name}website", "") if connection.connector.is_test else ""
        if outcome and outcome not in TEST_OUTCOMES:
            raise invalid(f"{source_name}website")
        if (connection.connector.is_test and password != TEST_PASSWORD) or password == _REFUSED:
            outcome = "wrongpass"
        match outcome:
            case "" | "par" | "pro" if connection.outage:
                source.awaited = True
                return
            case "" | "par" | "pro":
                self.discovery.look(connection, source)
                return
            case "SCARequiredAndOTP":
                source.state = "additionalInformationNeeded"
            case "SCARequiredAndDecoupled" | "shortDecoupled":
                source.state = "decoupled"
            case state:
                source.state = state
                connection.error_message = _BANK_MESSAGES.get(state)

    def approve(self, connection: Connection, source: Source) -> None:
        """The user agreed on the bank's own page."""
        self._renewed(source)
        self.discovery.look(connection, source)
        if connection.state in USER_MUST_ACT:
            connection.state = connection.error_message = None

    def answer_challenge(self, connection: Connection, values: Mapping[str, str]) -> None:
        """The second step of an authentication: a one-time code, or the approval in the bank's app."""
        for source in connection.sources:
            match source.state:
                case "additionalInformationNeeded":
                    code = values.get("otp", "")
                    if not code:
                        raise missing("otp")
                    if not code.isdigit() or code == "0000":
                        raise ApiError(400, "wrongpass", "The one-time code is wrong", message="Code incorrect")
                case "decoupled" | "validating" | "SCARequired" | "webauthRequired":
                    pass
                case _:
                    continue
            self.approve(connection, source)

    def reauthenticate(self, connection: Connection) -> None:
        """The user authenticated again at every source: no state is left and the consent runs anew."""
        connection.state = connection.error_message = None
        for source in connection.sources:
            self._renewed(source)
            self.discovery.look(connection, source)

    def _renewed(self, source: Source) -> None:
        source.state = None
        if source.access_expire is not None:
            source.access_expire = self.state.clock.now() + timedelta(days=self.state.settings.consent_days)

    def repair(self, connection: Connection) -> list[Account]:
        """What was seen after a broken connection was mended: its accounts are deleted and come back under other ids,
        disabled. Returns the new ones."""
        now = self.state.clock.now()
        old = [account for account in connection.accounts if account.deleted is None]
        for account in old:
            account.deleted = now
            account.disabled = account.disabled or now
        self.reauthenticate(connection)
        found = self.discovery.discover(connection, [(account.spec, account.source_id) for account in old])
        for before, after in zip(old, found, strict=True):
            for name in ("balance", "coming", "name", "number", "iban", "type", "currency"):
                setattr(after, name, getattr(before, name))
        self.syncs.schedule(connection)
        return found

    def delete(self, connection: Connection) -> None:
        if self.state.settings.connection_deleted_events == "accounts_and_connection":
            for account in connection.enabled_accounts:
                account.disabled = self.state.clock.now()
                self.state.emit("ACCOUNT_DISABLED", connection.user_id, self.state.views.account(account, connection))
        shown = self.state.views.connection(connection)
        self.state.forget(connection)
        self.state.emit("CONNECTION_DELETED", connection.user_id, shown)
