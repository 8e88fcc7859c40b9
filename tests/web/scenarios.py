"""What the users of a test have: plain JSON in the shapes of the public API."""

from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]


PROVIDER_TYPES = {
    "securities": "market",
    "life_insurance": "lifeinsurance",
    "employee_savings": "pee",
    "other": "unknown",
}


def moment(**offset: float) -> str:
    return (datetime.now(UTC) + timedelta(**offset)).isoformat(timespec="seconds").replace("+00:00", "Z")


def account(account_id: str, name: str, *, balance: str | None = "100.00", currency: str = "EUR", **more: Any) -> Json:
    enabled = more.pop("enabled", True)
    kind = more.get("type", "checking")
    return {
        "id": account_id,
        "kind": "synced",
        "connection_id": account_id.split(".", maxsplit=1)[0],
        "name": name,
        "type": "checking",
        "provider_type": PROVIDER_TYPES.get(kind, kind),
        # As in the sandbox: only current accounts and their cards have an IBAN.
        "iban_last4": "0185" if kind in ("checking", "card") else None,
        "number_last4": None,
        "balance": balance,
        "currency": currency,
        "enabled": enabled,
        "status": "enabled" if enabled else "disabled",
        "status_reason": None,
        "last_success_at": moment(minutes=-12),
        "duplicate_of": None,
        "duplicate_reason": None,
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
            "reason": "hidden_by_user",
            "evidence": ["unticked_accounts:1"],
            "message": "",
            "next_step": "manage",
            "retry_at": None,
        },
        "revision": 3,
        "connected_at": moment(days=-240),
        "superseded_by": None,
        "accounts": accounts,
    } | more


def reason(message: str, *, who: str = "user", step: str = "none", code: str = "because") -> Json:
    return {"code": code, "message": message, "who_must_act": who, "next_step": step}


def nothing_more(**more: Any) -> Json:
    """Every known account is synchronised."""
    return {
        "answer": "unknown",
        "reason": "unknown",
        "evidence": ["no_unticked_account"],
        "message": "Tous les comptes connus sont synchronisés.",
        "next_step": "manage",
        "retry_at": None,
    } | more


def unsupported() -> Json:
    """A bank whose only access Powens does not support."""
    return connection(
        "old",
        "Banque Ancienne",
        [account("old.1", "Compte courant")],
        status="failed",
        freshness="stale",
        status_reason=reason("Powens ne gère pas cet accès.", who="powens", step="add_manually"),
        can_add_accounts=nothing_more(message="Powens ne gère pas cet accès.", next_step="add_manually"),
    )


def new_bank(**more: Any) -> Json:
    """An institution as the catalogue has it."""
    types = [
        "checking",
        "card",
        "savings",
        "securities",
        "life_insurance",
        "employee_savings",
        "loan",
        "crypto",
        "other",
    ]
    answers = {"checking": "yes", "savings": "yes", "crypto": "no"}
    return {
        "id": "i-new",
        "name": "Banque Neuve",
        "logo_url": None,
        "color": "7c2d12",
        "capabilities": ["bank", "bankwealth"],
        "restricted": False,
        "sources": [{"name": "openapi", "disabled": False}],
        "account_types": [
            {"type": kind, "answer": answers.get(kind, "unknown"), "evidence": ["product:wealth"]} for kind in types
        ],
    } | more


def twins(balance: str = "300.00") -> Json:
    """A manual account and the synchronised one that may be the same."""
    same = {"account_id": "hor.la", "evidence": ["same_type", "same_currency", "same_institution", "something_new"]}
    manual_account = cash() | {
        "name": "Mon livret", "institution_name": "Banque Horizon", "link_suggestions": [same], "balance": balance,
    }  # fmt: skip
    bank = horizon()
    bank["accounts"][2].update(enabled=True, status="enabled", balance="8650.00")
    return user(bank, manual=(manual_account,))


def revolut() -> Json:
    return connection(
        "rev",
        "Revolut",
        [
            account("rev.eur", "Compte courant EUR", balance="2481.07", iban_last4="3307"),
            account("rev.usd", "Compte courant USD", balance="640.00", currency="USD", iban_last4="3308"),
            account("rev.gbp", "Compte courant GBP", balance="118.42", currency="GBP", iban_last4="3309"),
        ],
        can_add_accounts=nothing_more(),
    )


def horizon() -> Json:
    return connection(
        "hor",
        "Banque Horizon",
        [
            account("hor.cc", "Compte chèques", balance="1204.55"),
            # Banks give a card the IBAN of its account, and a securities account often no number at all.
            account("hor.card", "Carte Visa", type="card", balance="-312.90"),
            account(
                "hor.la",
                "Livret A",
                type="savings",
                provider_type="livret_a",
                balance="8650.00",
                enabled=False,
                number_last4="7712",
            ),
            account("hor.pea", "PEA", type="securities", provider_type="pea", balance=None, enabled=False),
        ],
        institution={"id": "i-hor", "name": "Banque Horizon", "logo_url": None, "color": "#0f766e"},
    )


def copy_of(account_id: str, message: str, *, code: str = "copy_connection_not_working") -> Json:
    """What an account has that is held twice and counts elsewhere."""
    return {"duplicate_of": account_id, "duplicate_reason": reason(message, who="nobody", code=code)}


def reconnected() -> Json:
    """A bank that stopped working months ago and was connected anew, where everything counts."""
    dead = "Cette connexion ne fonctionne plus. Vous pouvez y mettre fin."
    old = connection(
        "old",
        "Banque Horizon",
        [
            account("old.cc", "Compte chèques", balance="310.00", **copy_of("hor.cc", dead)),
            account("old.card", "Carte Visa", type="card", balance="-20.00", **copy_of("hor.card", dead)),
        ],
        status="action_required",
        status_reason=reason("Vos identifiants sont refusés par la banque.", step="reconnect"),
        last_success_at=moment(days=-97),
        freshness="stale",
        consent_expires_at=moment(days=-7),
        superseded_by="hor",
        connected_at=moment(days=-400),
        can_add_accounts=nothing_more(
            reason="needs_user_action", message="Reconnectez d’abord la banque.", next_step="reconnect"
        ),
    )
    new = horizon()
    old["institution"] = new["institution"]
    return user(old, new, revolut())


def oddly_named() -> Json:
    """Names as banks send them: endless, without a space, in other scripts, with joined emoji, or missing."""
    return user(
        connection(
            "odd",
            "Caisse régionale de crédit agricole mutuel de Provence-Alpes-Côte d’Azur et de la vallée du Rhône",
            [
                account("odd.long", "COMPTE-CHEQUES-" * 12, balance="12345678901234.56"),
                account("odd.emoji", "👨‍👩‍👧‍👦 Vacances 🏖️", type="savings"),
                account("odd.rtl", "حساب التوفير (1)", balance="-5.00"),
                account(
                    "odd.copy", "Compte joint", **copy_of("rtl.1", "Un autre exemplaire a des données plus récentes.")
                ),
                account("odd.none", "", type="loan", balance=None),
            ],
        ),
        connection("rtl", "بنك الأفق", [account("rtl.1", "חשבון משותף")]),
        connection("void", "", [account("void.1", "Compte courant", institution_name=None)]),
    )


def puzzling() -> Json:
    """Accounts that Powens answers in a way that leaves something open."""
    unreadable = reason("Powens transmet ce compte de façon illisible.", who="powens", step="wait")
    alike = reason(
        "Powens a recréé plusieurs comptes que rien ne distingue. Cochez ceux que vous voulez.", step="manage"
    )
    failing = reason("La banque ne donne pas ce compte pour le moment.", who="bank", step="wait")
    return connection(
        "odd",
        "Banque Horizon",
        [
            account("odd.unread", "Compte chèques", status_reason=unreadable),
            *(
                account(f"odd.twin{n}", "Livret", type="savings", enabled=False, status="failed", status_reason=alike)
                for n in (1, 2)
            ),
            account("odd.old", "PEA", type="securities", status_reason=failing, last_success_at=moment(days=-3)),
        ],
    )


def overdue() -> Json:
    """A connection whose first synchronisation has been awaited for more than a day."""
    return connection(
        "slow",
        "Banque Lente",
        [],
        status="failed",
        status_reason=reason(
            "La première synchronisation n’a toujours pas abouti. Vérifiez cette connexion dans l’espace Powens.",
            who="powens",
            step="manage",
            code="first_synchronisation_overdue",
        ),
        last_success_at=None,
        freshness="never",
        can_add_accounts=nothing_more(message="On ne sait pas encore."),
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
        link_suggestions=[],
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


def user(
    *connections: Json, manual: tuple[Json, ...] = (), wishes: tuple[Json, ...] = (), history: tuple[Json, ...] = ()
) -> Json:
    return {
        "connections": list(connections),
        "manual_accounts": list(manual),
        "wishes": list(wishes),
        "history": list(history),
    }


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


def only(*connections: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return demo(user(*connections), **settings)


RECONNECT_FIRST: dict[str, Any] = {
    "answer": "unknown", "reason": "needs_user_action", "evidence": [], "message": "Reconnectez d’abord la banque.",
    "next_step": "reconnect", "retry_at": None,
}  # fmt: skip

TROUBLES = only(
    connection(
        "a", "Banque A", [account("a.1", "Compte courant")], status="action_required", freshness="stale",
        last_success_at=moment(days=-9), can_add_accounts=RECONNECT_FIRST,
        status_reason=reason("La banque demande une nouvelle authentification.", step="reconnect"),
    ),
    connection("b", "Banque B", [account("b.1", "Compte courant")], consent_expires_at=moment(days=5.5)),
    connection(
        "c", "Banque C", [account("c.1", "Compte courant")], consent_expires_at=moment(days=-2), freshness="ageing",
    ),
    connection(
        "d", "Banque D",
        [account("d.1", "Compte courant", status="failed", status_reason=reason("La banque ne répond pas."))],
        status="failed", freshness="stale", status_reason=reason("Problème chez Powens.", who="powens", step="wait"),
    ),
)  # fmt: skip

CONDITIONS = only(
    connection("fresh", "À jour", []),
    connection("ageing", "Un peu ancien", [account("ageing.1", "Fermé", status="closed_at_bank")], freshness="ageing"),
    connection("stale", "Ancien", [account("stale.1", "Double", duplicate_of="ageing.1")], freshness="stale"),
    connection("never", "Jamais", [account("never.1", "Neuf", balance=None)], freshness="never", last_success_at=None),
    connection(
        "sync", "En cours", [account("sync.1", "Jeton", currency="USDT", balance="1.23456789")], status="syncing",
    ),
    connection(
        "wait", "En attente", [account("wait.1", "Prêt", type="loan", balance="-12000.00")], status="waiting",
        status_reason=reason("La banque est en maintenance jusqu’à demain.", who="bank", step="wait"),
    ),
    connection("off", "Rien de coché", [account("off.1", "Livret", enabled=False)], freshness="fresh", status="failed"),
)  # fmt: skip

HISTORY = tuple(
    entry(n, cause, change, kind=kind, status=status)
    for n, (cause, change, kind, status) in enumerate([
        ("webview", "enabled", "AccountsUpdated", "completed"), ("user", "disabled", "AccountsUpdated", "failed"),
        ("bank", "closed", "AccountsUpdated", None), ("reconciliation", "added", "SomethingNew", None),
    ])
)  # fmt: skip
