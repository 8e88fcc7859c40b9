"""The usual account of each kind, with its usual figures."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from powens_sandbox.banks.catalogue import DIRECTACCESS, AccountSpec

# How current and savings accounts are called, by country.
_NAMES: Mapping[str, Mapping[str, str]] = {
    "current": {"FR": "Compte courant", "DE": "Girokonto", "ES": "Cuenta corriente", "IT": "Conto corrente",
                "NL": "Betaalrekening", "BE": "Compte à vue", "PT": "Conta à ordem", "LU": "Compte courant",
                "IE": "Current Account", "LT": "Current Account", "GB": "Current Account"},
    "savings": {"FR": "Livret d'épargne", "DE": "Tagesgeldkonto", "ES": "Cuenta de ahorro", "IT": "Conto deposito",
                "NL": "Spaarrekening", "BE": "Compte d'épargne", "PT": "Conta poupança", "LU": "Compte épargne",
                "IE": "Savings Account", "LT": "Savings Account", "GB": "Savings Account"},
}  # fmt: skip

_MORTGAGE: Mapping[str, object] = {
    "total_amount": 210000.0, "available_amount": None, "used_amount": None, "subscription_date": "2021-06-15",
    "maturity_date": "2041-06-15", "start_repayment_date": "2021-07-05", "deferred": False,
    "next_payment_amount": 1005.31, "next_payment_date": None, "rate": 1.15, "nb_payments_left": 184,
    "nb_payments_done": 56, "nb_payments_total": 240, "last_payment_amount": 1005.31, "last_payment_date": None,
    "account_label": None, "insurance_label": "Assurance emprunteur", "insurance_amount": 31.5, "insurance_rate": None,
    "duration": 240, "type": "mortgage",
}  # fmt: skip
_CONSUMER: Mapping[str, object] = {
    **dict.fromkeys(_MORTGAGE), "total_amount": 12000.0, "rate": 3.9, "duration": 48, "type": "consumercredit",
}  # fmt: skip

_USUAL: Mapping[str, AccountSpec] = {
    spec.key: spec
    for spec in (
        AccountSpec("current", "Compte courant", "checking", Decimal("1523.07"), has_iban=True),
        AccountSpec("usd", "Compte courant USD", "checking", Decimal("842.10"), "USD", has_iban=True),
        AccountSpec("gbp", "Compte courant GBP", "checking", Decimal("310.55"), "GBP", has_iban=True),
        AccountSpec("eur", "Compte courant EUR", "checking", Decimal("1250.00"), "EUR", has_iban=True),
        AccountSpec("pro", "Compte professionnel", "checking", Decimal("28410.96"), usage="ORGA", has_iban=True),
        AccountSpec("card", "Carte Visa", "card", Decimal("-187.40"), parent="current", coming=Decimal("-187.40")),
        AccountSpec("savings", "Livret d'épargne", "savings", Decimal("6400.00")),
        AccountSpec("livret_a", "Livret A", "livret_a", Decimal("18350.42"), source=DIRECTACCESS),
        AccountSpec("ldds", "LDDS", "ldds", Decimal("7200.00"), source=DIRECTACCESS),
        # Powens has no type of its own for a LEP.
        AccountSpec("lep", "LEP", "savings", Decimal("9200.15"), source=DIRECTACCESS),
        AccountSpec("pel", "Plan épargne logement", "pel", Decimal("21050.88"), source=DIRECTACCESS),
        AccountSpec("cat", "Compte à terme", "cat", Decimal("30000.00"), source=DIRECTACCESS),
        AccountSpec("pea", "PEA", "pea", Decimal("48210.33"), source=DIRECTACCESS),
        AccountSpec("cto", "Compte-titres", "market", Decimal("15240.00"), source=DIRECTACCESS),
        AccountSpec("life", "Assurance vie", "lifeinsurance", Decimal("92500.75"), source=DIRECTACCESS),
        AccountSpec("per", "PER individuel", "per", Decimal("12780.20"), source=DIRECTACCESS),
        AccountSpec("pee", "PEE", "pee", Decimal("16430.09"), source=DIRECTACCESS, company_name="Atelier Verdon"),
        AccountSpec("perco", "PERCOL", "perco", Decimal("8120.66"), source=DIRECTACCESS, company_name="Atelier Verdon"),
        AccountSpec("mortgage", "Prêt immobilier", "loan", Decimal("-164200.00"), source=DIRECTACCESS, loan=_MORTGAGE),
        AccountSpec("consumer", "Prêt personnel", "loan", Decimal("-5120.00"), source=DIRECTACCESS, loan=_CONSUMER),
        AccountSpec("crowdlending", "Portefeuille de prêts", "crowdlending", Decimal("3500.00"), source=DIRECTACCESS),
        AccountSpec("scpi", "Parts de SCPI", "real_estate", Decimal("20160.00"), source=DIRECTACCESS),
        AccountSpec("crypto", "Portefeuille BTC", "unknown", Decimal("0.04210000"), "BTC", source=DIRECTACCESS),
        # Some institutions name an account and give neither balance, number nor currency usage.
        AccountSpec("silent", "Compte d'attente", "unknown", None, source=DIRECTACCESS, usage=None, ownership=None),
    )
}


def account(kind: str, *, country: str = "FR", source: str | None = None, balance: str | None = None) -> AccountSpec:
    """Raises KeyError for a kind that there is not."""
    spec = _USUAL[kind]
    spec = replace(spec, name=_NAMES.get(kind, {}).get(country, spec.name))
    if kind == "savings":
        # In France a booklet has no IBAN of its own.
        spec = replace(spec, has_iban=country != "FR")
    if source:
        spec = replace(spec, source=source)
    return spec if balance is None else replace(spec, balance=Decimal(balance))
