"""Picks implementations, as `live_bootstrap` does. Each is imported and made on first use: a list needs no use case."""

from __future__ import annotations

import hashlib
import hmac
import os
import random
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared.config import PowensSecret, Settings
from shared.store_bootstrap import Stores

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.adapters.kms import KmsSeal
    from shared.adapters.outbox import EventBus, Queues
    from shared.adapters.powens.client import PowensClient
    from shared.adapters.powens.transport import OnRefused
    from shared.application.access import Access
    from shared.application.budget import Budget
    from shared.application.carry_out import CarryOut
    from shared.application.changes import Changes
    from shared.application.confirmation import ConfirmConnections
    from shared.application.erasure import BeginErasure, Erase
    from shared.application.housekeeping import KeepHouse
    from shared.application.institutions import Institutions, RefreshCatalogue
    from shared.application.manual import KeepManualAccounts
    from shared.application.operations import RecordOperation
    from shared.application.orphans import CheckOrphans
    from shared.application.read_back import ReadBack
    from shared.application.removal import Removal
    from shared.application.webview import Flow, OpenWebview, ReturnFromWebview
    from shared.application.wishes import GrantWishes, RecordWishes
    from shared.domain.connection import AccountType, Operation

GRANT_SECONDS_LEFT = 10.0
"""Granting wishes stops while there is time to say that it has to go on."""


def new_id() -> str:
    from ulid import ULID

    return str(ULID())


class Container(Stores):
    """What the functions work with, for one process. `remaining_seconds` is renewed by each invocation.

    `on_unreadable` hears the names of the fields of Powens' answers that could not be read, `on_refused` what Powens
    says no to (our name for the request, status, error code), `on_ended` each operation that has ended.
    """

    def __init__(
        self,
        settings: Settings,
        on_unreadable: Callable[[str], None],
        on_refused: OnRefused,
        on_ended: Callable[[Operation], None],
    ) -> None:
        super().__init__(settings, new_id)
        self.on_unreadable = on_unreadable
        self.on_refused = on_refused
        self.on_ended = on_ended
        self.remaining_seconds: Callable[[], float] = lambda: 10.0

    @classmethod
    def from_env(
        cls,
        *,
        on_unreadable: Callable[[str], None] = lambda _: None,
        on_refused: OnRefused = lambda what, status, code: None,  # noqa: ARG005 - nobody listens
        on_ended: Callable[[Operation], None] = lambda _: None,
    ) -> Container:
        return cls(Settings.from_env(os.environ), on_unreadable, on_refused, on_ended)

    @cached_property
    def institutions(self) -> Institutions:
        from shared.application.institutions import Institutions

        return Institutions(self.catalogue_store, self.incident_store, self.clock)

    @cached_property
    def refresh_catalogue(self) -> RefreshCatalogue:
        from shared.application.institutions import RefreshCatalogue

        return RefreshCatalogue(self.catalogue_store, self._powens_when_nobody_waits, self.clock, self._grant)

    def _powens_when_nobody_waits(self) -> PowensClient:
        self.budget.admit(1, sweep=True)
        return self.powens

    def _grant(self, institution_id: str, kinds: frozenset[AccountType]) -> int:
        from shared.domain.errors import Unavailable

        granted, all_of_them = self.grant_wishes.run(
            institution_id,
            sorted(kinds),
            correlation_id=self.new_id(),
            in_time=lambda: self.remaining_seconds() > GRANT_SECONDS_LEFT,
        )
        if not all_of_them:
            raise Unavailable("there are more wishes than fit one run", code="wishes_left")
        return granted

    @cached_property
    def changes(self) -> Changes:
        from shared.application.changes import Changes

        return Changes(self.connection_store, self.clock, self.on_ended)

    @cached_property
    def removal(self) -> Removal:
        from shared.application.removal import Removal

        return Removal(self.connection_store, self.access, self.changes, self.clock)

    @cached_property
    def bus(self) -> EventBus:
        from shared.adapters.outbox import EventBus

        return EventBus(self.client("events"), self.settings.event_bus_name)

    @cached_property
    def sqs(self) -> Any:
        return self.client("sqs")

    @cached_property
    def queues(self) -> Queues:
        from shared.adapters.outbox import Queues
        from shared.contracts.messages import Command, HintMessage

        urls = {Command.queue: self.settings.commands_queue_url, HintMessage.queue: self.settings.refresh_queue_url}
        return Queues(lambda: self.sqs, urls, self.settings.outbox_failures_queue_url)

    @cached_property
    def powens(self) -> PowensClient:
        import requests

        from shared.adapters.powens.client import PowensClient
        from shared.adapters.powens.transport import Transport

        secret = self._powens_secret
        transport = Transport(
            requests.Session(),
            api_url=self.settings.powens_api_url,
            remaining_seconds=self._remaining,
            clock=self.clock,
            sleep=self.sleep,
            jitter=random.random,
            on_throttled=self.budget.throttled,
            on_refused=self.on_refused,
        )
        return PowensClient(
            transport,
            webview_url=self.settings.powens_webview_url,
            domain=self.settings.powens_domain,
            client_id=secret.client_id,
            client_secret=secret.client_secret,
            identity=self._identity,
            on_unreadable=self.on_unreadable,
            users_token=secret.users_token,
        )

    @cached_property
    def _powens_secret(self) -> PowensSecret:
        from shared.adapters.secrets import read_secret

        return PowensSecret.parse(read_secret(self.client("secretsmanager"), self.settings.powens_secret_id))

    def _identity(self, text: str) -> str:
        key = self._powens_secret.identity_key.get_secret_value().encode()
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    @cached_property
    def budget(self) -> Budget:
        from shared.application.budget import Budget

        return Budget(self.budget_store, self.clock, self.settings.powens_calls_per_minute)

    def _remaining(self) -> float:
        return self.remaining_seconds()

    @cached_property
    def seal(self) -> KmsSeal:
        from shared.adapters.kms import KmsSeal

        return KmsSeal(self.client("kms"), self.settings.token_key_id)

    @cached_property
    def access(self) -> Access:
        from shared.application.access import Access

        users = self.powens_user_store
        return Access(users, users, self.powens, self.seal, self.clock, self.new_id, self.sleep)

    @cached_property
    def manual_accounts(self) -> KeepManualAccounts:
        from shared.application.manual import KeepManualAccounts

        return KeepManualAccounts(
            self.manual_account_store, self.connection_store, self.answer_store, self.clock, self.new_id
        )

    @cached_property
    def wishes(self) -> RecordWishes:
        from shared.application.wishes import RecordWishes

        return RecordWishes(
            self.wish_store, self.connection_store, self.answer_store, self.clock, self.institutions.name
        )

    @cached_property
    def grant_wishes(self) -> GrantWishes:
        from shared.application.wishes import GrantWishes

        return GrantWishes(self.wish_store, self.clock)

    @cached_property
    def operations(self) -> RecordOperation:
        from shared.application.operations import RecordOperation

        return RecordOperation(self.operation_store, self.connection_store, self.changes, self.clock, self.new_id)

    @cached_property
    def read_back(self) -> ReadBack:
        from shared.application.read_back import ReadBack

        return ReadBack(
            self.connection_store,
            self.powens_user_store,
            self.access,
            self.changes,
            self.removal,
            self.clock,
            self.budget,
            self.institutions.institution,
            timedelta(minutes=self.settings.confirm_connections_within_minutes),
        )

    @cached_property
    def carry_out(self) -> CarryOut:
        from shared.application.carry_out import CarryOut

        return CarryOut(self.connection_store, self.access, self.changes, self.removal, self.clock, self.budget)

    @cached_property
    def check_orphans(self) -> CheckOrphans:
        from shared.application.orphans import CheckOrphans

        return CheckOrphans(self.orphan_store, self.powens.user_ids, self.clock, self.budget)

    @cached_property
    def begin_erasure(self) -> BeginErasure:
        from shared.application.erasure import BeginErasure

        return BeginErasure(self.erasure_store, self.powens_user_store, self.clock, self.new_id)

    @cached_property
    def erase(self) -> Erase:
        from shared.application.erasure import Erase

        return Erase(self.erasure_store, self.powens_user_store, self.access, self.clock, self._remaining, self.budget)

    @cached_property
    def keep_house(self) -> KeepHouse:
        from shared.application.housekeeping import KeepHouse
        from shared.application.institutions import WatchIncidents

        return KeepHouse(
            self.operation_store,
            self.connection_store,
            self.powens_user_store,
            self.erasure_store,
            self.connection_store,
            self.changes,
            self.queues,
            self.clock,
            self.new_id,
            WatchIncidents(self.incident_store, self.clock),
            self.budget,
        )

    @cached_property
    def open_webview(self) -> OpenWebview:
        from shared.application.webview import OpenWebview

        def address(flow: Flow, language: str, code: str, state: str, powens_connection_id: int | None) -> str:
            redirect_uri = f"{self.settings.public_url}/v1/webview-return"
            return self.powens.webview_url(flow, language, code, state, redirect_uri, powens_connection_id)

        allowed = self.settings.return_to_allowed
        return OpenWebview(
            self.session_store,
            self.connection_store,
            self.powens_user_store,
            self.access,
            self.removal,
            address,
            allowed,
            self.clock,
            self.budget,
        )

    @cached_property
    def return_from_webview(self) -> ReturnFromWebview:
        from shared.application.webview import ReturnFromWebview

        return ReturnFromWebview(
            self.session_store,
            self.powens_user_store,
            self.settings.return_to_allowed,
            self.clock,
            confirmed=self.settings.confirm_connections_within_minutes > 0,
        )

    @cached_property
    def confirm_connections(self) -> ConfirmConnections:
        from shared.application.confirmation import ConfirmConnections

        return ConfirmConnections(self.session_store, self.changes, self.access, self.budget, self.clock, self.new_id)
