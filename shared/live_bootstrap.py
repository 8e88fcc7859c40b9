"""What `live_updates` works with, apart from `bootstrap`: a socket opens without loading what all others need."""

import os
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from shared.adapters.aws import aws_client, utc_now
from shared.adapters.dynamodb.live import DynamoDBSockets
from shared.adapters.dynamodb.table import Table
from shared.adapters.sockets import Sockets
from shared.application.live import Live
from shared.config import LiveSettings

if TYPE_CHECKING:
    from shared.adapters.tokens import TokenVerifier


class LiveContainer:
    """The table and the sockets, and no way to Powens."""

    def __init__(self, settings: LiveSettings) -> None:
        self.settings = settings
        self.clock: Callable[[], datetime] = utc_now

    @classmethod
    def from_env(cls) -> "LiveContainer":
        return cls(LiveSettings.from_env(os.environ))

    @cached_property
    def verifier(self) -> "TokenVerifier":
        from shared.adapters.tokens import TokenVerifier

        settings = self.settings
        scope = settings.token_scopes.read if settings.token_scopes else None
        return TokenVerifier(settings.jwt_issuer, settings.jwt_audience, settings.access_tokens_only, scope)

    @cached_property
    def live(self) -> Live:
        store = DynamoDBSockets(Table(aws_client("dynamodb"), self.settings.table_name))
        sockets = Sockets(aws_client("apigatewaymanagementapi", endpoint_url=self.settings.live_endpoint))
        return Live(store, sockets, self.clock)
