"""Incidents: many users of one institution failing in the same way at once. Pure, from counts to opened and closed.

Hysteresis keeps an incident from flapping: it opens at `OPENS_AT` different users, closes at `CLOSES_AT` or fewer once
that has lasted for `QUIET_FOR`, never within `LEAST_OPEN` of its opening, and opens again only `REST_FOR` after that.
So one kind of trouble at one institution changes at most `MOST_CHANGES_AN_HOUR` times an hour, whatever happens.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.connection import Connection
from shared.domain.status import meaning_of_state
from shared.domain.unknown import Stored

OPENS_AT = 5
CLOSES_AT = 2
QUIET_FOR = timedelta(minutes=15)
LEAST_OPEN = timedelta(minutes=20)
REST_FOR = timedelta(minutes=20)
MOST_CHANGES_AN_HOUR = 4
WINDOW = timedelta(hours=1)
"""An incident opens by the users whose problem was confirmed within this time."""
STILL_FAILING = timedelta(hours=6)
"""An incident stays open by the users whose problem was confirmed within this time and is not over."""

TROUBLES = frozenset({"bank_unavailable", "bank_busy", "powens_problem", "unknown_problem"})
"""Reason codes of problems that pass without the user. Many users in an unknown state are an incident too."""


def trouble_of(connection: Connection | None) -> str | None:
    """The reason code of the connection's problem if it can be part of an incident, else None."""
    if connection is None or connection.removed_at is not None or connection.state is None:
        return None
    code = meaning_of_state(connection.state)[1]
    return code if code in TROUBLES else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident(Stored):
    """One kind of trouble at one institution. `reason` is a code of `status.REASONS`.

    `calm_since`: since when so few fail that it may close. `closed_at`: kept for a while, so that it cannot flap.
    """

    institution_id: str
    reason: str
    since: datetime
    calm_since: datetime | None = None
    closed_at: datetime | None = None

    @property
    def open(self) -> bool:
        return self.closed_at is None


@dataclass(frozen=True, slots=True)
class Failing:
    """Different users who fail: those confirmed within `WINDOW`, and within `STILL_FAILING`."""

    lately: int
    still: int


type Kind = tuple[str, str]
"""Institution and reason."""


def evolve(incident: Incident | None, failing: Failing, kind: Kind, now: datetime) -> Incident | None:
    """The incident of one kind at `now`, from the stored one and the counts; None when nothing is to be stored."""
    if incident is None or incident.closed_at is not None:
        rested = incident is None or incident.closed_at is None or now - incident.closed_at >= REST_FOR
        if rested and failing.lately >= OPENS_AT:
            return Incident(institution_id=kind[0], reason=kind[1], since=now)
        return None if rested else incident
    if failing.still > CLOSES_AT:
        return replace(incident, calm_since=None)
    calm_since = incident.calm_since or now
    if now - calm_since >= QUIET_FOR and now - incident.since >= LEAST_OPEN:
        return replace(incident, calm_since=calm_since, closed_at=now)
    return replace(incident, calm_since=calm_since)


def evolve_all(incidents: Iterable[Incident], failing: Mapping[Kind, Failing], now: datetime) -> tuple[Incident, ...]:
    """All incidents at `now`, ordered. For a kind that `failing` does not have, no user fails."""
    by_kind = {(incident.institution_id, incident.reason): incident for incident in incidents}
    after = (
        evolve(by_kind.get(kind), failing.get(kind, Failing(0, 0)), kind, now)
        for kind in sorted(by_kind.keys() | failing.keys())
    )
    return tuple(incident for incident in after if incident is not None)
