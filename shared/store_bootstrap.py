"""The stores on the one table, which `bootstrap` gives to the use cases. Each is imported and made on first use."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared.adapters.aws import aws_client, utc_now
from shared.adapters.dynamodb.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from shared.adapters.dynamodb.answers import DynamoDBAnswers
    from shared.adapters.dynamodb.budget import DynamoDBBudget
    from shared.adapters.dynamodb.catalogue import DynamoDBCatalogue
    from shared.adapters.dynamodb.connections import DynamoDBConnections
    from shared.adapters.dynamodb.erasure import DynamoDBErasures
    from shared.adapters.dynamodb.export import DynamoDBExport
    from shared.adapters.dynamodb.history import DynamoDBHistory
    from shared.adapters.dynamodb.incidents import DynamoDBIncidents
    from shared.adapters.dynamodb.manual import DynamoDBManualAccounts
    from shared.adapters.dynamodb.markers import InstitutionMarkers
    from shared.adapters.dynamodb.operations import DynamoDBOperations
    from shared.adapters.dynamodb.orphans import DynamoDBOrphans
    from shared.adapters.dynamodb.outbox import Outbox
    from shared.adapters.dynamodb.powens_users import DynamoDBPowensUsers
    from shared.adapters.dynamodb.webview import DynamoDBWebviewSessions
    from shared.adapters.dynamodb.wishes import DynamoDBWishes
    from shared.config import Settings


class Stores(ABC):
    """By subject."""

    def __init__(self, settings: Settings, new_id: Callable[[], str]) -> None:
        self.settings = settings
        self.new_id = new_id
        self.clock: Callable[[], datetime] = utc_now
        self.sleep: Callable[[float], None] = time.sleep

    def client(self, service: str) -> Any:
        return aws_client(service)

    @abstractmethod
    def _identity(self, text: str) -> str:
        """A keyed hash of `text`."""

    @cached_property
    def table(self) -> Table:
        return Table(self.client("dynamodb"), self.settings.table_name, pause=self.sleep)

    @cached_property
    def _outbox(self) -> Outbox:
        from shared.adapters.dynamodb.outbox import Outbox

        return Outbox(self.clock, self.new_id)

    @cached_property
    def _markers(self) -> InstitutionMarkers:
        from shared.adapters.dynamodb.markers import InstitutionMarkers

        return InstitutionMarkers(self.clock, self._identity)

    @cached_property
    def connection_store(self) -> DynamoDBConnections:
        from shared.adapters.dynamodb.connections import DynamoDBConnections

        return DynamoDBConnections(self.table, self._outbox, self._markers)

    @cached_property
    def operation_store(self) -> DynamoDBOperations:
        from shared.adapters.dynamodb.operations import DynamoDBOperations

        return DynamoDBOperations(self.table)

    @cached_property
    def answer_store(self) -> DynamoDBAnswers:
        from shared.adapters.dynamodb.answers import DynamoDBAnswers

        return DynamoDBAnswers(self.table, self.clock)

    @cached_property
    def history_store(self) -> DynamoDBHistory:
        from shared.adapters.dynamodb.history import DynamoDBHistory

        return DynamoDBHistory(self.table)

    @cached_property
    def powens_user_store(self) -> DynamoDBPowensUsers:
        from shared.adapters.dynamodb.powens_users import DynamoDBPowensUsers

        return DynamoDBPowensUsers(self.table, self.clock)

    @cached_property
    def erasure_store(self) -> DynamoDBErasures:
        from shared.adapters.dynamodb.erasure import DynamoDBErasures

        return DynamoDBErasures(self.table, self._outbox, self._markers)

    @cached_property
    def export_store(self) -> DynamoDBExport:
        from shared.adapters.dynamodb.export import DynamoDBExport

        return DynamoDBExport(self.table)

    @cached_property
    def session_store(self) -> DynamoDBWebviewSessions:
        from shared.adapters.dynamodb.webview import DynamoDBWebviewSessions

        return DynamoDBWebviewSessions(self.table, self._outbox)

    @cached_property
    def manual_account_store(self) -> DynamoDBManualAccounts:
        from shared.adapters.dynamodb.manual import DynamoDBManualAccounts

        return DynamoDBManualAccounts(self.table, self._outbox)

    @cached_property
    def wish_store(self) -> DynamoDBWishes:
        from shared.adapters.dynamodb.wishes import DynamoDBWishes

        return DynamoDBWishes(self.table, self._outbox)

    @cached_property
    def budget_store(self) -> DynamoDBBudget:
        from shared.adapters.dynamodb.budget import DynamoDBBudget

        return DynamoDBBudget(self.table)

    @cached_property
    def orphan_store(self) -> DynamoDBOrphans:
        from shared.adapters.dynamodb.orphans import DynamoDBOrphans

        return DynamoDBOrphans(self.table)

    @cached_property
    def catalogue_store(self) -> DynamoDBCatalogue:
        from shared.adapters.dynamodb.catalogue import DynamoDBCatalogue

        return DynamoDBCatalogue(self.table, self.clock)

    @cached_property
    def incident_store(self) -> DynamoDBIncidents:
        from shared.adapters.dynamodb.incidents import DynamoDBIncidents

        return DynamoDBIncidents(self.table)
