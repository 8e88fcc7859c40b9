"""Values that several switches take."""

import json
import re
from datetime import UTC, datetime, timedelta

from powens_sandbox.errors import invalid
from powens_sandbox.params import Params
from powens_sandbox.world.clock import FIRST_YEAR, LAST_YEAR

_MAX_LISTED = 500


def limit(params: Params) -> int:
    limit = params.integer("limit")
    return min(limit or 100, _MAX_LISTED)


def only(params: Params, *names: str) -> None:
    for name in params:
        if name not in names:
            raise invalid(name[:60], "is not known here")


def raw(params: Params, before: dict[str, object]) -> dict[str, object]:
    """The parameter `raw`: an object whose values are any JSON; null, or none of them, takes back what was there."""
    if "raw" not in params:
        return before
    given = params["raw"] or {}
    if not isinstance(given, dict):
        raise invalid("raw", "must be an object")
    try:
        json.dumps(given, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        # Half a character or a number without end could not be sent either.
        raise invalid("raw", "cannot be written as JSON") from error
    return dict(given)


def pattern(params: Params, name: str) -> re.Pattern[str]:
    try:
        return re.compile((params.optional_text(name) or "")[:200])
    except re.error as error:
        raise invalid(name, "is not a regular expression") from error


def moment(text: str, name: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return _reachable((at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise invalid(name, "is not a time") from error


def _reachable(at: datetime) -> datetime:
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ValueError(at.year)
    return at


def expiry(params: Params, now: datetime) -> datetime | None:
    if (at := params.optional_text("consent_expires_at")) is not None:
        return moment(at, "consent_expires_at")
    if params.get("consent_expires_in_days") is None:
        return None
    try:
        return _reachable(now + timedelta(days=float(str(params["consent_expires_in_days"]))))
    except (ValueError, OverflowError) as error:
        raise invalid("consent_expires_in_days") from error
