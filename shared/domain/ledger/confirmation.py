"""New connections until somebody shows that they are the user's own, and what becomes of the others (ADR 0043)."""

from dataclasses import replace
from datetime import datetime

from shared.domain.connection import Connection, OperationKind
from shared.domain.errors import Conflict, NotFound
from shared.domain.ledger.choices import begin
from shared.domain.ledger.outcome import Outcome
from shared.domain.observation import ObservedConnection

MOST_WRONG_ANSWERS = 3


def still_unconfirmed(connection: Connection, observation: ObservedConnection) -> Outcome:
    """An unconfirmed connection after a read: it is there, and what else the read shows is not kept."""
    institution = observation.institution if observation.institution.name else connection.institution
    return Outcome(
        connection=replace(
            connection, institution=institution, read_started_at=observation.read_started_at, removed_at=None
        )
    )


def confirm(connection: Connection | None, now: datetime) -> Outcome:
    """It is the user's own; the next read takes what it has. Confirming it again changes nothing.

    Raises NotFound `connection_not_found`, Conflict `confirmation_over`.
    """
    connection = _present(connection)
    if connection.unconfirmed is None:
        return Outcome(connection=connection)
    _require_open(connection, now)
    return Outcome(connection=replace(connection, unconfirmed=None))


def answer_wrongly(connection: Connection | None, now: datetime, *, operation_id: str, correlation_id: str) -> Outcome:
    """Somebody said of its accounts what is not so: the last time that this may be ends the connection.

    Raises NotFound `connection_not_found`, Conflict `confirmation_over`.
    """
    connection = _present(connection)
    unconfirmed = connection.unconfirmed
    if unconfirmed is None:
        return Outcome(connection=connection)
    _require_open(connection, now)
    wrong = unconfirmed.wrong_answers + 1
    answered = replace(connection, unconfirmed=replace(unconfirmed, wrong_answers=wrong))
    if wrong < MOST_WRONG_ANSWERS:
        return Outcome(connection=answered)
    return end_unconfirmed(answered, now, operation_id=operation_id, correlation_id=correlation_id)


def end_unconfirmed(connection: Connection | None, now: datetime, *, operation_id: str, correlation_id: str) -> Outcome:
    """Begin the end of an unconfirmed connection at Powens, or again. Nothing changes for another one.

    Raises NotFound `connection_not_found`.
    """
    connection = _present(connection)
    if connection.unconfirmed is None:
        return Outcome(connection=connection)
    ending = replace(connection, unconfirmed=replace(connection.unconfirmed, ending_since=now))
    return begin(ending, OperationKind.DELETION, operation_id=operation_id, correlation_id=correlation_id, now=now)


def _present(connection: Connection | None) -> Connection:
    if connection is None or connection.removed_at is not None:
        raise NotFound("no such connection", code="connection_not_found")
    return connection


def _require_open(connection: Connection, now: datetime) -> None:
    if connection.unconfirmed is not None and not connection.unconfirmed.may_be_confirmed(now):
        raise Conflict("it is being ended", code="confirmation_over")
