"""Who stands behind a login: the personas, and the numbers of their accounts.

A login whose name is a persona's shows that persona's accounts; any other login shows the usual accounts of the bank.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from local.powens_sandbox.catalogue import DIRECTACCESS, OPENAPI, AccountSpec, Connector, account

# country: (length of the part after the check digits, how many letters it starts with)
_IBAN_SHAPES: Mapping[str, tuple[int, int]] = {
    "FR": (23, 0), "DE": (18, 0), "ES": (20, 0), "IT": (23, 1), "NL": (14, 4), "BE": (12, 0), "PT": (21, 0),
    "LU": (16, 0), "IE": (18, 4), "LT": (16, 0), "GB": (18, 4),
}  # fmt: skip


@dataclass(frozen=True)
class Persona:
    id: str
    description: str
    banks: Mapping[str, tuple[AccountSpec, ...]]


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
                    replace(account("current"), balance=None, original_name=None, usage=None, ownership=None),
                    replace(account("silent"), source=OPENAPI), account("silent"),
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


def numbers(seed: str, connector: Connector, spec: AccountSpec, person: int) -> tuple[str | None, str | None]:
    """Number and IBAN of an account: always the same for one person, whatever the connection that shows it."""
    if spec.type == "unknown" and spec.balance is None:
        return spec.number, spec.iban
    text = f"{seed}/{spec.identity or f'{connector.slug}/{spec.key}'}/{person}"
    digits = str(int(hashlib.sha256(text.encode()).hexdigest(), 16))
    if spec.number:
        number = spec.number
    elif spec.type == "card":
        number = f"XXXXXXXXXXXX{digits[:4]}"
    else:
        number = digits[:11]
    if spec.iban or not spec.has_iban:
        return number, spec.iban
    return number, iban("FR" if spec.identity else connector.country, digits[11:])


def iban(country: str, digits: str) -> str:
    """An IBAN of the country's length with right check digits."""
    length, letters = _IBAN_SHAPES.get(country, _IBAN_SHAPES["FR"])
    head = "SBXA"[:letters]
    body = head + digits[: length - letters]
    spelt = "".join(str(int(character, 36)) for character in body + country + "00")
    return f"{country}{98 - int(spelt) % 97:02d}{body}"
