"""What the users of a test have: plain JSON in the shapes of the public API."""

from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]


def moment(**offset: float) -> str:
    return (datetime.now(UTC) + timedelta(**offset)).isoformat(timespec="seconds").replace("+00:00", "Z")


def account(account_id: str, name: str, *, balance: str | None = "100.00", currency: str = "EUR", **more: Any) -> Json:
    enabled = more.pop("enabled", True)
    return {
        "id": account_id,
        "kind": "synced",
        "connection_id": account_id.split(".", maxsplit=1)[0],
        "name": name,
        "type": "checking",
        "provider_type": "checking",
        "iban_last4": "0185",
        "balance": balance,
        "currency": currency,
        "enabled": enabled,
        "status": "enabled" if enabled else "disabled",
        "status_reason": None,
        "last_success_at": moment(minutes=-12),
        "duplicate_of": None,
        "linked_account_id": None,
    } | more


def connection(connection_id: str, name: str, accounts: list[Json], **more: Any) -> Json:
    return {
        "id": connection_id,
        "institution": {
            "id": f"i-{connection_id}",
            "name": name,
            "logo_url": "http://logos.invalid/x.png",
            "color": "0b57d0",
        },
        "status": "ok",
        "status_reason": None,
        "last_success_at": moment(minutes=-12),
        "last_attempt_at": moment(minutes=-12),
        "freshness": "fresh",
        "consent_expires_at": moment(days=120),
        "can_add_accounts": {
            "answer": "yes",
            "reason": None,
            "evidence": [],
            "message": "",
            "next_step": "manage",
            "retry_at": None,
        },
        "revision": 3,
        "accounts": accounts,
    } | more


def reason(message: str, *, who: str = "user", step: str = "none", code: str = "because") -> Json:
    return {"code": code, "message": message, "who_must_act": who, "next_step": step}


def revolut() -> Json:
    return connection(
        "rev",
        "Revolut",
        [
            account("rev.eur", "Compte courant EUR", balance="2481.07", iban_last4="3307"),
            account("rev.usd", "Compte courant USD", balance="640.00", currency="USD", iban_last4="3308"),
            account("rev.gbp", "Compte courant GBP", balance="118.42", currency="GBP", iban_last4="3309"),
        ],
        can_add_accounts={
            "answer": "no",
            "reason": "type_not_supported",
            "evidence": [],
            "message": "Powens ne gère pas l’épargne flexible de Revolut. Vous pouvez ajouter ce compte à la main.",
            "next_step": "add_manually",
            "retry_at": None,
        },
    )


def horizon() -> Json:
    return connection(
        "hor",
        "Banque Horizon",
        [
            account("hor.cc", "Compte chèques", balance="1204.55"),
            account("hor.card", "Carte Visa", type="card", balance="-312.90", iban_last4=None),
            account("hor.la", "Livret A", type="savings", balance="8650.00", enabled=False, iban_last4="7712"),
            account("hor.pea", "PEA", type="securities", balance=None, enabled=False, iban_last4="9920"),
        ],
        institution={"id": "i-hor", "name": "Banque Horizon", "logo_url": None, "color": "#0f766e"},
    )


def cash() -> Json:
    return account(
        "man-1",
        "Enveloppe vacances",
        kind="manual",
        connection_id=None,
        type="savings",
        iban_last4=None,
        balance="300.00",
        institution_name="Maison",
    )


def entry(number: int, cause: str, change: str, **more: Any) -> Json:
    return {
        "id": f"h-{number}",
        "occurred_at": moment(hours=-number * 5),
        "kind": "AccountsUpdated",
        "cause": cause,
        "connection_id": "rev",
        "institution_name": "Revolut",
        "accounts": [{"account_id": "rev.eur", "name": "Compte courant EUR", "change": change}],
        "operation_id": None,
        "status": None,
    } | more


def user(*connections: Json, manual: tuple[Json, ...] = (), history: tuple[Json, ...] = ()) -> Json:
    return {"connections": list(connections), "manual_accounts": list(manual), "history": list(history)}


def alice() -> Json:
    return user(revolut(), horizon(), manual=(cash(),))


def demo(alice_has: Json | None = None, **settings: Any) -> Json:
    """Alice with two banks (or what is given), bob with one, carol with none."""
    bob = connection("bob", "Banque de Bob", [account("bob.1", "Compte joint", balance="77.00")])
    return {"users": {"alice": alice_has or alice(), "bob": user(bob), "carol": user()}, "settings": settings}


def very_many(institutions: int = 40, each: int = 25) -> Json:
    return user(
        *(
            connection(
                f"c{n}",
                f"Établissement {n:02}",
                [
                    account(f"c{n}.{k}", f"Compte {n:02}-{k:02}", balance=f"{n * k}.{k:02}", enabled=k % 5 != 0)
                    for k in range(each)
                ],
            )
            for n in range(institutions)
        )
    )
