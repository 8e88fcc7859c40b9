"""The institutions of the start. Apart from one that a help article takes as its example, they are invented."""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from powens_sandbox.banks.catalogue import (
    DIRECTACCESS,
    LOGIN,
    OPENAPI,
    PASSWORD,
    TEST_CONNECTOR_UUID,
    TEST_OUTCOMES,
    AccountSpec,
    Connector,
    ConnectorSource,
    Field,
)
from powens_sandbox.banks.usual_accounts import account

_UUIDS = uuid.UUID("6f1d1d0e-7a47-5d7b-9d0c-5f6f7c1f2f4a")

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
