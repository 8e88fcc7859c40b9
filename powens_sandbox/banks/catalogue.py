"""What institutions are made of, the types of accounts, the currencies and the countries.

Nothing here changes while the sandbox runs; what an operator changes of an institution is in institutions.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

OPENAPI = "openapi"
DIRECTACCESS = "directaccess"
TEST_CONNECTOR_UUID = "338178e6-3d01-564f-9a7b-52ca442459bf"
TEST_PASSWORD = "1234"  # noqa: S105 - the documented password of the test connector

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
