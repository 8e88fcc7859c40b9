"""The transactions of an account. Made up anew at each call: same account, same transactions."""

import hashlib
from datetime import UTC, date, datetime, timedelta

from powens_sandbox.views.formats import PARIS, Json
from powens_sandbox.world.model import Account

_WORDINGS = (
    ("Boulangerie du Port", -1), ("Virement salaire", 1), ("Transports urbains", -1), ("Marché couvert", -1),
    ("Remboursement santé", 1), ("Librairie des Arcades", -1), ("Abonnement énergie", -1), ("Restaurant Le Phare", -1),
)  # fmt: skip


def transactions(account: Account, count: int, updated: str | None) -> list[Json]:
    """Newest first; none while the account is disabled. `updated`: its last update, as it is written."""
    if account.disabled is not None or account.deleted is not None:
        return []
    today = (account.last_update or datetime.now(UTC)).astimezone(PARIS).date()
    return [_transaction(account, position, today, updated) for position in range(count)]


def _transaction(account: Account, position: int, today: date, updated: str | None) -> Json:
    # A generator seeded per transaction costs too much for histories of several megabytes: a hash gives the digits.
    draw = int.from_bytes(hashlib.blake2s(f"{account.spec.key}/{position}".encode(), digest_size=4).digest())
    label, sign = _WORDINGS[draw % len(_WORDINGS)]
    day = (today - timedelta(days=position + draw % 2)).isoformat()
    return {
        "id": account.first_transaction_id + position,
        "id_account": account.id,
        "application_date": day,
        "date": day,
        "datetime": None,
        "rdate": day,
        "rdatetime": None,
        "vdate": (today - timedelta(days=position + draw % 2 - 1)).isoformat(),
        "vdatetime": None,
        "value": sign * (draw % 20000 + 150) / 100,
        "gross_value": None,
        "type": "transfer" if sign > 0 else "card",
        "original_wording": label.upper(),
        "simplified_wording": label,
        "wording": label,
        "categories": [],
        "date_scraped": updated,
        "last_update": updated,
        "coming": False,
        "active": True,
        "id_cluster": None,
        "comment": None,
        "deleted": None,
        "original_value": None,
        "original_gross_value": None,
        "original_currency": None,
        "commission": None,
        "commission_currency": None,
        "card": None,
        "counterparty": None,
    }
