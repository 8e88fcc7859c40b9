"""Deliberate faults in what becomes of a visit's connection (ADR 0043)."""

from dataclasses import replace
from typing import Any
from unittest import mock

from shared.application.confirmation import ConfirmConnections, hash_of
from shared.application.housekeeping import KeepHouse
from shared.domain.connection import Connection
from tests.simulation.mutations import mutation


@mutation(9)
def a_connection_shows_although_nobody_has_confirmed_it() -> Any:
    return mock.patch.object(Connection, "shown", property(lambda self: self.removed_at is None))


@mutation(6)
def what_nobody_has_confirmed_stays_at_powens() -> Any:
    return mock.patch.object(KeepHouse, "_end_unconfirmed", return_value={"unconfirmed": 0})


@mutation(9)
def whoever_comes_back_confirms() -> Any:
    real = ConfirmConnections.by_return

    def by_return(self: Any, request: Any, return_code: str) -> Any:
        returned = self.returns.returned(hash_of(return_code))
        return real(self, replace(request, user_id=returned.user_id) if returned else request, return_code)

    return mock.patch.object(ConfirmConnections, "by_return", by_return)
