"""What is changed of accounts that are there, before all whether they are synchronised."""

from collections.abc import Iterable, Mapping, Sequence

from powens_sandbox.errors import ApiError
from powens_sandbox.world.discovery import transaction_ids
from powens_sandbox.world.model import Account, Connection
from powens_sandbox.world.state import State
from powens_sandbox.world.synchronisation import Synchronisation, tell_choices


class Choices:
    """A choice is told at once or by the synchronisation that follows it, as the settings say."""

    def __init__(self, state: State, syncs: Synchronisation) -> None:
        self.state = state
        self.syncs = syncs

    def update(self, connection: Connection, accounts: Sequence[Account], changes: Mapping[str, object]) -> None:
        """Apply an update of the API: `display`, `name`, `disabled` (bool), `bookmarked`, `usage`.

        Raises ApiError when the connection is locked.
        """
        if connection.locked or (self.state.settings.locked_during_sync and connection.sync_job is not None):
            raise ApiError(self.state.settings.locked_status, "connectionLocked", "The connection is locked for now")
        for account in accounts:
            if "name" in changes:
                account.name = str(changes["name"])
            if "display" in changes:
                account.display = bool(changes["display"])
            if "bookmarked" in changes:
                account.bookmarked = bool(changes["bookmarked"])
            if "usage" in changes:
                usage = changes["usage"]
                account.usage = None if usage is None else str(usage)
        if "disabled" in changes:
            self.choose(connection, [(account, not changes["disabled"]) for account in accounts])

    def choose(self, connection: Connection, wanted: Iterable[tuple[Account, bool]], *, first: bool = False) -> None:
        """Enable and disable accounts; tell about those that changed, and synchronise soon after.

        `first` is the choice that ends a connect flow.
        """
        changed = []
        for account, enabled in wanted:
            if enabled is (account.disabled is None):
                continue
            changed.append(account)
            account.disabled = None if enabled else self.state.clock.now()
            if not enabled:
                # Disabling deletes what hangs below the account, its transactions before all.
                account.told = False
                if self.state.settings.reenabled_transactions == "new_ids":
                    account.first_transaction_id = transaction_ids(self.state)
        if not changed:
            return
        mode = self.state.settings.choice_events
        if first:
            mode = "sync_only" if self.state.settings.connect_events == "sync_only" else "accounts_then_sync"
        if mode in {"accounts_then_sync", "accounts_only"}:
            tell_choices(self.state, connection, changed)
        if mode != "accounts_only":
            self.syncs.schedule(connection)
        if mode == "sync_then_accounts":
            connection.late_choices.extend(changed)
