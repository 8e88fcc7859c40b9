"""What Powens' description of an institution says about a type of account, and which descriptions are believed."""

from dataclasses import replace

import pytest

from shared.domain.catalogue import (
    CATALOGUE_STALE_AFTER,
    Catalogue,
    CatalogueEntry,
    CatalogueSource,
    Support,
    can_give,
    carriers,
    check_catalogue,
    described,
    newly_given,
    stated,
)
from shared.domain.connection import AccountType
from shared.domain.errors import CatalogueRefused
from shared.domain.observation import Institution
from tests.builders import NOW

OPENAPI = CatalogueSource(name="openapi")
DIRECT = CatalogueSource(name="directaccess")


def entry(
    identifier: str = "u-1",
    *,
    capabilities: tuple[str, ...] = ("bank",),
    products: tuple[str, ...] = ("bank",),
    sources: tuple[CatalogueSource, ...] = (OPENAPI,),
    hidden: bool = False,
) -> CatalogueEntry:
    """Unless said otherwise, a bank that gives payment accounts alone."""
    about = Institution(
        id=identifier, name="Banque", capabilities=frozenset(capabilities), products=frozenset(products)
    )
    return CatalogueEntry(institution=about, hidden=hidden, sources=sources)


def wealthy(*sources: CatalogueSource) -> CatalogueEntry:
    return entry(capabilities=("bank", "bankwealth"), products=("bank", "wealth"), sources=sources)


def catalogue(*entries: CatalogueEntry) -> Catalogue:
    return Catalogue(read_at=NOW, entries={e.institution.id: e for e in entries})


LISTING = CatalogueSource(name="openapi", account_types=frozenset({"checking", "livret_a"}))


@pytest.mark.parametrize(
    ("described_as", "kind", "support"),
    [
        (entry(), AccountType.CHECKING, Support.GIVEN),
        (entry(), AccountType.CARD, Support.POSSIBLE),
        (entry(), AccountType.SAVINGS, Support.LACKING),
        (entry(sources=(OPENAPI, DIRECT)), AccountType.SAVINGS, Support.LACKING),
        (entry(products=()), AccountType.SAVINGS, Support.LACKING),
        (entry(products=(), sources=(OPENAPI, DIRECT)), AccountType.SAVINGS, Support.DOUBTED),
        (entry(capabilities=(), products=(), sources=()), AccountType.SAVINGS, Support.UNKNOWN),
        (entry(capabilities=(), products=()), AccountType.SAVINGS, Support.DOUBTED),
        (wealthy(OPENAPI, DIRECT), AccountType.SAVINGS, Support.POSSIBLE),
        (wealthy(), AccountType.LOAN, Support.POSSIBLE),
        (wealthy(OPENAPI), AccountType.SAVINGS, Support.DOUBTED),
        (entry(capabilities=("bank", "bankwealth")), AccountType.SAVINGS, Support.DOUBTED),
        (entry(products=("bank", "wealth"), sources=(OPENAPI, DIRECT)), AccountType.SAVINGS, Support.DOUBTED),
        (entry(sources=(LISTING,)), AccountType.SAVINGS, Support.GIVEN),
        (entry(sources=(LISTING,)), AccountType.LOAN, Support.LACKING),
        (entry(sources=(replace(LISTING, disabled=True),)), AccountType.SAVINGS, Support.DOUBTED),
        (wealthy(OPENAPI, replace(DIRECT, disabled=True)), AccountType.SAVINGS, Support.DOUBTED),
        (entry(sources=(OPENAPI, replace(DIRECT, disabled=True))), AccountType.SAVINGS, Support.DOUBTED),
        (entry(sources=(replace(OPENAPI, disabled=True),)), AccountType.CHECKING, Support.DOUBTED),
        (entry(capabilities=("bankwealth",), products=("wealth",)), AccountType.CHECKING, Support.LACKING),
        (entry(hidden=True), AccountType.CHECKING, Support.UNKNOWN),
        (None, AccountType.CHECKING, Support.UNKNOWN),
    ],
)
def test_a_type_is_given_possible_doubted_lacking_or_unknown(
    described_as: CatalogueEntry | None, kind: AccountType, support: Support
) -> None:
    assert stated(described_as, kind).support is support


@pytest.mark.parametrize("kind", AccountType)
def test_a_description_that_is_not_current_denies_nothing(kind: AccountType) -> None:
    assert stated(entry(), kind, current=False).support is not Support.LACKING
    assert described(entry().institution, kind, current=False).denied == frozenset()


@pytest.mark.parametrize("kind", AccountType)
def test_one_description_that_allows_a_type_undoes_another_that_denies_it(kind: AccountType) -> None:
    poor = stated(entry(), kind)
    rich = stated(wealthy(OPENAPI, DIRECT), kind)
    assert (poor | rich).support is not Support.LACKING


def test_a_type_is_carried_by_the_sources_that_list_it_else_by_those_of_its_family() -> None:
    assert carriers(entry(sources=(OPENAPI, DIRECT)), AccountType.CHECKING) == {"openapi", "directaccess"}
    assert carriers(entry(sources=(OPENAPI, DIRECT)), AccountType.LOAN) == {"directaccess"}
    assert carriers(entry(sources=(LISTING, DIRECT)), AccountType.SAVINGS) == {"openapi"}
    assert carriers(entry(sources=(OPENAPI, replace(DIRECT, disabled=True))), AccountType.LOAN) == frozenset()


# --- news ---


def test_a_type_that_starts_to_be_given_is_news_once() -> None:
    before, after = catalogue(entry()), catalogue(wealthy(OPENAPI, DIRECT))
    news = newly_given(before, after)
    assert news == {"u-1": can_give(after.entries["u-1"]) - can_give(before.entries["u-1"])}
    assert AccountType.SAVINGS in news["u-1"]
    assert newly_given(after, after) == {}
    assert newly_given(after, before) == {}


def test_a_type_that_enough_others_get_is_news_too() -> None:
    before = catalogue(entry())
    after = replace(before, given_to_others={"u-1": frozenset({AccountType.SAVINGS})})
    assert newly_given(before, after) == {"u-1": {AccountType.SAVINGS}}


def test_an_institution_that_is_new_gives_what_it_gives_and_a_first_catalogue_is_no_news() -> None:
    assert newly_given(catalogue(), catalogue(entry()))["u-1"] == {AccountType.CHECKING, AccountType.CARD}
    assert newly_given(None, catalogue(entry())) == {}


def test_a_catalogue_is_stale_after_three_days() -> None:
    held = catalogue(entry())
    assert not held.stale(NOW + CATALOGUE_STALE_AFTER)
    assert held.stale(NOW + CATALOGUE_STALE_AFTER * 1.01)


# --- what is believed ---


def many(count: int, capabilities: tuple[str, ...] = ("bank",)) -> list[CatalogueEntry]:
    return [entry(f"u-{number}", capabilities=capabilities) for number in range(count)]


@pytest.mark.parametrize(
    ("entries", "unreadable", "word"),
    [
        ([], 0, "empty"),
        ([replace(entry(), institution=replace(entry().institution, name=""))], 0, "empty"),
        (many(60), 40, "unreadable"),
        (many(60), 0, "shrunk"),
        (many(100, capabilities=()), 0, "silent"),
    ],
)
def test_an_answer_that_cannot_be_the_catalogue_is_not_believed(
    entries: list[CatalogueEntry], unreadable: int, word: str
) -> None:
    with pytest.raises(CatalogueRefused, match=word):
        check_catalogue(entries, unreadable, catalogue(*many(100)))


def test_an_answer_that_changes_as_institutions_do_is_believed() -> None:
    check_catalogue(many(70), 2, catalogue(*many(100)))
    check_catalogue(many(1), 0, None)
