"""The institutions, what each can share and by which source, the types of accounts and the currencies.

Everything here is data that never changes while the sandbox runs; what an operator changes is in institutions.py. Apart
from one bank that a help article takes as its example, the institutions are invented.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

OPENAPI = "openapi"
DIRECTACCESS = "directaccess"
TEST_CONNECTOR_UUID = "338178e6-3d01-564f-9a7b-52ca442459bf"
TEST_PASSWORD = "1234"  # noqa: S105 - the documented password of the test connector
_UUIDS = uuid.UUID("6f1d1d0e-7a47-5d7b-9d0c-5f6f7c1f2f4a")

# name: (id, is_invest, display name, plural)
ACCOUNT_TYPES: Mapping[str, tuple[int, bool, str, str]] = {
    "checking": (2, False, "Compte courant", "Comptes courants"),
    "savings": (3, False, "Livret d'épargne", "Livrets d'épargne"),
    "deposit": (4, False, "Compte à terme", "Comptes à terme"),
    "loan": (5, False, "Prêt", "Prêts"),
    "market": (6, True, "Compte-titres", "Comptes-titres"),
    "joint": (7, False, "Compte joint", "Comptes joints"),
    "card": (8, False, "Carte", "Cartes"),
    "lifeinsurance": (9, True, "Assurance vie", "Assurances vie"),
    "pee": (10, True, "Plan d'épargne entreprise", "Plans d'épargne entreprise"),
    "perco": (11, True, "Plan d'épargne retraite collectif", "Plans d'épargne retraite collectifs"),
    "article83": (12, True, "Article 83", "Articles 83"),
    "rsp": (13, True, "Réserve spéciale de participation", "Réserves spéciales de participation"),
    "pea": (14, True, "PEA", "PEA"),
    "capitalisation": (15, True, "Contrat de capitalisation", "Contrats de capitalisation"),
    "perp": (16, True, "Plan d'épargne retraite populaire", "Plans d'épargne retraite populaires"),
    "madelin": (17, True, "Contrat Madelin", "Contrats Madelin"),
    "livret_a": (18, False, "Livret A", "Livrets A"),
    "livret_b": (19, False, "Livret B", "Livrets B"),
    "ldds": (20, False, "LDDS", "LDDS"),
    "cel": (21, False, "Compte épargne logement", "Comptes épargne logement"),
    "pel": (22, False, "Plan épargne logement", "Plans épargne logement"),
    "cat": (23, False, "Compte à terme", "Comptes à terme"),
    "csl": (24, False, "Compte sur livret", "Comptes sur livret"),
    "per": (25, True, "Plan d'épargne retraite", "Plans d'épargne retraite"),
    "real_estate": (26, True, "Placement immobilier", "Placements immobiliers"),
    "crowdlending": (27, True, "Financement participatif", "Financements participatifs"),
    "unknown": (99, False, "Autre", "Autres"),
}

# code: (name, symbol, precision, symbol stands before the amount)
CURRENCIES: Mapping[str, tuple[str, str, int, bool]] = {
    "EUR": ("Euro", "€", 2, False),
    "USD": ("Dollar américain", "$", 2, True),
    "GBP": ("Livre sterling", "£", 2, True),
    "CHF": ("Franc suisse", "CHF", 2, False),
    "SEK": ("Couronne suédoise", "kr", 2, False),
    "PLN": ("Złoty", "zł", 2, False),
    "JPY": ("Yen", "¥", 0, True),
    "BTC": ("Bitcoin", "₿", 8, True),
}

COUNTRIES: Mapping[str, str] = {
    "FR": "France", "DE": "Allemagne", "ES": "Espagne", "IT": "Italie", "NL": "Pays-Bas", "BE": "Belgique",
    "PT": "Portugal", "LU": "Luxembourg", "IE": "Irlande", "LT": "Lituanie", "GB": "Royaume-Uni",
}  # fmt: skip


@dataclass(frozen=True)
class AccountSpec:
    """An account as the bank holds it.

    `key` names it within one person's accounts at one bank. Specs with the same `identity` have one number and one
    IBAN: the same real account, seen from two banks, or pockets that one bank tells apart by nothing but their names.
    `balance` None: the bank gives none, ever. `raw`: fields of its answers, as the bank spoilt them.
    """

    key: str
    name: str
    type: str
    balance: Decimal | None
    currency: str | None = "EUR"
    source: str = OPENAPI
    original_name: str | None = ""
    usage: str | None = "PRIV"
    ownership: str | None = "owner"
    parent: str | None = None
    identity: str | None = None
    number: str | None = None
    iban: str | None = None
    has_iban: bool = False
    company_name: str | None = None
    coming: Decimal | None = None
    loan: Mapping[str, object] | None = None
    raw: Mapping[str, object] | None = None


@dataclass(frozen=True)
class Field:
    """One input of a login form: `values` are (label, value) pairs of a list."""

    name: str
    type: str
    label: str
    required: bool = True
    regex: str | None = None
    values: tuple[tuple[str, str], ...] = ()
    sources: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ("credentials",)


@dataclass(frozen=True)
class ConnectorSource:
    id: int
    name: str
    auth_mechanism: str
    priority: int
    account_types: tuple[str, ...]
    # Types of accounts that the bank holds and does not show this way.
    withheld: tuple[str, ...] = ()
    disabled: datetime | None = None


@dataclass(frozen=True, eq=False)
class Connector:
    """An institution at one moment. `later`: what everybody there holds beside `accounts`; of both, Powens sees what
    the sources do not withhold. `number_form`: own, masked or filler, as the setting `account_numbers` has
    them."""

    id: int
    uuid: str
    name: str
    slug: str
    color: str
    country: str
    capabilities: tuple[str, ...]
    products: tuple[str, ...]
    usages: tuple[str, ...]
    sources: tuple[ConnectorSource, ...]
    fields: tuple[Field, ...]
    accounts: tuple[AccountSpec, ...]
    later: tuple[AccountSpec, ...] = ()
    hidden: bool | None = False
    restricted: bool = False
    beta: bool = False
    months_to_fetch: int | None = None
    siret: str = ""
    number_form: str = "own"
    stable: bool = True
    # When that changed last; None: never.
    stability_update: datetime | None = None

    def source(self, name: str) -> ConnectorSource | None:
        return next((source for source in self.sources if source.name == name), None)

    @property
    def sources_open(self) -> tuple[ConnectorSource, ...]:
        return tuple(source for source in self.sources if source.disabled is None)

    def shows(self, spec: AccountSpec) -> bool:
        """Whether Powens sees such an account, once its source is open."""
        source = self.source(spec.source)
        return source is not None and spec.type not in source.withheld

    @property
    def is_test(self) -> bool:
        return self.uuid == TEST_CONNECTOR_UUID


LOGIN = Field("login", "text", "Identifiant")
PASSWORD = Field("password", "password", "Mot de passe")
OTP = Field("otp", "text", "Code reçu par SMS", regex=r"^\d{4,8}$")

# Outcomes that the test connector plays; the value is the outcome's own name.
TEST_OUTCOMES = (
    "par", "pro", "SCARequired", "SCARequiredAndOTP", "SCARequiredAndDecoupled", "actionNeeded",
    "additionalInformationNeeded", "bug", "shortDecoupled", "wrongpass", "passwordExpired",
)  # fmt: skip

# kind: (type, name by language, balance, has an IBAN, source that shares it, further fields)
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


def account(kind: str, *, country: str = "FR", source: str | None = None, balance: str | None = None) -> AccountSpec:
    """The usual account of that kind, with its usual figures."""
    name = _NAMES.get(kind, {}).get(country)
    match kind:
        case "current":
            spec = AccountSpec(kind, name or "Compte courant", "checking", Decimal("1523.07"), has_iban=True)
        case "usd":
            spec = AccountSpec(kind, "Compte courant USD", "checking", Decimal("842.10"), "USD", has_iban=True)
        case "gbp":
            spec = AccountSpec(kind, "Compte courant GBP", "checking", Decimal("310.55"), "GBP", has_iban=True)
        case "eur":
            spec = AccountSpec(kind, "Compte courant EUR", "checking", Decimal("1250.00"), "EUR", has_iban=True)
        case "pro":
            spec = AccountSpec(
                kind, "Compte professionnel", "checking", Decimal("28410.96"), usage="ORGA", has_iban=True
            )
        case "card":
            spec = AccountSpec(
                kind, "Carte Visa", "card", Decimal("-187.40"), parent="current", coming=Decimal("-187.40")
            )
        case "savings":
            spec = AccountSpec(
                kind, name or "Livret d'épargne", "savings", Decimal("6400.00"), has_iban=country != "FR"
            )
        case "livret_a":
            spec = AccountSpec(kind, "Livret A", "livret_a", Decimal("18350.42"), source=DIRECTACCESS)
        case "ldds":
            spec = AccountSpec(kind, "LDDS", "ldds", Decimal("7200.00"), source=DIRECTACCESS)
        case "lep":
            # Powens has no type of its own for a LEP.
            spec = AccountSpec(kind, "LEP", "savings", Decimal("9200.15"), source=DIRECTACCESS)
        case "pel":
            spec = AccountSpec(kind, "Plan épargne logement", "pel", Decimal("21050.88"), source=DIRECTACCESS)
        case "cat":
            spec = AccountSpec(kind, "Compte à terme", "cat", Decimal("30000.00"), source=DIRECTACCESS)
        case "pea":
            spec = AccountSpec(kind, "PEA", "pea", Decimal("48210.33"), source=DIRECTACCESS)
        case "cto":
            spec = AccountSpec(kind, "Compte-titres", "market", Decimal("15240.00"), source=DIRECTACCESS)
        case "life":
            spec = AccountSpec(kind, "Assurance vie", "lifeinsurance", Decimal("92500.75"), source=DIRECTACCESS)
        case "per":
            spec = AccountSpec(kind, "PER individuel", "per", Decimal("12780.20"), source=DIRECTACCESS)
        case "pee":
            spec = AccountSpec(
                kind, "PEE", "pee", Decimal("16430.09"), source=DIRECTACCESS, company_name="Atelier Verdon"
            )
        case "perco":
            spec = AccountSpec(
                kind, "PERCOL", "perco", Decimal("8120.66"), source=DIRECTACCESS, company_name="Atelier Verdon"
            )
        case "mortgage":
            spec = AccountSpec(
                kind, "Prêt immobilier", "loan", Decimal("-164200.00"), source=DIRECTACCESS, loan=_MORTGAGE
            )
        case "consumer":
            spec = AccountSpec(kind, "Prêt personnel", "loan", Decimal("-5120.00"), source=DIRECTACCESS, loan=_CONSUMER)
        case "crowdlending":
            spec = AccountSpec(kind, "Portefeuille de prêts", "crowdlending", Decimal("3500.00"), source=DIRECTACCESS)
        case "scpi":
            spec = AccountSpec(kind, "Parts de SCPI", "real_estate", Decimal("20160.00"), source=DIRECTACCESS)
        case "crypto":
            spec = AccountSpec(kind, "Portefeuille BTC", "unknown", Decimal("0.04210000"), "BTC", source=DIRECTACCESS)
        case "silent":
            # Some institutions name an account and give neither balance, number nor currency usage.
            spec = AccountSpec(
                kind, "Compte d'attente", "unknown", None, source=DIRECTACCESS, usage=None, ownership=None
            )
        case _:
            raise ValueError(kind)
    return _replaced(spec, source=source, balance=balance)


def _replaced(spec: AccountSpec, *, source: str | None, balance: str | None) -> AccountSpec:
    values = {name: getattr(spec, name) for name in AccountSpec.__dataclass_fields__}
    if source:
        values["source"] = source
    if balance is not None:
        values["balance"] = Decimal(balance)
    return AccountSpec(**values)


# slug, name, country, colour, kinds of openapi, kinds of directaccess, further capabilities, options
type _Row = tuple[str, str, str, str, str, str, str]
_BANKS: tuple[_Row, ...] = (
    # The example of the help article: three current accounts; the flexible savings account exists and is not shared.
    ("revolut", "Revolut", "LT", "191c1f", "eur usd gbp", "", "transfer"),
    ("banque-horizon", "Banque Horizon", "FR", "0b5fa5", "current card", "livret_a pea", "transfer"),
    (
        "credit-littoral",
        "Crédit Littoral",
        "FR",
        "00797a",
        "current card",
        "livret_a ldds pel mortgage",
        "transfer document",
    ),
    (
        "caisse-des-alpilles",
        "Caisse des Alpilles",
        "FR",
        "c8102e",
        "current card",
        "livret_a life consumer",
        "document",
    ),
    ("banque-du-vexin", "Banque du Vexin", "FR", "5b2c83", "current", "livret_a lep pel", ""),
    ("mutuelle-armor", "Mutuelle Armor", "FR", "e87722", "current card", "livret_a cat mortgage", "transfer"),
    ("comptoir-lyonnais", "Comptoir Lyonnais", "FR", "1d4f91", "current card", "ldds pea cto life", "document profile"),
    ("banque-mistral", "Banque Mistral", "FR", "f2a900", "current usd card", "livret_a", "transfer"),
    ("nef-et-rive", "Nef & Rive", "FR", "3f7d20", "current", "savings", ""),
    (
        "paris-online",
        "Paris Online Banque",
        "FR",
        "e4002b",
        "current card",
        "livret_a ldds pea cto life per",
        "transfer",
    ),
    ("bourse-vive", "Bourse Vive", "FR", "111f4d", "", "pea cto life", ""),
    ("titres-directs", "Titres Directs", "FR", "006a4e", "", "cto pea", ""),
    ("avenir-vie", "Avenir Vie", "FR", "8a1538", "", "life per", "document"),
    ("patrimoine-et-vie", "Patrimoine & Vie", "FR", "7c6a46", "", "life scpi", "document"),
    ("epargne-salariale-union", "Épargne Salariale Union", "FR", "00609c", "", "pee perco", ""),
    ("retraite-collective", "Retraite Collective", "FR", "4b4f54", "", "perco per", ""),
    ("pret-partage", "Prêt Partagé", "FR", "2e8540", "", "crowdlending", ""),
    ("pierre-commune", "Pierre Commune", "FR", "9c5c34", "", "scpi", ""),
    ("coffre-numerique", "Coffre Numérique", "FR", "f7931a", "", "crypto", ""),
    ("banque-des-entrepreneurs", "Banque des Entrepreneurs", "FR", "0f3057", "pro card", "cat", "transfer"),
    ("qantor", "Qantor Pro", "FR", "6b5bff", "pro", "", "transfer"),
    ("nordbank", "Nordbank Hanse", "DE", "005e8f", "current card", "savings cto", "transfer"),
    ("rheinkasse", "Rheinkasse", "DE", "d50000", "current", "savings", ""),
    ("banco-ribera", "Banco Ribera", "ES", "b5121b", "current card", "savings mortgage", "transfer"),
    ("caja-del-sur", "Caja del Sur", "ES", "00843d", "current", "savings", ""),
    ("banca-lariana", "Banca Lariana", "IT", "00529b", "current card", "cto savings", "transfer"),
    ("credito-tiberino", "Credito Tiberino", "IT", "7a0019", "current", "savings", ""),
    ("polderbank", "Polderbank", "NL", "ff6200", "current savings", "", "transfer"),
    ("banque-de-meuse", "Banque de Meuse", "BE", "00965e", "current savings", "", "transfer"),
    ("banco-do-tejo", "Banco do Tejo", "PT", "006848", "current card", "savings", ""),
    ("banque-de-l-alzette", "Banque de l'Alzette", "LU", "002f6c", "current usd", "cto life", "document"),
    ("liffey-bank", "Liffey Bank", "IE", "169b62", "current savings", "", "transfer"),
    ("thames-mutual", "Thames Mutual", "GB", "00205b", "gbp", "", "transfer"),
    # A bank that takes no new connection, and one that is not listed.
    ("banque-close", "Banque Close", "FR", "666666", "current", "", ""),
    ("banque-cachee", "Banque Cachée", "FR", "333333", "current", "silent", ""),
)
# What the bank holds and its one source, openapi, does not show.
_WITHHELD: Mapping[str, AccountSpec] = {
    "revolut": AccountSpec("flexible", "Compte d'épargne flexible", "savings", Decimal("3150.00")),
    "thames-mutual": AccountSpec("isa", "Cash ISA", "savings", Decimal("4200.00"), "GBP"),
    "qantor": AccountSpec("term", "Compte à terme", "cat", Decimal("50000.00"), usage="ORGA"),
}
# Banks that give no number which could tell two accounts apart.
_NUMBER_FORMS: Mapping[str, str] = {
    "mutuelle-armor": "masked", "avenir-vie": "masked", "nordbank": "masked",
    "comptoir-lyonnais": "filler", "pret-partage": "filler", "caja-del-sur": "filler",
}  # fmt: skip
_WEALTH = {"market", "pea", "lifeinsurance", "per", "pee", "perco", "real_estate", "crowdlending"}


def _connector(position: int, row: _Row) -> Connector:
    slug, name, country, color, openapi, directaccess, more = row
    identifier = 100 + position
    accounts = [account(kind, country=country, source=OPENAPI) for kind in openapi.split()]
    accounts += [account(kind, country=country, source=DIRECTACCESS) for kind in directaccess.split()]
    if "current" not in openapi.split():
        accounts = [
            spec if spec.parent is None else AccountSpec(**{**vars(spec), "parent": accounts[0].key})
            for spec in accounts
        ]
    types = {spec.type for spec in accounts}
    withheld = _WITHHELD.get(slug)
    sources = []
    for priority, (source, mechanism, kinds) in enumerate(
        ((OPENAPI, "webauth", openapi), (DIRECTACCESS, "credentials", directaccess))
    ):
        if kinds:
            shared = tuple(dict.fromkeys(spec.type for spec in accounts if spec.source == source))
            hidden_types = (withheld.type,) if withheld and withheld.source == source else ()
            sources.append(
                ConnectorSource(2 * identifier + priority, source, mechanism, priority, shared, hidden_types)
            )
    wealth = bool(types & _WEALTH)
    usages = {spec.usage for spec in accounts if spec.usage}
    return Connector(
        id=identifier,
        uuid=str(uuid.uuid5(_UUIDS, slug)),
        name=name,
        slug=slug,
        color=color,
        country=country,
        capabilities=("bank", *(("bankwealth",) if wealth else ()), *more.split()),
        products=("bank", *(("wealth",) if wealth else ()), *(("bill",) if "document" in more else ())),
        usages=tuple(sorted(usages)),
        sources=tuple(sources),
        fields=(
            replace(LOGIN, sources=(DIRECTACCESS,)),
            replace(PASSWORD, sources=(DIRECTACCESS,)),
        )
        if directaccess
        else (),
        accounts=tuple(accounts),
        later=(withheld,) if withheld else (),
        hidden=slug == "banque-cachee",
        restricted=slug == "banque-close",
        beta=slug == "qantor",
        months_to_fetch=24 if wealth else None,
        siret=f"{38000000000000 + 7919 * position:014d}",
        number_form=_NUMBER_FORMS.get(slug, "own"),
    )


def _test_connector() -> Connector:
    outcomes = tuple((outcome, outcome) for outcome in TEST_OUTCOMES)
    current = AccountSpec(
        "current", "Compte chèque", "checking", Decimal("1523.07"), original_name="COMPTE CHEQUE", number="3002900000",
        has_iban=True,
    )  # fmt: skip
    return Connector(
        id=40,
        uuid=TEST_CONNECTOR_UUID,
        name="Connecteur de test",
        slug="connecteur-de-test",
        color="4a4a4a",
        country="FR",
        capabilities=("bank", "bankwealth", "transfer", "document", "profile", "contact"),
        products=("bank", "wealth", "bill"),
        usages=("ORGA", "PRIV"),
        sources=(
            ConnectorSource(81, OPENAPI, "credentials", 0, ("checking", "card")),
            ConnectorSource(82, DIRECTACCESS, "credentials", 1, ("livret_a", "pea", "lifeinsurance", "loan")),
        ),
        fields=(
            Field("openapiwebsite", "list", "Comportement (openapi)", False, values=outcomes, sources=(OPENAPI,)),
            Field("directaccesswebsite", "list", "Comportement (directaccess)", False, values=outcomes,
                  sources=(DIRECTACCESS,)),
            Field("login", "text", "Identifiant", sources=(OPENAPI, DIRECTACCESS)),
            Field("password", "password", "Mot de passe", sources=(OPENAPI, DIRECTACCESS)),
        ),
        accounts=(current, account("card"), account("livret_a"), account("pea"), account("life"), account("mortgage")),
        months_to_fetch=12,
        siret="00000000000000",
    )  # fmt: skip


CONNECTORS: tuple[Connector, ...] = (
    _test_connector(),
    *(_connector(position, row) for position, row in enumerate(_BANKS)),
)
