"""Who stands behind a login: the personas, and the numbers of their accounts.

A login whose name is a persona's shows that persona's accounts; any other login shows the usual accounts of the bank.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from powens_sandbox.banks.catalogue import DIRECTACCESS, OPENAPI, AccountSpec, Connector
from powens_sandbox.banks.usual_accounts import account
from powens_sandbox.settings import Settings

# country: (length of the part after the check digits, how many letters it starts with)
_IBAN_SHAPES: Mapping[str, tuple[int, int]] = {
    "FR": (23, 0), "DE": (18, 0), "ES": (20, 0), "IT": (23, 1), "NL": (14, 4), "BE": (12, 0), "PT": (21, 0),
    "LU": (16, 0), "IE": (18, 4), "LT": (16, 0), "GB": (18, 4),
}  # fmt: skip


# Types that banks show under the IBAN of the current account that they hang on.
_CARRYING = frozenset({"card", "savings", "livret_a", "livret_b", "ldds", "cel", "pel", "cat", "csl", "deposit"})
_FILLER = "00000000000"


@dataclass(frozen=True)
class Persona:
    id: str
    description: str
    banks: Mapping[str, tuple[AccountSpec, ...]]


_NO_DATE = "0000-00-00 00:00:00"
_JOINT = AccountSpec(
    "joint", "Compte joint", "checking", Decimal("2310.44"), ownership="co-owner", identity="joint-horizon-littoral",
    has_iban=True,
)  # fmt: skip

PERSONAS: Mapping[str, Persona] = {
    persona.id: persona
    for persona in (
        Persona(
            "wealth",
            "Cliente patrimoniale: PEA, assurance vie, épargne salariale, SCPI",
            {
                "banque-horizon": (
                    account("current", balance="12480.55"), account("card"), account("livret_a", balance="22950.00"),
                    account("pea", balance="143870.12"), replace(account("life", balance="310400.00"), key="life-1",
                    name="Assurance vie Horizon Sérénité"), replace(account("life", balance="58200.30"), key="life-2",
                    name="Assurance vie Horizon Dynamique"),
                ),
                "epargne-salariale-union": (account("pee", balance="41230.90"), account("perco", balance="18760.00")),
                "avenir-vie": (account("life", balance="205000.00"), account("per", balance="64310.25")),
                "pierre-commune": (account("scpi", balance="84000.00"),),
            },
        ),
        Persona(
            "couple",
            "Deux banques qui montrent le même compte joint",
            {
                "banque-horizon": (account("current"), _JOINT, account("livret_a")),
                "credit-littoral": (account("current", balance="640.12"), _JOINT, account("mortgage")),
            },
        ),
        Persona(
            "company",
            "Dirigeante: un compte d'entreprise à côté du compte personnel",
            {
                "banque-horizon": (account("current"), account("pro")),
                "banque-des-entrepreneurs": (
                    account("pro", balance="104220.00"), replace(account("cat"), usage="ORGA"),
                ),
            },
        ),
        Persona(
            "expat",
            "Un compte en dollars à côté de l'euro",
            {
                "banque-mistral": (account("current"), account("usd", balance="15230.00")),
                "banque-horizon": (account("current"), replace(account("usd"), key="usd-horizon", source=DIRECTACCESS)),
            },
        ),
        Persona(
            "sparse",
            "Des champs vides partout où Powens peut en laisser",
            {
                "banque-horizon": (
                    replace(account("current"), balance=None, currency=None, usage=None, ownership=None),
                    replace(account("silent"), source=OPENAPI), account("silent"),
                ),
            },
        ),
        Persona(
            "odd",
            "Des champs que sa banque remplit de travers",
            {
                "banque-horizon": (
                    replace(account("current"), raw={"last_update": _NO_DATE, "company_name": 0, "webid": []}),
                    replace(account("card"), raw={"balance": "1 234,56", "error": {"code": "bug"}, "id_parent": ""}),
                    replace(account("livret_a"), source=OPENAPI, raw={"name": 42, "deleted": "0", "currency": []}),
                    replace(account("cat"), source=OPENAPI, raw={"disabled": "perhaps", "type": None}),
                    replace(account("pea"), source=OPENAPI, raw={"id": "n/a"}),
                ),
            },
        ),
        Persona(
            "pockets",
            "Un compte et ses pochettes, que rien ne distingue que leurs noms, et deux qui portent le même",
            {
                "revolut": tuple(
                    replace(account("eur"), key=f"pocket-{number}", name=name, balance=Decimal(number * 50),
                            identity="pockets-revolut")
                    for number, name in enumerate(("Compte courant EUR", "Vacances", "Projets", "Projets"), 1)
                ),
                "nef-et-rive": (
                    account("current"), account("savings", source=OPENAPI),
                    replace(account("savings", source=OPENAPI), key="savings-2", name="Livret des enfants"),
                ),
            },
        ),
        Persona(
            "collector",
            "Quarante comptes dans la même banque",
            {
                "banque-horizon": tuple(
                    replace(account("current"), key=f"current-{number}", name=f"Compte courant n° {number}",
                            balance=Decimal(number * 100))
                    for number in range(1, 41)
                ),
            },
        ),
    )
}  # fmt: skip


def accounts_of(connector: Connector, persona: str) -> tuple[AccountSpec, ...]:
    """What the bank holds for that persona, withheld or not; the usual accounts when the persona is unknown there."""
    known = PERSONAS.get(persona)
    held = known.banks.get(connector.slug, connector.accounts) if known else connector.accounts
    return (*held, *connector.later)


def numbers(
    settings: Settings, connector: Connector, spec: AccountSpec, held: Sequence[AccountSpec], person: int
) -> tuple[str | None, str | None]:
    """Number and IBAN of an account: always the same for one person, whatever the connection that shows it.

    `held` is what the bank holds for that person; an account that is not among it, as an operator added it, has the
    numbers that it was given.
    """
    if spec.type == "unknown" and spec.balance is None:
        return spec.number, spec.iban
    number, own = _own(settings.seed, connector, spec, person)
    if spec not in held:
        return number, own
    match connector.number_form if settings.account_numbers == "by_bank" else settings.account_numbers:
        case "masked" if spec.number is None:
            number = f"XXXXXXX{number[-4:]}"
        case "filler" if spec.number is None:
            number = _FILLER
    carrier = None if own else _carrier(spec, held, settings.shared_ibans)
    return number, own if carrier is None else _own(settings.seed, connector, carrier, person)[1]


def _own(seed: str, connector: Connector, spec: AccountSpec, person: int) -> tuple[str, str | None]:
    text = f"{seed}/{spec.identity or f'{connector.slug}/{spec.key}'}/{person}"
    digits = str(int(hashlib.sha256(text.encode()).hexdigest(), 16))
    number = spec.number or (f"XXXXXXXXXXXX{digits[:4]}" if spec.type == "card" else digits[:11])
    if spec.iban or not spec.has_iban:
        return number, spec.iban
    return number, iban("FR" if spec.identity else connector.country, digits[11:])


def _carrier(spec: AccountSpec, held: Sequence[AccountSpec], shared: str) -> AccountSpec | None:
    """The current account whose IBAN this account carries too, if any."""
    if shared == "none" or spec.type not in _CARRYING or (shared == "cards" and spec.type != "card"):
        return None
    carriers = [item for item in held if item.has_iban and item.type == "checking"]
    return next((item for item in carriers if item.key == spec.parent), carriers[0] if carriers else None)


def iban(country: str, digits: str) -> str:
    """An IBAN of the country's length with right check digits."""
    length, letters = _IBAN_SHAPES.get(country, _IBAN_SHAPES["FR"])
    head = "SBXA"[:letters]
    body = head + digits[: length - letters]
    spelt = "".join(str(int(character, 36)) for character in body + country + "00")
    return f"{country}{98 - int(spelt) % 97:02d}{body}"


def bic(connector: Connector) -> str:
    """A BIC of the bank's own: four letters, the country, a place."""
    letters = "".join(character for character in connector.slug.upper() if character.isalpha())
    return f"{letters[:4]:X<4}{connector.country}2X"
